"""Messages made safe for a chat template: what stands in a note cannot open a turn.

A tokenizer turns the spelling of a control token into the token itself, wherever it stands. So a note that reads
`<end_of_turn>` would end the user's turn, and its next words would speak as the model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from annotator.core.prompting import Message
from llm_labeler.gemma import CHAT_TEMPLATE

# Put behind the first character of what reads like a control token. The aligner drops it from quotes again.
BREAK = "\u200b"
# Gemma's: turns, ends, masks, images, unused ones (MedGemma thinks between two of those). Then those of other models
# that an OpenAI-compatible server may run: <|im_start|>, <｜User｜>, [INST], <<SYS>>, </s>, <think>.
_CONTROL = re.compile(
    r"<(?=/?(?:(?:start|end)_of_(?:turn|image|audio|text)|(?:image|audio)_soft_token|bos|eos|pad|unk|mask|unused\d+"
    r"|s|sep|cls|think|tool_call|tool_response|end_of_utterance)>"
    r"|[|｜]|</?SYS>>)"
    r"|\[(?=(?:multimodal|/?INST|/?SYSTEM_PROMPT|/?AVAILABLE_TOOLS|/?TOOL_(?:CALLS|RESULTS))\])",
    re.IGNORECASE,
)


def safe_messages(messages: Sequence[Mapping[str, str]]) -> list[Message]:
    """`messages` with every spelled-out control token in their content broken up by `BREAK`."""
    return [
        {**message, "content": _CONTROL.sub(lambda found: found[0] + BREAK, message["content"])} for message in messages
    ]


def prompt_text(tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> str:
    """What a model is asked, up to where it begins to answer, by its tokenizer's template or Gemma's.

    The template writes the first token, so that the tokenizer must not.
    """
    made: str = tokenizer.apply_chat_template(
        safe_messages(messages), chat_template=_template(tokenizer), add_generation_prompt=True, tokenize=False
    )
    return made


def answered_text(tokenizer: Any, messages: Sequence[Mapping[str, str]], answer: str) -> str:
    """The same with the answer and what ends it, as a model should learn it."""
    turns = safe_messages([*messages, {"role": "assistant", "content": answer}])
    made: str = tokenizer.apply_chat_template(turns, chat_template=_template(tokenizer), tokenize=False)
    return made.rstrip("\n")


def _template(tokenizer: Any) -> str:
    return tokenizer.chat_template or CHAT_TEMPLATE
