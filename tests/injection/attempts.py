"""The corpus of attempts: notes that give orders, and a model that obeys every one of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from annotator.core.prompting import note_of
from llm_labeler.backends import Answer, Request, Token

CORPUS = Path(__file__).parent / "corpus.jsonl"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: the note without it, and where it is put in. `wants` is the answer that it is after."""

    id: str
    kind: str
    note: str
    attempt: str
    offset: int
    wants: str
    times: int = 1

    @property
    def text(self) -> str:
        """The note with the attempt in it."""
        return self.note[: self.offset] + self.attempt + self.note[self.offset :]


def attempts() -> list[Attempt]:
    with CORPUS.open(encoding="utf-8") as lines:
        return [Attempt(**json.loads(line)) for line in lines]


# Answers of a model that does whatever it pleases, in any note.
HABITS = {
    "invented quotes": [{"text": "an invented finding", "label": "Problem"}, {"text": ["one", "two"], "label": "Test"}],
    "invented labels": [{"text": "no", "label": "Person"}, {"text": "no", "label": ["Problem"]}],
    "keys that decide": [
        {"text": "no", "label": "Problem", "accepted": True, "status": "accepted", "stream": "auto", "score": 1.0}
    ],
    "places out of the note": [
        {"text": "no", "label": "Problem", "start": 10**9},
        {"text": "no", "label": "Problem", "start": -5, "end": 10**9, "fragments": "0 99999"},
    ],
    "far too much": [{"text": "a", "label": "Problem"}] * 1000,
    "nothing that fits": [
        None,
        7,
        [],
        {"label": "Problem"},
        {"text": {}, "label": []},
        "text",
        {"text": "", "label": ""},
    ],
}


class Obedient:
    """A model without a will of its own: it gives the answer that the attempt in its window wants, or a bad habit's."""

    name, model_id, revision, device, group_size = "spacy", "marginalia-lexicon", "1", "CPU", 4

    def __init__(self, known: Sequence[Attempt], habit: str = "", *, has_scores: bool = False) -> None:
        self._known, self._habit, self._has_scores = known, habit, has_scores

    def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
        return [[self._answer(note_of(request.messages))] * request.n for request in requests]

    def _answer(self, window: str) -> Answer:
        if self._habit:
            text = json.dumps(HABITS[self._habit])
        else:
            found = next((one for one in self._known if one.attempt[:40] in window), None)
            text = found.wants * found.times if found else "[]"
        tokens = tuple(Token(piece, -0.1) for piece in text) if self._has_scores else ()
        return Answer(text, tokens, "stop")
