"""What becomes of what people and models of another tool said: by whom, or by which labeler, it is from then on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from annotator.core.foreign import NOBODY, Voice

MAX_VOICES = 50
_NO_NAME = re.compile(r"[^\w.@+-]+")
_MAX_NAME = 120


@dataclass(frozen=True, slots=True)
class Becomes:
    """Annotations of the user `annotator`, or suggestions of the labeler `labeler`; with neither they are left out."""

    annotator: str = ""
    labeler: str = ""

    @property
    def words(self) -> str:
        """It as people read it; "" where nothing becomes of them."""
        if self.annotator:
            return f"annotations of {self.annotator}"
        return f"suggestions of {self.labeler}" if self.labeler else ""

    def to_json(self) -> dict[str, str]:
        return {"annotator": self.annotator, "labeler": self.labeler}


LEFT_OUT = Becomes()


@dataclass(frozen=True, slots=True)
class SpanTarget:
    """What foreign spans become: annotations of the user `annotator`, or suggestions of the labeler `labeler`.

    That is for spans of nobody's; `voices` says it for those who have a name, by their keys. Those of a model that is
    not in it become suggestions of a labeler of its name. `new_labels` are added to the schema, in a new version.
    """

    annotator: str = ""
    labeler: str = ""
    label_map: Mapping[str, str] = field(default_factory=dict)
    voices: Mapping[str, Becomes] = field(default_factory=dict)
    new_labels: tuple[str, ...] = ()

    def of(self, voice: Voice) -> Becomes | None:
        """What becomes of the voice's spans; None for a person of whom nobody said it."""
        if voice.key in self.voices:
            return self.voices[voice.key]
        if voice == NOBODY:
            return Becomes(self.annotator, self.labeler)
        return Becomes(labeler=voice.name) if voice.is_model else None

    @property
    def annotators(self) -> list[str]:
        """The user names of all whose annotations spans become."""
        named = [self.annotator, *(each.annotator for each in self.voices.values())]
        return sorted({name for name in named if name})


def identities(voices: Iterable[Voice]) -> dict[Voice, str]:
    """For each person a user name that says that they are known from an import only, no two the same."""
    found: dict[Voice, str] = {}
    for voice in sorted(voices):
        stem = _NO_NAME.sub("-", voice.name).strip("-")[:_MAX_NAME] or "somebody"
        names = (f"imported-{stem}{ending}" for ending in ("", *(f"-{number}" for number in range(2, 1000))))
        found[voice] = next(name for name in names if name not in found.values())
    return found
