"""What a server's chat completion says, as an Answer: the text, and tokens whose texts joined are it exactly.

Servers differ in small things. The text may be trimmed, or have its thinking and end-of-turn left out, while the tokens
have it all; a token that ends within a character comes as bytes, or as U+FFFD.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llm_labeler.backends import Answer, Token

THOUGHT_BEGINS, THOUGHT_ENDS = "<unused94>", "<unused95>"  # MedGemma's, around what it thinks before it answers


class AnswerError(ValueError):
    """A completion that cannot be used; the message goes on from the server's name, and holds no text of it."""


def read_answer(completion: Any, *, n_top: int) -> Answer:
    """The first choice of `completion`. Raises AnswerError for another form, or one without log-probabilities."""
    try:
        choice = completion["choices"][0]
        content = str(choice["message"]["content"] or "")
        entries = (choice.get("logprobs") or {}).get("content") or []
        tokens = _tokens(entries, n_top)
        reason = "length" if choice["finish_reason"] == "length" else "stop"
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise AnswerError("answers in another form than OpenAI's chat completions: see LABELER_URL") from None
    if content and not tokens:
        raise AnswerError("gives no log-probabilities, which every score is made of: start it with them, or use vLLM")
    text = _without_thought(content)
    return Answer(text=text, tokens=_placed(tokens, text), finish_reason=reason)


def _tokens(entries: Sequence[Mapping[str, Any]], n_top: int) -> list[Token]:
    """One token an entry; a character that several make up comes with the last of them."""
    tokens = []
    left = b""
    for entry in entries:
        data = entry.get("bytes")
        left += bytes(data) if data is not None else str(entry["token"]).encode()
        text, left = _whole_characters(left)
        top = [(_shown(other), float(other["logprob"])) for other in entry.get("top_logprobs") or []]
        tokens.append(Token(text=text, logprob=float(entry["logprob"]), top=tuple(top[:n_top])))
    return tokens


def _shown(entry: Mapping[str, Any]) -> str:
    data = entry.get("bytes")
    return bytes(data).decode(errors="replace") if data is not None else str(entry["token"])


def _whole_characters(data: bytes) -> tuple[str, bytes]:
    """The text of `data`, and the bytes at its end that begin a character."""
    for n_open in range(min(4, len(data) + 1)):
        try:
            whole = data[: len(data) - n_open].decode()
        except UnicodeDecodeError:
            continue
        return whole, data[len(data) - n_open :]
    return data.decode(errors="replace"), b""


def _without_thought(text: str) -> str:
    """`text` behind its thinking; nothing where that did not come to its end."""
    return text.rpartition(THOUGHT_ENDS)[2].partition(THOUGHT_BEGINS)[0]


def _placed(tokens: Sequence[Token], text: str) -> tuple[Token, ...]:
    """The tokens that `text` is made of, the first and last cut to it; none where it is no part of what they join to.

    That happens where a server tells U+FFFD for the parts of a character: better no scores than wrong ones.
    """
    start = "".join(token.text for token in tokens).rfind(text)
    end = start + len(text) if start >= 0 else start
    kept, at = [], 0
    for token in tokens:
        piece = token.text[max(start - at, 0) : max(end - at, 0)]
        if piece or (not token.text and start <= at < end):
            kept.append(Token(text=piece, logprob=token.logprob, top=token.top))
        at += len(token.text)
    return tuple(kept)
