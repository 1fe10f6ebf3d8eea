from __future__ import annotations

import json
from typing import Any

import pytest

from annotator.core.schema import PALETTE, SchemaError, schema_from_json


def clinical(**changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = {
        "labels": [{"name": "Problem", "definition": "A finding."}, {"name": "Test", "definition": "A measurement."}],
        "attributes": [{"name": "assertion", "values": ["present", "absent"], "labels": ["Problem"]}],
    }
    return data | changes


def test_what_is_left_out_is_filled_in_order() -> None:
    first, second = schema_from_json(clinical()).labels
    assert (first.code, first.colour, first.hotkey) == ("PROB", PALETTE[0], "1")
    assert (second.code, second.colour, second.hotkey) == ("TEST", PALETTE[1], "2")


def test_a_schema_reads_back_from_its_json() -> None:
    schema = schema_from_json(clinical())
    again = schema_from_json(json.loads(json.dumps(schema.to_json())))
    assert again == schema
    assert again.digest == schema.digest


def test_another_definition_is_another_digest() -> None:
    changed = clinical()
    changed["labels"][0]["definition"] = "Another."
    assert schema_from_json(changed).digest != schema_from_json(clinical()).digest


def test_given_attributes_are_completed_with_defaults() -> None:
    schema = schema_from_json(clinical())
    assert schema.checked_attributes(label="Problem", given={}) == {"assertion": "present"}
    assert schema.checked_attributes(label="Problem", given={"assertion": "absent"}) == {"assertion": "absent"}
    assert schema.checked_attributes(label="Test", given={}) == {}


@pytest.mark.parametrize(
    ("label", "given"),
    [("Test", {"assertion": "absent"}), ("Problem", {"assertion": "no"}), ("Problem", {"side": "left"})],
)
def test_an_attribute_the_label_does_not_have_is_refused(label: str, given: dict[str, str]) -> None:
    with pytest.raises(SchemaError):
        schema_from_json(clinical()).checked_attributes(label=label, given=given)


def test_an_unknown_label_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SchemaError, match="Problem, Test"):
        schema_from_json(clinical()).label("Finding")


LABEL = {"name": "A", "definition": "a"}


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ([], "object"),
        ({}, "labels"),
        ({"labels": []}, "at least one"),
        ({"labels": "A"}, "list"),
        ({"labels": [LABEL] * 2}, "twice"),
        ({"labels": [LABEL | {"name": f"A{n}"} for n in range(13)]}, "at most 12"),
        ({"labels": [LABEL | {"name": "1st"}]}, "letters"),
        ({"labels": [{"name": "A"}]}, "definition"),
        ({"labels": [LABEL | {"colour": "pink"}]}, "colour"),
        ({"labels": [LABEL | {"hotkey": "a"}]}, "hotkey"),
        ({"labels": [LABEL | {"positive_examples": "x"}]}, "list of texts"),
        ({"labels": [LABEL], "attributes": [{"name": "b", "values": ["c"]}]}, "at least two"),
        ({"labels": [LABEL], "attributes": [{"name": "b", "values": ["c", "c"]}]}, "twice"),
        ({"labels": [LABEL], "attributes": [{"name": "b", "values": ["c", "d"], "default": "e"}]}, "default"),
        ({"labels": [LABEL], "attributes": [{"name": "b", "values": ["c", "d"], "labels": ["B"]}]}, "does not have"),
        ({"labels": [LABEL], "attributes": [{"name": "b", "values": ["c", {"name": "d", "hotkey": "x"}]}]}, "taken"),
        ({"labels": [LABEL], "attributes": [{"name": "b", "values": ["c", {"name": "d", "glyph": "star"}]}]}, "glyph"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_by_its_part(data: Any, named: str) -> None:
    with pytest.raises(SchemaError, match=named):
        schema_from_json(data)
