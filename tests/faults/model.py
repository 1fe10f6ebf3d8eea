"""A labeler in place of the real one: quick, the same for every note, and it fails where the note tells it to."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from django.conf import settings

from annotator.core.prompting import Item, note_of, render_answer
from llm_labeler.backends import Answer, Request
from tests.faults import hooks

QUOTES = (Item("chest pain", "Problem"), Item("metformin", "Medication"))
HELD, POISONED, DEADLY = "HELD", "POISONED", "DEADLY"


class Model:
    """Finds the same two quotes in every note."""

    name, device = "spacy", "CPU"
    model_id: str = settings.LABELERS["spacy"]["model_id"]
    revision: str = settings.LABELERS["spacy"]["revision"]
    group_size = 8

    def generate(self, requests: Sequence[Request]) -> list[list[Answer]]:
        for request in requests:
            note = note_of(request.messages)
            if POISONED in note:
                raise ValueError(note)
            if DEADLY in note:
                os.kill(os.getpid(), signal.SIGKILL)
            if HELD in note:
                hooks.hold(hooks.READING)
        return [[Answer(render_answer(QUOTES), (), "stop")] for _ in requests]


def load() -> Model:
    return Model()
