"""A note cannot give orders, even where the model obeys: what comes out is spans of the note, labels of the schema, and
suggestions that a person decides.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest

from annotator.annotations.models import Annotation, AnnotationSet
from annotator.audit.models import AuditEvent
from annotator.core.prompting import COMPACT, FULL, MAX_ITEMS, note_of, render_messages
from annotator.core.schema import Schema
from annotator.core.text import normal_text
from annotator.demo.services import demo_schema
from annotator.projects.models import Project
from annotator.projects.services import create_project
from annotator.review.models import Decision, ReviewItem
from annotator.routing.services import route_job
from annotator.suggestions.models import LabelJob, Suggestion
from llm_labeler import tasks
from llm_labeler.chat import safe_messages
from llm_labeler.pipeline import LabelResult, label_note
from tests.cast import NOW, Bells, make_document
from tests.injection.attempts import HABITS, Attempt, Obedient, attempts
from tests.suggestions.scene import make_run

CORPUS = attempts()
SCHEMA = demo_schema()
each_attempt = pytest.mark.parametrize("attempt", CORPUS, ids=[one.id for one in CORPUS])


def check(result: LabelResult, text: str, schema: Schema) -> None:
    """What holds whatever a model answers."""
    for found in result.spans:
        schema.label(found.label)
        schema.checked_attributes(label=found.label, given=found.attributes)
        if found.span is not None:
            assert all(0 <= start < end <= len(text) for start, end in found.span.fragments)
        if found.alignment == "exact":
            assert found.span.surface(text) == found.quote
    assert len(result.spans) <= MAX_ITEMS * result.n_chunks


def test_the_corpus_is_large_varied_and_well_placed() -> None:
    kinds = Counter(one.kind for one in CORPUS)
    assert len(CORPUS) >= 60 and len(kinds) >= 12 and min(kinds.values()) >= 3
    assert len({one.id for one in CORPUS}) == len({one.attempt for one in CORPUS}) == len(CORPUS)
    for one in CORPUS:
        assert 0 < one.offset <= len(one.note)
        assert normal_text(one.text).text == one.text, "it can be imported as it is"


@each_attempt
def test_an_attempt_that_is_obeyed_gives_nothing_but_spans(attempt: Attempt) -> None:
    for has_scores in (False, True):
        model = Obedient(CORPUS, has_scores=has_scores and len(attempt.wants) * attempt.times < 10_000)
        check(label_note(text=attempt.text, schema=SCHEMA, backend=model), attempt.text, SCHEMA)


@pytest.mark.parametrize("attempt", [one for one in CORPUS if one.kind == "absent"], ids=lambda one: one.id)
def test_a_quote_that_is_not_in_the_note_gets_no_place(attempt: Attempt) -> None:
    (wanted,) = json.loads(attempt.wants)
    result = label_note(text=attempt.text, schema=SCHEMA, backend=Obedient(CORPUS))
    assert [(found.quote, found.span) for found in result.spans] == [(wanted["text"], None)]


@pytest.mark.parametrize("habit", HABITS)
def test_no_habit_of_a_model_gives_anything_else(habit: str) -> None:
    for attempt in CORPUS[::20]:
        result = label_note(text=attempt.text, schema=SCHEMA, backend=Obedient(CORPUS, habit))
        check(result, attempt.text, SCHEMA)
        if habit == "invented quotes":
            assert all(found.span is None for found in result.spans)
        if habit in ("invented labels", "nothing that fits"):
            assert not result.spans and result.problems


@each_attempt
@pytest.mark.parametrize("template", [FULL, COMPACT])
def test_the_note_stays_inside_its_tags_and_its_turn(attempt: Attempt, template: str) -> None:
    messages = render_messages(SCHEMA, attempt.text, template=template)
    assert note_of(messages) == attempt.text
    (message,) = safe_messages(messages)
    assert not any(token in message["content"] for token in ("<start_of_turn>", "<end_of_turn>", "<bos>", "<|im_"))


@pytest.mark.parametrize("problem", ["<b>", "Mr. Ostrander", "mother had", "Person"])
def test_what_is_said_of_a_bad_answer_quotes_neither_note_nor_answer(problem: str) -> None:
    for attempt in CORPUS:
        result = label_note(text=attempt.text, schema=SCHEMA, backend=Obedient(CORPUS))
        assert not any(problem in said for said in result.problems)


@pytest.mark.django_db(transaction=True)
def test_whatever_is_obeyed_is_only_suggested(bells: Bells, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way of every attempt: claimed, labelled, stored, routed. People decide; nobody has."""
    project: Project = create_project(name="Hostile notes", schema=SCHEMA, lead=None, now=NOW)
    for one in CORPUS:
        make_document(project, text=one.text, external_id=one.id)
    monkeypatch.setattr(tasks, "_backend", lambda name: Obedient(CORPUS))
    run = make_run(project)
    while LabelJob.objects.filter(status=LabelJob.Status.QUEUED).exists():
        tasks.label_run.apply(args=[run.pk], throw=True)
    assert set(LabelJob.objects.values_list("status", flat=True)) == {LabelJob.Status.DONE}
    for job_id in LabelJob.objects.values_list("pk", flat=True):
        route_job(label_job_id=job_id, now=NOW)
    texts = {one.id: one.text for one in CORPUS}
    assert Suggestion.objects.exclude(fragments="").exists()
    for found in Suggestion.objects.select_related("document"):
        SCHEMA.checked_attributes(label=found.label, given=found.attributes)
        if found.fragments:
            assert found.span.surface(texts[found.document.external_id]) == found.surface
    assert set(ReviewItem.objects.values_list("status", flat=True)) == {ReviewItem.Status.OPEN}
    assert not Decision.objects.exists() and not AnnotationSet.objects.exists() and not Annotation.objects.exists()
    verbs = set(AuditEvent.objects.values_list("verb", flat=True))
    assert verbs == {"project.create", "schema.add", "run.start"}
