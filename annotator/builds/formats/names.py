"""Names of labels, attributes and relations for formats in which a name is one word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_-]")
_NOT_IDENTIFIER = re.compile(r"[^A-Za-z0-9_]")


class PlainNames:
    """One word for each name, white space as `_`; where two would read alike, the later one gets a number.

    Names that come later than the schema's, of labels that it no longer has, do not change the others. None reads as
    one of `taken`. With `is_identifier`, hyphens go too.
    """

    def __init__(self, names: Iterable[str] = (), *, taken: Iterable[str] = (), is_identifier: bool = False) -> None:
        self._taken = set(taken)
        self._unwanted = _NOT_IDENTIFIER if is_identifier else _NOT_PLAIN
        self._plain: dict[str, str] = {}
        for name in names:
            self.of(name)

    def of(self, name: str) -> str:
        if name not in self._plain:
            plain = base = self._unwanted.sub("_", name)
            number = 2
            while plain in self._taken:
                plain = f"{base}_{number}"
                number += 1
            self._plain[name] = plain
            self._taken.add(plain)
        return self._plain[name]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """The names so far, each with its word."""
        yield from self._plain.items()
