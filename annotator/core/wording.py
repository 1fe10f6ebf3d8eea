"""Amounts and sentences, as the pages say them."""

from __future__ import annotations

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_MEBI = 1024**2


def duration_words(seconds: float) -> str:
    """`12 s`, `28 min`, `3 h 5 min`, `2 days`: one or two units, rounded down."""
    whole = max(int(seconds), 0)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        minutes = whole % _HOUR // _MINUTE
        return f"{whole // _HOUR} h {minutes} min" if minutes else f"{whole // _HOUR} h"
    n_days = whole // _DAY
    return f"{n_days} day{'' if n_days == 1 else 's'}"


def work_words(seconds: float) -> str:
    """As `duration_words`, but with the seconds of minutes: `6 min 10 s`."""
    minutes, rest = divmod(max(int(seconds), 0), _MINUTE)
    words = duration_words(seconds)
    return f"{words} {rest} s" if rest and 0 < minutes < _HOUR // _MINUTE else words


def ago_words(seconds: float) -> str:
    """`just now`, `4 s ago`, `6 min ago`, `2 h ago`, `3 days ago`: one unit."""
    if seconds < 1:
        return "just now"
    return f"{duration_words(seconds if seconds < _HOUR else seconds // _HOUR * _HOUR)} ago"


def revision_words(revision: str) -> str:
    """The beginning of what tells a model's revision from others: of an adapter on a base, of the adapter's."""
    return revision.rpartition("+")[2][:12]


def day_words(n_days: int) -> str:
    """`today`, `yesterday`, `3 days ago`."""
    return ("today", "yesterday")[n_days] if n_days < 2 else f"{n_days:,} days ago"


def remaining_words(seconds: float) -> str:
    """`less than a minute left`, `about 28 min left`: a guess, so no more than one unit, rounded to the nearest."""
    if seconds < _MINUTE:
        return "less than a minute left"
    if seconds < 1.5 * _HOUR:
        return f"about {round(seconds / _MINUTE)} min left"
    if seconds < 1.5 * _DAY:
        return f"about {round(seconds / _HOUR)} h left"
    return f"about {round(seconds / _DAY)} days left"


def memory_words(n_bytes: int) -> str:
    """`412 MiB`, `3.1 GiB`, `62 GiB`."""
    mebi = n_bytes / _MEBI
    if mebi < 1024:
        return f"{mebi:.0f} MiB"
    return f"{mebi / 1024:.1f} GiB" if mebi < 10 * 1024 else f"{mebi / 1024:.0f} GiB"


def counted(n: int, noun: str, plural: str = "") -> str:
    """`1 note`, `3,412 notes`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {plural or noun + 's'}"


def sentence(words: str) -> str:
    """`a run is on` as `A run is on.`: what a refusal says, where it stands alone."""
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def spreadsheet_safe(text: str) -> str:
    """The text, with a sign before it that keeps a spreadsheet from taking it for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text
