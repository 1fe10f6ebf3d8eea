"""How the pages write numbers, durations, sizes and revisions."""

from __future__ import annotations

from django import template

from annotator.core.wording import ago_words, duration_words, memory_words, revision_words

register = template.Library()
register.filter("revision", revision_words)


@register.filter
def thousands(number: int | None) -> str:
    """`12345` as 12,345; an en dash for None."""
    return "–" if number is None else f"{number:,}"


@register.filter
def ago(seconds: int | None) -> str:
    """Seconds since, as `4 s ago`; an en dash for None."""
    return "–" if seconds is None else ago_words(seconds)


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds as `28 min`; an en dash for None."""
    return "–" if seconds is None else duration_words(seconds)


@register.filter
def memory(n_bytes: int) -> str:
    """Bytes as `412 MiB`; an en dash for none."""
    return memory_words(n_bytes) if n_bytes else "–"


@register.filter
def percent(share: float | None) -> str:
    """A share of 1 as `94.3%`; an en dash for None."""
    return "–" if share is None else f"{share:.1%}"
