"""A chat completion that comes piece by piece, as server-sent events, put together as one that comes whole."""

from __future__ import annotations

import json
from typing import Any

from llm_labeler.backends.completions import AnswerError
from llm_labeler.circles import Circles

TYPE = "text/event-stream"
_END = "[DONE]"
_BROKEN = "breaks an answer off: see its log"


class Stream:
    """Takes a completion's lines. `chunk` is what the answer is about: one that goes in circles is cut off."""

    def __init__(self, chunk: str) -> None:
        self._circles = Circles(chunk)
        self._content: list[str] = []
        self._entries: list[Any] = []
        self._reason: str | None = None

    def takes(self, line: str) -> bool:
        """Whether more is wanted behind `line`. Raises AnswerError, without a word of what the server has said."""
        field, _, data = line.partition(":")
        if field != "data" or data.strip() == _END:
            if field == "error":
                raise AnswerError(_BROKEN)
            return field != "data"
        try:
            event = json.loads(data)
            is_broken, piece = "error" in event, self._piece(event)
        except (TypeError, ValueError, AttributeError):
            raise AnswerError("answers in another form than OpenAI's chat completions: see LABELER_URL") from None
        if is_broken:
            raise AnswerError(_BROKEN)
        if self._circles.closes_with(piece):
            self._reason = "length"
            return False
        return True

    def _piece(self, event: Any) -> str:
        """What the event adds to the first choice, which is kept; the last event may have no choice."""
        piece = ""
        for choice in event.get("choices", [])[:1]:
            piece = str((choice.get("delta") or {}).get("content") or "")
            self._entries += (choice.get("logprobs") or {}).get("content") or []
            self._reason = choice.get("finish_reason") or self._reason
        self._content.append(piece)
        return piece

    def completion(self) -> dict[str, Any]:
        """All of it. Raises AnswerError where its end has not come."""
        if self._reason is None:
            raise AnswerError(_BROKEN)
        message = {"content": "".join(self._content)}
        choice = {"message": message, "finish_reason": self._reason, "logprobs": {"content": self._entries}}
        return {"choices": [choice]}
