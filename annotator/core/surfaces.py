"""Which surfaces are alike: the same words, or another phrase about the same thing.

Two surfaces are the same where they differ in case and white space only. They are similar where they have the same head
word: the last before a preposition or an amount (`chest pain`, `pain in the knee`, `metformin 500 mg twice daily`).
A stored key serves both, so a change to any of this goes with a migration that fills the keys anew.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence

from annotator.core.tokens import token_spans

_HALF = 16
_PREPOSITIONS = frozenset(
    (
        *("about", "after", "against", "at", "before", "between", "by", "due", "during", "for", "from", "in", "into"),
        *("of", "on", "over", "per", "since", "to", "under", "upon", "via", "with", "within", "without"),
    )
)
_UNITS = frozenset(
    (
        *("mg", "g", "kg", "mcg", "μg", "ug", "ng", "ml", "l", "dl", "cc", "mm", "cm", "m", "mmol", "meq", "iu", "u"),
        *("units", "unit", "%", "hours", "hour", "hrs", "hr", "h", "min", "days", "day", "d", "weeks", "week"),
        *("months", "month", "years", "year"),
    )
)


def normal_surface(surface: str) -> str:
    """The surface without what makes no difference: case, white space, and how its characters are composed."""
    return " ".join(unicodedata.normalize("NFKC", surface).casefold().split())


def head_word(surface: str) -> str:
    """The word that says what kind of thing the surface is about; the whole surface where it has no such word."""
    return _head(normal_surface(surface))


def _head(normal: str) -> str:
    words = [normal[start:end] for start, end in token_spans(normal)]
    stop = next((at for at in range(1, len(words)) if _ends_the_head(words, at)), len(words))
    named = [word for word in words[:stop] if any(map(str.isalpha, word)) and word not in _UNITS]
    return named[-1] if named else normal


def surface_key(*, project_id: int, surface: str) -> str:
    """32 hexadecimal digits: the same for the same surface in one project, the first 16 for the same head word.

    Digits and not the words, so that ranges of keys are the same in every collation, and no note text is stored twice.
    """
    normal = normal_surface(surface)
    return _head_digits(project_id, _head(normal)) + _digits(normal)


def surface_keys(*, project_id: int, surfaces: Iterable[str]) -> dict[str, str]:
    """The `surface_key` of many that are normal already, and the surface of each."""
    heads: dict[str, str] = {}
    found = {}
    for normal in surfaces:
        head = _head(normal)
        digits = heads.get(head) or heads.setdefault(head, _head_digits(project_id, head))
        found[digits + _digits(normal)] = normal
    return found


def similar_keys(key: str) -> tuple[str, str]:
    """The lowest and the highest key of surfaces with the same head word in the same project."""
    return key[:_HALF] + "0" * _HALF, key[:_HALF] + "f" * _HALF


def _ends_the_head(words: Sequence[str], at: int) -> bool:
    word = words[at]
    is_amount = word[0].isdigit() and (word[-1].isalpha() or not _UNITS.isdisjoint(words[at + 1 : at + 2]))
    return is_amount or word in _PREPOSITIONS


def _head_digits(project_id: int, head: str) -> str:
    return _digits(f"{project_id} {head}")


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HALF]
