"""What a dataset is built with, beside its formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotator.builds.criteria import Filters
from annotator.core.chunks import OVERLAP, WINDOW
from annotator.core.identifiers import LABEL
from annotator.core.prompting import FULL, TEMPLATES

PARTS = ("train", "dev", "test")
SMALLEST_WINDOW, LARGEST_WINDOW = 200, 8000
LONGEST_LICENCE = 200
# What is made of identifiers, and whose surrogates stand for them: this dataset's alone, or the project's.
KEEP, REPLACE = "keep", "replace"
OWN, SHARED = "own", "project"


class OptionError(ValueError):
    """An option that cannot be used; the message says what is wanted."""


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """`shares` of the patients go to train, dev and test, in per cent; `window` is in code points; chat rows ask in the
    words of `template`, one of TEMPLATES.

    `annotator` is the public id of the person whose annotations are taken where several people read a note; empty:
    such notes are left out. `has_comments`: what readers wrote about notes goes out too, in formats that hold it. It is
    asked for, since people write freely there, names too. `is_human_only`: notes in which certificates have accepted
    spans are left out. `is_stratified`: labels are spread over the parts. `keeps_twins`: near-duplicates stay in one
    part. `licence` is what the notes' owner allows, in their words. `identifiers`: KEEP, or REPLACE them by
    surrogates, of a key that nobody keeps (`surrogates` is OWN) or the project's (SHARED), by which two datasets have
    the same for a patient. Raises OptionError.
    """

    seed: int = 0
    shares: tuple[int, int, int] = (80, 10, 10)
    window: int = WINDOW
    template: str = FULL
    annotator: str = ""
    has_comments: bool = False
    is_human_only: bool = False
    is_stratified: bool = False
    keeps_twins: bool = False
    licence: str = ""
    identifiers: str = KEEP
    surrogates: str = OWN
    filters: Filters = field(default_factory=Filters)

    @property
    def overlap(self) -> int:
        """Code points that a window shares with the one before: the labeler's, less where the window is small."""
        return min(OVERLAP, self.window // 2)

    @property
    def replaces_identifiers(self) -> bool:
        return self.identifiers == REPLACE

    def __post_init__(self) -> None:
        if len(self.shares) != len(PARTS) or min(self.shares) < 0 or sum(self.shares) != 100:
            given = " ".join(str(share) for share in self.shares)
            raise OptionError(f"shares are {given}: three whole numbers that make 100 are wanted")
        if not SMALLEST_WINDOW <= self.window <= LARGEST_WINDOW:
            raise OptionError(f"window is {self.window}: {SMALLEST_WINDOW} to {LARGEST_WINDOW} characters are wanted")
        if self.template not in TEMPLATES:
            raise OptionError(f"there is no such prompt template: one of {', '.join(TEMPLATES)} is wanted")
        if not 0 <= self.seed < 2**31:
            raise OptionError(f"seed is {self.seed}: 0 to {2**31 - 1} is wanted")
        if len(self.licence) > LONGEST_LICENCE or self.licence != " ".join(self.licence.split()):
            raise OptionError(f"the licence is one line of {LONGEST_LICENCE} characters at most")
        if self.identifiers not in (KEEP, REPLACE) or self.surrogates not in (OWN, SHARED):
            raise OptionError(f"identifiers are {KEEP} or {REPLACE}, surrogates {OWN} or {SHARED}")
        if not self.replaces_identifiers:
            if self.surrogates != OWN:
                raise OptionError("surrogates are for datasets whose identifiers are replaced")
            return
        if self.has_comments:
            raise OptionError("comments quote what people like: a dataset without identifiers has none")
        if LABEL in self.filters.labels:
            raise OptionError(f"a dataset without identifiers has no spans of the label {LABEL}")

    def to_json(self) -> dict[str, Any]:
        # Not said of datasets that keep identifiers, so that their bytes are those of before there was such a thing.
        replaced = {"identifiers": self.identifiers, "surrogates": self.surrogates}
        return (replaced if self.replaces_identifiers else {}) | {
            "seed": self.seed,
            "shares": dict(zip(PARTS, self.shares, strict=True)),
            "window": self.window,
            "template": self.template,
            "annotator": self.annotator,
            "comments": self.has_comments,
            "human_only": self.is_human_only,
            "stratified": self.is_stratified,
            "keep_twins": self.keeps_twins,
            "licence": self.licence,
            "filters": self.filters.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> BuildOptions:
        train, dev, test = (data["shares"][part] for part in PARTS)
        return cls(
            seed=data["seed"],
            shares=(train, dev, test),
            window=data["window"],
            annotator=data["annotator"],
            # What follows is not in builds of before there was such a thing.
            template=data.get("template", FULL),
            has_comments=data.get("comments", False),
            is_human_only=data.get("human_only", False),
            is_stratified=data.get("stratified", False),
            keeps_twins=data.get("keep_twins", False),
            licence=data.get("licence", ""),
            identifiers=data.get("identifiers", KEEP),
            surrogates=data.get("surrogates", OWN),
            filters=Filters.from_json(data.get("filters", {})),
        )
