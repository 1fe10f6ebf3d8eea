"""The state pill, which every list and every page of an object has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pill:
    """Context of components/pill.html."""

    word: str
    tone: str
    icon: str
