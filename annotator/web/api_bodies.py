"""Bodies of the REST API: bounded, and nothing in them that a database or a model chokes on."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework.parsers import BaseParser

from annotator.web.api_problems import TooLarge, Unreadable

MAX_BODY_BYTES = 1024 * 1024
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class JsonBody(BaseParser):
    """JSON in UTF-8, as RFC 8259 has it: no NaN, no number too long to read, no NUL and no half of a surrogate pair."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        value = read_json(read_bounded(stream, MAX_BODY_BYTES))
        if _is_unstorable(value):
            raise Unreadable("The body has a NUL character or half of a surrogate pair.")
        return value


def read_bounded(stream: IO[bytes], limit: int) -> bytes:
    """The whole stream. Raises TooLarge where it has more than `limit` bytes."""
    content = stream.read(limit + 1)
    if len(content) > limit:
        raise TooLarge(f"This operation takes at most {limit // (1024 * 1024)} MB.")
    return content


def read_json(content: bytes) -> Any:
    """The value that the bytes are. Raises Unreadable, whose message holds nothing of them."""
    try:
        return json.loads(content.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise Unreadable(f"The body is not UTF-8 (at byte {error.start}).") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"The body is not JSON (line {error.lineno}, column {error.colno}).") from None
    except (ValueError, RecursionError):
        raise Unreadable("The body is JSON that is nested too deeply, or has a number that cannot be read.") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _is_unstorable(value: Any) -> bool:
    """Whether a text or a key anywhere in the value cannot be stored. Walks without recursion."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, str):
            if _UNSTORABLE.search(each):
                return True
        elif isinstance(each, dict):
            left += [*each, *each.values()]
        elif isinstance(each, list):
            left += each
    return False
