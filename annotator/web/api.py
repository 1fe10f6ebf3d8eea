"""What every operation of the REST API shares: which parameters it takes, how lists are paged, how it is described."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.urls import register_converter
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, Throttled
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotator.core.spans import Span, SpanError
from annotator.web.api_problems import CONTENT_TYPE, KINDS, ProblemSerializer
from annotator.web.api_throttles import FailureThrottle, TokenThrottle

MAX_FRAGMENTS_CHARS = 500  # Annotation.fragments
PAGE_SIZE, LARGEST_PAGE = 50, 200
_Handler = TypeVar("_Handler", bound=Callable[..., Any])


class PublicId:
    """Converter of addresses: an id as `web.ids` makes them. Nothing else reaches a view, or the database."""

    regex = "[a-z2-7]{16}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(PublicId, "id")


class JsonOnly(BaseContentNegotiation):
    """Answers are JSON whatever is asked for, so that a file can be had with any Accept header."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        found = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == found), None)

    def select_renderer(self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None) -> Any:
        first = next(iter(renderers))
        return first, first.media_type


class StrictSerializer(serializers.Serializer):
    """Input of which every key is known: what would be ignored is a mistake of who sends it."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                raise serializers.ValidationError(
                    {"non_field_errors": [f"{len(unknown)} unknown; known are: {', '.join(self.fields) or 'none'}."]}
                )
        return super().to_internal_value(data)


class NoParameters(StrictSerializer):
    """The query of an operation that has none."""


class PageQuery(StrictSerializer):
    """Of every list: the order is fixed, and a page starts after the row that `cursor` stands for."""

    cursor = serializers.CharField(
        required=False, max_length=40, help_text="`next` of the page before; left out for the first page."
    )
    limit = serializers.IntegerField(
        required=False, default=PAGE_SIZE, min_value=1, max_value=LARGEST_PAGE, help_text="Rows on a page."
    )

    def validate_cursor(self, value: str) -> int:
        try:
            decoded = base64.b32decode(value.upper()).decode("ascii")
        except (binascii.Error, ValueError):
            raise serializers.ValidationError("This is not `next` of a page.") from None
        if not decoded.isdecimal() or len(decoded) > 18:
            raise serializers.ValidationError("This is not `next` of a page.")
        return int(decoded)


class ApiView(APIView):
    """A view of the API. `query` is what the operation's parameters are, checked; a parameter of no use is refused."""

    query: dict[str, Any]
    http_method_names = ["get", "post", "delete", "head"]
    throttle_classes = (TokenThrottle,)
    content_negotiation_class = JsonOnly

    def perform_authentication(self, request: Request) -> None:
        try:
            super().perform_authentication(request)
        except (AuthenticationFailed, NotAuthenticated) as failure:
            throttle = FailureThrottle()
            if not throttle.allow_request(request, self):
                raise Throttled(throttle.wait()) from failure
            raise

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        handler = getattr(self, (request.method or "").lower(), None)
        given = request.query_params
        repeated = [name for name in given if len(given.getlist(name)) > 1]
        checked = getattr(handler, "query", NoParameters)(data=given.dict())
        if not checked.is_valid():
            errors = checked.errors
            raise serializers.ValidationError(
                {"query" if name == "non_field_errors" else name: errors[name] for name in errors}
            )
        if repeated:
            raise serializers.ValidationError({"query": ["A parameter was given twice."]})
        self.query = checked.validated_data


def operation(
    name: str,
    *,
    answers: Mapping[int, Any],
    problems: Sequence[int] = (),
    body: Any = None,
    query: type[StrictSerializer] = NoParameters,
    media_type: str = "application/json",
) -> Callable[[_Handler], _Handler]:
    """Describes a handler for the schema, and allows it its parameters (`query`).

    `problems` are those that not every operation has. The docstring becomes the description.
    """
    statuses = {400, 401, 403, 404, 429, *problems, *({413, 415} if body is not None else ())}
    responses: dict[Any, Any] = {
        (status, media_type): OpenApiResponse(answer, description=HTTPStatus(status).phrase)
        for status, answer in answers.items()
    }
    for status in sorted(statuses):
        responses[(status, CONTENT_TYPE)] = OpenApiResponse(ProblemSerializer, description=KINDS[status][1])

    def describe(handler: _Handler) -> _Handler:
        summary = (handler.__doc__ or "").partition("\n")[0].rstrip(".")
        described = extend_schema(
            operation_id=name,
            summary=summary,
            tags=[name.partition("_")[0]],
            request=body,
            responses=responses,
            parameters=[query] if query is not NoParameters else [],
        )(handler)
        described.query = query  # type: ignore[attr-defined]
        return described

    return describe


def checked_body(
    serializer: type[serializers.Serializer], request: Request, *, context: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """What the body says, checked. Raises ValidationError."""
    found = serializer(data=request.data, context=dict(context))
    found.is_valid(raise_exception=True)
    return found.validated_data


@cache
def page_serializer(row: type[serializers.Serializer]) -> serializers.Serializer:
    """The shape of a page of these rows, for the schema."""
    name = row.__name__.removesuffix("Serializer")
    return inline_serializer(
        f"{name}Page",
        {
            "next": serializers.CharField(allow_null=True, help_text="`cursor` of the next page; null on the last."),
            "results": row(many=True),
        },
    )


def cursor_of(place: int) -> str:
    """What `PageQuery` reads as that place."""
    return base64.b32encode(f"{place:010}".encode()).decode().lower()


def page_of(
    rows: QuerySet[Any],
    *,
    query: Mapping[str, Any],
    serializer: type[serializers.Serializer],
    newest_first: bool = True,
    context: Callable[[list[Any]], Mapping[str, Any]] = lambda found: {},
) -> Response:
    """One page of `rows` in the order in which they were made. One query, whichever page it is.

    `context` may look up in one go what the serializer needs of all rows.
    """
    after, limit = query.get("cursor"), query["limit"]
    if after is not None:
        rows = rows.filter(pk__lt=after) if newest_first else rows.filter(pk__gt=after)
    found: list[Model] = list(rows.order_by("-pk" if newest_first else "pk")[: limit + 1])
    shown = found[:limit]
    following = None
    if len(found) > limit:
        following = cursor_of(shown[-1].pk)
    return Response({"next": following, "results": serializer(shown, many=True, context=context(shown)).data})


@extend_schema_field(
    {
        "type": "array",
        "items": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"type": "integer", "minimum": 0}},
    }
)
class FragmentsField(serializers.Field):
    """A span as `[[start, end], …]`: half-open, in Unicode code points of the note's text. Read, it is a Span."""

    def to_representation(self, value: Span | str) -> list[list[int]]:
        span = value if isinstance(value, Span) or not value else Span.parse(value)
        return [list(pair) for pair in span.fragments] if span else []

    def to_internal_value(self, data: Any) -> Span:
        if not isinstance(data, list) or not all(isinstance(pair, list) for pair in data):
            raise serializers.ValidationError("A list of [start, end] is wanted.")
        try:
            span = Span.from_pairs(data)
        except SpanError as error:
            raise serializers.ValidationError(str(error)) from error
        if span.end >= 2**31 or len(str(span)) > MAX_FRAGMENTS_CHARS:
            raise serializers.ValidationError("These are too many fragments, or they lie beyond any note.")
        return span


class SpanSerializer(serializers.Serializer):
    """Where a label lies in its note. `start` and `end` are the hull of `fragments`."""

    start = serializers.IntegerField(allow_null=True, help_text="First code point (Unicode), counted from 0.")
    end = serializers.IntegerField(allow_null=True, help_text="One past the last code point: half-open.")
    fragments = FragmentsField(help_text="[[start, end], …], usually one; code points, half-open.")
    surface = serializers.CharField(help_text="The text of the fragments, joined by a space.")
    label = serializers.CharField()  # type: ignore[assignment]
    attributes = serializers.DictField(child=serializers.CharField())
