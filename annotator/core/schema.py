"""What may be labelled: labels, attributes and their definitions, as one immutable value."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

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
NO_DEFINITION = "Came in with notes from another tool; nobody has defined it here yet."
_VALUE_KEY = re.compile(r"[a-z]")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_ -]{0,39}")
_Named = TypeVar("_Named", "Label", "RelationType", "DocumentLabel")


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
class RelationType:
    """One kind of tie from a span, the head, to another, the tail; both by the labels that they may have."""

    name: str
    definition: str
    heads: tuple[str, ...]
    tails: tuple[str, ...]

    def joins(self, head: str, tail: str) -> bool:
        """Whether it may go from a span of the one label to a span of the other."""
        return head in self.heads and tail in self.tails


@dataclass(frozen=True, slots=True)
class DocumentLabel:
    """What is asked about a note as a whole, with one value out of a few, or none."""

    name: str
    definition: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """What may be said of a project's notes, checked. Two schemas are equal where their digests are."""

    labels: tuple[Label, ...]
    attributes: tuple[Attribute, ...] = field(default=())
    relations: tuple[RelationType, ...] = field(default=())
    document_labels: tuple[DocumentLabel, ...] = field(default=())

    def label(self, name: str) -> Label:
        """The label of that name; SchemaError where the schema has none."""
        return _named(self.labels, name, "label")

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)

    def attributes_of(self, label: str) -> tuple[Attribute, ...]:
        return tuple(attribute for attribute in self.attributes if label in attribute.labels)

    def relation(self, name: str) -> RelationType:
        """The relation type of that name; SchemaError where the schema has none."""
        return _named(self.relations, name, "relation")

    def document_label(self, name: str) -> DocumentLabel:
        """The document label of that name; SchemaError where the schema has none."""
        return _named(self.document_labels, name, "document label")

    def relations_between(self, head: str, tail: str) -> tuple[RelationType, ...]:
        """The types that may go from a span of the one label to a span of the other."""
        return tuple(relation for relation in self.relations if relation.joins(head, tail))

    def check_relation(self, name: str, *, head: str, tail: str) -> None:
        """Raises SchemaError where no relation of that name goes from a span of the one label to one of the other."""
        if not self.relation(name).joins(head, tail):
            raise SchemaError(f"relation {name!r} does not go from {head} to {tail}")

    def check_value(self, name: str, value: str) -> None:
        """Raises SchemaError where no document label of that name has the value."""
        if value not in self.document_label(name).values:
            raise SchemaError(f"document label {name!r} has no value {value!r}")

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

    def only(self, labels: Collection[str]) -> Schema:
        """What of it can be said with these labels alone: all else, and what would have no span, is gone."""

        def kept(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(name for name in names if name in labels)

        attributes = (replace(found, labels=kept(found.labels)) for found in self.attributes)
        relations = (replace(found, heads=kept(found.heads), tails=kept(found.tails)) for found in self.relations)
        return replace(
            self,
            labels=tuple(label for label in self.labels if label.name in labels),
            attributes=tuple(found for found in attributes if found.labels),
            relations=tuple(found for found in relations if found.heads and found.tails),
        )

    def to_json(self) -> dict[str, Any]:
        """As it is stored. What a schema has none of is left out, so that older ones keep their digest."""
        return {key: value for key, value in asdict(self).items() if value or key in ("labels", "attributes")}

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
    relations = tuple(_relation(raw, names) for raw in data.get("relations") or ())
    _refuse_repeats("relation name", [relation.name for relation in relations])
    document_labels = tuple(_document_label(raw) for raw in data.get("document_labels") or ())
    _refuse_repeats("document label name", [each.name for each in document_labels])
    return Schema(labels=labels, attributes=attributes, relations=relations, document_labels=document_labels)


def label_name(foreign: str) -> str:
    """The name that a label of another tool gets here; "" where it cannot have one."""
    name = re.sub(r"[^A-Za-z0-9_ -]+", " ", foreign).strip(" -_")
    return name if _NAME.fullmatch(name) else ""


def with_labels(schema: Schema, names: Sequence[str]) -> Schema:
    """The schema with these labels too; what all its labels have, they have. Raises SchemaError."""
    data = schema.to_json()
    before = list(schema.label_names)
    data["labels"] = [*data["labels"], *({"name": name, "definition": NO_DEFINITION} for name in names)]
    for part in ("attributes", "relations"):
        for each in data.get(part, ()):
            for key in ("labels", "heads", "tails"):
                if key in each and set(each[key]) == set(before):
                    each[key] = [*each[key], *names]
    return schema_from_json(data)


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
    _refuse_name(name, where)
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
    _refuse_name(name, where)
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
    applies_to = _labels(raw, "labels", where, label_names)
    return Attribute(name=name, values=values, default=default, labels=applies_to)


def _relation(raw: Any, label_names: tuple[str, ...]) -> RelationType:
    name = _text(raw, "name", "relation")
    where = f"relation {name!r}"
    _refuse_name(name, where)
    return RelationType(
        name=name,
        definition=_text(raw, "definition", where),
        heads=_labels(raw, "heads", where, label_names),
        tails=_labels(raw, "tails", where, label_names),
    )


def _document_label(raw: Any) -> DocumentLabel:
    name = _text(raw, "name", "document label")
    where = f"document label {name!r}"
    _refuse_name(name, where)
    values = _texts(raw, "values", where)
    if len(values) < 2:
        raise SchemaError(f"{where}: 'values' must be a list of at least two")
    for value in values:
        if not _NAME.fullmatch(value):
            raise SchemaError(f"{where}: a value must be 1 to 40 letters, digits, spaces, '_' or '-'")
    _refuse_repeats(f"value of {where}", values)
    return DocumentLabel(name=name, definition=_text(raw, "definition", where), values=values)


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


def _labels(raw: Any, key: str, where: str, label_names: tuple[str, ...]) -> tuple[str, ...]:
    """The labels that `raw[key]` names, all where it names none."""
    named = _texts(raw, key, where) or label_names
    unknown = [label for label in named if label not in label_names]
    if unknown:
        raise SchemaError(f"{where}: {key!r} names {', '.join(unknown)}, which the schema does not have")
    return named


def _named(among: Sequence[_Named], name: str, kind: str) -> _Named:
    for one in among:
        if one.name == name:
            return one
    names = ", ".join(one.name for one in among) or "none"
    raise SchemaError(f"{kind} {name!r} is not in the schema ({names})")


def _refuse_name(name: str, where: str) -> None:
    if not _NAME.fullmatch(name):
        raise SchemaError(f"{where}: 'name' must be 1 to 40 letters, digits, spaces, '_' or '-'")


def _refuse_repeats(what: str, values: Sequence[str]) -> None:
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise SchemaError(f"{what} given twice: {', '.join(repeated)}")
