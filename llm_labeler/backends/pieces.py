"""Texts of tokens that are bytes."""

from __future__ import annotations

import codecs
from collections.abc import Iterable


def texts_of(pieces: Iterable[bytes]) -> list[str]:
    """The text of each piece. A character that several pieces make up comes with the last of them, the others are "".

    Bytes that are no UTF-8 become U+FFFD, those of a character that never ends at the last piece.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    texts = [decoder.decode(piece) for piece in pieces]
    if texts:
        texts[-1] += decoder.decode(b"", final=True)
    return texts
