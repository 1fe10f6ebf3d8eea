"""What may be labelled: labels, attributes and their definitions, as one immutable value."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

# The twelve inks of the design language, in its order. A label names one; the stylesheet draws it.
PALETTE = (
    "rust",
    "violet",
    "navy",
    "teal",
    "green",
    "ochre",
    "stone",
    "plum",
    "cocoa",
    "brick",
    "steel",
    "indigo",
)
LABEL_KEYS = "1234567890-="
GLYPHS = ("negated", "possible", "conditional", "hypothetical", "family", "past")
# Keys of the review page, which an attribute value may not take.
RESERVED_KEYS = frozenset("axujklcgeidq?[]{} ") | frozenset(LABEL_KEYS)
# Keys of a model's answer, which an attribute may not be named by.
RESERVED_ATTRIBUTES = frozenset({"text", "label", "start", "kind"})
_VALUE_KEY = re.compile(r"[a-z]")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_ -]{0,39}")


class SchemaError(ValueError):
    """A schema that cannot be used; the message says which part and what is wanted."""


@dataclass(frozen=True, slots=True)
class Label:
    """One kind of span."""

    name: str
    code: str
    colour: str
    hotkey: str
    definition: str
    positive_examples: tuple[str, ...] = ()
    negative_examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AttributeValue:
    """One value of an attribute; `hotkey` and `glyph` are empty for the default, which is not drawn."""

    name: str
    hotkey: str = ""
    glyph: str = ""


@dataclass(frozen=True, slots=True)
class Attribute:
    """A property of a span with one value out of a few; `labels` are the ones it applies to."""

    name: str
    values: tuple[AttributeValue, ...]
    default: str
    labels: tuple[str, ...]

    def value(self, name: str) -> AttributeValue:
        return next(value for value in self.values if value.name == name)


@dataclass(frozen=True, slots=True)
class Schema:
    """Labels and attributes of a project, checked. Two schemas are equal where their digests are."""

    labels: tuple[Label, ...]
    attributes: tuple[Attribute, ...] = field(default=())

    def label(self, name: str) -> Label:
        """The label of that name; SchemaError where the schema has none."""
        for label in self.labels:
            if label.name == name:
                return label
        raise SchemaError(f"label {name!r} is not in the schema ({', '.join(self.label_names)})")

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)

    def attributes_of(self, label: str) -> tuple[Attribute, ...]:
        return tuple(attribute for attribute in self.attributes if label in attribute.labels)

    def checked_attributes(self, *, label: str, given: Mapping[str, str]) -> dict[str, str]:
        """`given` completed with defaults, for a span of `label`.

        Raises SchemaError for an attribute or a value that the label does not have.
        """
        allowed = {attribute.name: attribute for attribute in self.attributes_of(label)}
        for name, value in given.items():
            if name not in allowed:
                raise SchemaError(f"label {label!r} has no attribute {name!r}")
            if value not in {v.name for v in allowed[name].values}:
                raise SchemaError(f"attribute {name!r} has no value {value!r}")
        return {name: given.get(name, attribute.default) for name, attribute in allowed.items()}

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON: names the schema in prompts, labelers and manifests."""
        canonical = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


def schema_from_json(data: Any) -> Schema:
    """The checked schema from parsed JSON (`docs/schema.md` shows the form).

    A label may leave out `code`, `colour` and `hotkey`; they are filled in order. Raises SchemaError.
    """
    if not isinstance(data, Mapping):
        raise SchemaError("a schema is an object with 'labels' and, if wanted, 'attributes'")
    raw_labels = data.get("labels")
    if not isinstance(raw_labels, Sequence) or isinstance(raw_labels, str) or not raw_labels:
        raise SchemaError("'labels' must be a list of at least one label")
    if len(raw_labels) > len(PALETTE):
        raise SchemaError(f"{len(raw_labels)} labels given; at most {len(PALETTE)} can be told apart")
    labels = tuple(_label(raw, where) for raw, where in _filled(raw_labels))
    for part in ("name", "code", "hotkey", "colour"):
        _refuse_repeats(f"label {part}", [getattr(label, part) for label in labels])
    names = tuple(label.name for label in labels)
    attributes = tuple(_attribute(raw, names) for raw in data.get("attributes") or ())
    _refuse_repeats("attribute name", [attribute.name for attribute in attributes])
    _refuse_repeats("attribute key", [v.hotkey for a in attributes for v in a.values if v.hotkey])
    return Schema(labels=labels, attributes=attributes)


def _filled(raw_labels: Sequence[Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Each label with its code, colour and key filled from what no label asks for, and what to call it in errors."""
    given = [raw for raw in raw_labels if isinstance(raw, Mapping)]
    taken = {part: {raw.get(part) for raw in given} for part in ("code", "colour", "hotkey")}
    for number, raw in enumerate(raw_labels, 1):
        where = f"label {number}"
        label = {"name": _text(raw, "name", where), **raw}
        codes = (f"{label['name'][:4].upper()}{ending}" for ending in ("", *range(2, len(PALETTE) + 2)))
        for part, choices in (("code", codes), ("colour", PALETTE), ("hotkey", LABEL_KEYS)):
            if part not in label:
                label[part] = next(choice for choice in choices if choice not in taken[part])
                taken[part].add(label[part])
        yield label, where


def _label(raw: Mapping[str, Any], where: str) -> Label:
    name = _text(raw, "name", where)
    if not _NAME.fullmatch(name):
        raise SchemaError(f"{where}: 'name' must be 1 to 40 letters, digits, spaces, '_' or '-'")
    colour = _text(raw, "colour", where)
    if colour not in PALETTE:
        raise SchemaError(f"{where}: 'colour' must be one of {', '.join(PALETTE)}")
    hotkey = _text(raw, "hotkey", where)
    if len(hotkey) != 1 or hotkey not in LABEL_KEYS:
        raise SchemaError(f"{where}: 'hotkey' must be one of {' '.join(LABEL_KEYS)}")
    return Label(
        name=name,
        code=_text(raw, "code", where),
        colour=colour,
        hotkey=hotkey,
        definition=_text(raw, "definition", where),
        positive_examples=_texts(raw, "positive_examples", where),
        negative_examples=_texts(raw, "negative_examples", where),
    )


def _attribute(raw: Any, label_names: tuple[str, ...]) -> Attribute:
    name = _text(raw, "name", "attribute")
    where = f"attribute {name!r}"
    if not _NAME.fullmatch(name):
        raise SchemaError(f"{where}: 'name' must be 1 to 40 letters, digits, spaces, '_' or '-'")
    if name in RESERVED_ATTRIBUTES:
        raise SchemaError(f"{where}: a model's answer uses this name itself; take another")
    raw_values = raw.get("values")
    if not isinstance(raw_values, Sequence) or isinstance(raw_values, str) or len(raw_values) < 2:
        raise SchemaError(f"{where}: 'values' must be a list of at least two")
    values = tuple(_attribute_value(value, where) for value in raw_values)
    value_names = [value.name for value in values]
    _refuse_repeats(f"value of {where}", value_names)
    default = _text(raw, "default", where, value_names[0])
    if default not in value_names:
        raise SchemaError(f"{where}: default {default!r} is not among its values")
    applies_to = _texts(raw, "labels", where) or label_names
    unknown = [label for label in applies_to if label not in label_names]
    if unknown:
        raise SchemaError(f"{where}: 'labels' names {', '.join(unknown)}, which the schema does not have")
    return Attribute(name=name, values=values, default=default, labels=applies_to)


def _attribute_value(raw: Any, where: str) -> AttributeValue:
    if isinstance(raw, str):
        raw = {"name": raw}
    value = AttributeValue(
        name=_text(raw, "name", where), hotkey=_text(raw, "hotkey", where, ""), glyph=_text(raw, "glyph", where, "")
    )
    if not _NAME.fullmatch(value.name):
        raise SchemaError(f"{where}: a value must be 1 to 40 letters, digits, spaces, '_' or '-'")
    if value.hotkey and not _VALUE_KEY.fullmatch(value.hotkey):
        raise SchemaError(f"{where}: key {value.hotkey!r} must be one small letter")
    if value.hotkey in RESERVED_KEYS:
        raise SchemaError(f"{where}: key {value.hotkey!r} is taken by the review page")
    if value.glyph and value.glyph not in GLYPHS:
        raise SchemaError(f"{where}: 'glyph' must be one of {', '.join(GLYPHS)}")
    return value


def _text(raw: Any, key: str, where: str, default: str | None = None) -> str:
    if not isinstance(raw, Mapping):
        raise SchemaError(f"{where}: an object is wanted, {type(raw).__name__} was given")
    value = raw.get(key, default)
    if not isinstance(value, str) or (default is None and not value.strip()):
        raise SchemaError(f"{where}: {key!r} must be a text")
    return value


def _texts(raw: Any, key: str, where: str) -> tuple[str, ...]:
    values = raw.get(key) or ()
    if isinstance(values, str) or not isinstance(values, Sequence) or not all(isinstance(v, str) for v in values):
        raise SchemaError(f"{where}: {key!r} must be a list of texts")
    return tuple(values)


def _refuse_repeats(what: str, values: Sequence[str]) -> None:
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise SchemaError(f"{what} given twice: {', '.join(repeated)}")
