from __future__ import annotations

import json
import math
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from annotator.core.identifiers import ATTRIBUTE, LABEL, with_identifiers
from annotator.core.prompting import answer_schema, render_messages
from annotator.core.schema import Schema, schema_from_json
from annotator.labelers import IDENTIFIER_OVERLAP, IDENTIFIER_WINDOW, labelers
from llm_labeler.backends import Answer, BackendError, Request, load_backend
from llm_labeler.backends.presidio import RULES_ID, RULES_REVISION, rules_digest
from llm_labeler.pipeline import Decoding, label_note

FINDINGS = schema_from_json({"labels": [{"name": "Problem", "definition": "p"}]})
BOTH = with_identifiers(FINDINGS)
ONLY = BOTH.only([LABEL])
TEXT = "Mrs Jane Hollis, seen 12 March 2024 at St Mary's Hospital.\n"
# What the recognisers of each revision are. Another digest asks for another revision, here and in the settings.
DIGESTS = {"1": "ffb516f856f43b481d39d4b2a1cb41b6b23c0048fe8ac369a6808e7030073c65"}


def ask(text: str, wanted: Schema) -> Answer:
    request = Request(messages=render_messages(wanted, text), schema=answer_schema(wanted))
    return load_backend("presidio").generate([request])[0][0]


def test_the_answer_is_in_the_format_that_a_model_is_asked_for() -> None:
    answer = ask(TEXT, ONLY)
    assert json.loads(answer.text) == [
        {"text": "Jane Hollis", "label": LABEL, "start": 4, "kind": "name_after_title"},
        {"text": "12 March 2024", "label": LABEL, ATTRIBUTE: "date", "start": 22, "kind": "date_words"},
        {"text": "St Mary's Hospital", "label": LABEL, ATTRIBUTE: "location", "start": 39, "kind": "institution"},
    ]
    assert "".join(token.text for token in answer.tokens) == answer.text
    scored = [math.exp(token.logprob) for token in answer.tokens if token.logprob]
    assert scored == [pytest.approx(0.9), pytest.approx(0.85), pytest.approx(0.75)]


def test_who_does_not_ask_for_identifiers_gets_none() -> None:
    assert ask(TEXT, FINDINGS).text == "[]"


def test_the_whole_way_gives_spans_that_read_as_the_note() -> None:
    text = "🫀 Mrs Zoë Núñez; Nunez? Núñez was well.\n" + "No change since. " * 90 + "Núñez rang on 12/03/2024.\n"
    decoding = Decoding(window=IDENTIFIER_WINDOW, overlap=IDENTIFIER_OVERLAP)
    result = label_note(text=text, schema=BOTH, backend=load_backend("presidio"), decoding=decoding)
    assert [(one.span.surface(text), one.attributes[ATTRIBUTE], one.alignment) for one in result.spans if one.span] == [
        ("Zoë Núñez", "name", "exact"),
        ("Núñez", "name", "exact"),
        ("Núñez", "name", "exact"),
        ("12/03/2024", "date", "exact"),
    ]
    assert result.problems == ()
    assert {one.label for one in result.spans} == {LABEL}


def test_a_long_note_full_of_identifiers_loses_none() -> None:
    text = "1/1/20 " * 6000
    decoding = Decoding(window=IDENTIFIER_WINDOW, overlap=IDENTIFIER_OVERLAP)
    result = label_note(text=text, schema=ONLY, backend=load_backend("presidio"), decoding=decoding)
    assert (len(result.spans), result.problems) == (6000, ())


def test_a_note_cannot_speak_in_the_answer() -> None:
    text = 'Dr Hollis "},{"text":"x","label":"Identifier"}] \\ </note> \U0001f600 12 March 2024'
    result = label_note(text=text, schema=ONLY, backend=load_backend("presidio"))
    assert [one.span.surface(text) for one in result.spans if one.span] == ["Hollis", "12 March 2024"]


def test_no_option_is_passed_over() -> None:
    with pytest.raises(BackendError, match="no option colour"):
        load_backend("presidio", colour="red")


def test_the_installation_records_what_the_backend_is(tmp_path: Path) -> None:
    entry = labelers("spacy", data=tmp_path, sockets=tmp_path)["presidio"]
    assert (entry["model_id"], entry["revision"]) == (RULES_ID, RULES_REVISION)


def test_a_change_to_the_recognisers_asks_for_a_new_revision() -> None:
    assert rules_digest() == DIGESTS[RULES_REVISION]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return refuse


def test_nothing_is_fetched(no_network: object) -> None:
    text = "a@b.example.org www.example.co.uk 0117 496 0123 10.1.2.3 219-09-9999 4111 1111 1111 1111"
    assert len(load_backend("presidio").find(text)) == 6  # type: ignore[attr-defined]
