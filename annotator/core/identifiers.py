"""What names a patient in a note: the label that identifiers have, their kinds, and a schema with or without it."""

from __future__ import annotations

from annotator.core.schema import Schema, schema_from_json

LABEL = "Identifier"
ATTRIBUTE = "Identifier kind"
# The backend of the labeler that looks for them, and for nothing else.
FINDER = "presidio"
# value of the attribute -> what it is. The kinds of the Safe Harbor rule (45 CFR 164.514 (b)(2)) that stand in text.
KINDS = {
    "name": "a person: patient, relative or staff",
    "date": "a day, month with day, or birthday; not a year alone",
    "age": "an age over 89",
    "location": "a place smaller than a state: address, town, hospital, ward",
    "contact": "telephone, fax, e-mail, web address",
    "number": "a record, account, licence or device number",
    "other": "anything else that names one person",
}


def has_identifiers(schema: Schema) -> bool:
    """Whether its spans can be identifiers."""
    return LABEL in schema.label_names


def with_identifiers(schema: Schema) -> Schema:
    """The schema with the label for identifiers too. Raises SchemaError where it has no room for one more."""
    if has_identifiers(schema):
        return schema
    data = schema.to_json()
    kinds = "; ".join(f"{kind}: {meaning}" for kind, meaning in KINDS.items())
    data["labels"] = [*data["labels"], {"name": LABEL, "definition": f"What names one person. {kinds}."}]
    data["attributes"] = [*data["attributes"], {"name": ATTRIBUTE, "values": list(KINDS), "labels": [LABEL]}]
    return schema_from_json(data)


def without_identifiers(schema: Schema) -> Schema:
    """What a labeler of clinical findings is asked for. The schema itself where it has no label for identifiers."""
    if not has_identifiers(schema):
        return schema
    return schema.only([name for name in schema.label_names if name != LABEL])


def asked_of(schema: Schema, *, backend: str) -> Schema:
    """What of the schema a labeler of that backend is asked for: identifiers alone, or all but these.

    Without labels where the schema has none that it could be asked for.
    """
    return schema.only([LABEL]) if backend == FINDER else without_identifiers(schema)
