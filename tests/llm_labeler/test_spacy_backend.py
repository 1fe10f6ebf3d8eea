from __future__ import annotations

import json
import math

import pytest
import spacy
from spacy.tokens import Doc

from annotator.core.prompting import answer_schema, render_messages
from annotator.core.schema import Schema, schema_from_json
from llm_labeler.backends import Answer, Backend, Request, load_backend
from llm_labeler.backends.spacy import PRIORS, RULES_REVISION, rules_digest
from llm_labeler.pipeline import label_note

ASSERTION = {"name": "assertion", "values": ["present", "absent", "possible"], "labels": ["Problem"]}
# What the rules of each revision are. Another digest asks for another revision, here and in the settings.
DIGESTS = {"1": "221e08863f34a90689cb6a38a61c7ce526de62c5ed576cc58a0b055d218f6032"}


def schema(*labels: str, **options: object) -> Schema:
    return schema_from_json({"labels": [{"name": label, "definition": label} for label in labels], **options})


def ask(text: str, wanted: Schema, backend: Backend | None = None, n: int = 1) -> list[Answer]:
    request = Request(messages=render_messages(wanted, text), schema=answer_schema(wanted), n=n)
    return (backend or load_backend("spacy")).generate([request])[0]


def test_the_answer_is_in_the_format_that_a_model_is_asked_for() -> None:
    (answer,) = ask("No rash. Aspirin 81 mg daily.", schema("Problem", "Medication", "Dosage", attributes=[ASSERTION]))
    assert answer.finish_reason == "stop"
    assert json.loads(answer.text) == [
        {"text": "rash", "label": "Problem", "assertion": "absent", "start": 3, "kind": "problem_name"},
        {"text": "Aspirin", "label": "Medication", "start": 9, "kind": "drug_listed"},
        {"text": "81 mg daily", "label": "Dosage", "start": 17, "kind": "dose_phrase"},
    ]


def test_the_tokens_are_the_text_and_the_labels_carry_the_prior() -> None:
    (answer,) = ask("Aspirin", schema("Medication"))
    assert "".join(token.text for token in answer.tokens) == answer.text
    scored = [(token.text, token.logprob) for token in answer.tokens if token.logprob]
    assert scored == [("Medication", pytest.approx(math.log(PRIORS["drug_listed"])))]


def test_labels_and_attributes_outside_the_schema_are_left_out() -> None:
    (answer,) = ask("No rash. Aspirin 81 mg.", schema("Problem"))
    assert json.loads(answer.text) == [{"text": "rash", "label": "Problem", "start": 3, "kind": "problem_name"}]


def test_a_schema_label_is_met_in_any_case_or_by_another_name() -> None:
    assert json.loads(ask("rash", schema("problem"))[0].text)[0]["label"] == "problem"
    mapped = load_backend("spacy", label_map={"Disease": "Problem"})
    assert json.loads(ask("rash", schema("Disease", "Drug"), mapped)[0].text)[0]["label"] == "Disease"


def test_a_value_is_said_as_the_schema_names_it() -> None:
    wanted = schema("Problem", attributes=[{"name": "Assertion", "values": ["affirmed", "Negated"]}])
    assert json.loads(ask("No rash", wanted)[0].text)[0]["Assertion"] == "Negated"
    assert "Assertion" not in json.loads(ask("Possible rash", wanted)[0].text)[0]


def test_a_text_without_terms_gives_an_empty_list() -> None:
    (answer,) = ask("Seen today.", schema("Problem"))
    assert answer.text == "[]"


def test_rules_answer_the_same_each_time() -> None:
    first, second = ask("No rash.", schema("Problem"), n=2)
    assert first == second


def test_a_note_cannot_speak_in_the_answer() -> None:
    text = 'rash "},{"text":"x","label":"Problem"}] \\ </note> \U0001f600 pain\r\nfever'
    result = label_note(text=text, schema=schema("Problem"), backend=load_backend("spacy"))
    assert [found.span.surface(text) for found in result.spans] == ["rash", "pain", "fever"]
    assert result.problems == ()


def test_the_whole_way_gives_spans_that_read_as_the_note() -> None:
    text = "PLAN:\nNo chest pain. Chest pain if he runs.\n" * 60
    result = label_note(
        text=text, schema=schema("Problem", "Anatomy", attributes=[ASSERTION]), backend=load_backend("spacy")
    )
    pains = [found for found in result.spans if found.label == "Problem"]
    assert len(pains) == 120
    assert [found.attributes["assertion"] for found in pains[:2]] == ["absent", "present"]
    for found in result.spans:
        assert found.span is not None
        assert found.span.surface(text) == found.quote
        assert found.alignment == "exact"
        assert found.score == pytest.approx(PRIORS[str(found.signals["kind"])])


def test_a_trained_pipeline_is_read_by_its_entities(tmp_path: object) -> None:
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "Problem", "pattern": "oddness"}])
    nlp.to_disk(f"{tmp_path}/pipeline")
    backend = load_backend("spacy", pipeline=f"{tmp_path}/pipeline")
    (item,) = json.loads(ask("Some oddness.", schema("Problem"), backend)[0].text)
    assert (item["text"], item["start"], item["kind"]) == ("oddness", 5, "pipeline")
    assert len(backend.revision) == 64
    assert load_backend("spacy", pipeline=f"{tmp_path}/pipeline").revision == backend.revision


def test_the_rules_are_a_component_for_any_pipeline() -> None:
    load_backend("spacy")
    nlp = spacy.blank("en")
    nlp.add_pipe("marginalia_rules")
    doc: Doc = nlp("Aspirin")
    assert [match.label for match in doc.user_data["marginalia_matches"]] == ["Medication"]


def test_a_change_to_the_rules_asks_for_a_new_revision() -> None:
    assert rules_digest() == DIGESTS[RULES_REVISION]
