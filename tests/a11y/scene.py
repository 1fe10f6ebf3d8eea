"""An installation with something on every page: the demo notes, a part of them read, reviewed and frozen.

Alice leads the demo project and administers the installation. Bob annotates, Adam adjudicates, Dana exports datasets
and has a second factor. Nina annotates too, and has to qualify first. Erin belongs to nothing yet, Frank's account is
disabled. Alice's second project is empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import permutations

from annotator.accounts.models import User
from annotator.accounts.services import create_user, reset_link, sign_in_link
from annotator.accounts.sessions import session_of
from annotator.accounts.tokens import make_token
from annotator.adjudication.services import take
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.annotations.services import NewAnnotation
from annotator.browse.disagreements import disagreements_of, place_of
from annotator.builds.pools import freeze_pool
from annotator.core.prompting import FULL
from annotator.core.spans import Span
from annotator.demo.services import NOTES, demo_schema, ensure_demo
from annotator.documents.models import Document
from annotator.exchange.services import import_annotations
from annotator.exchange.sources import in_order, source_at
from annotator.jobs.models import Job
from annotator.jobs.services import create_job, record_beat, run_job
from annotator.notices.models import Notice
from annotator.notices.services import mark_read
from annotator.projects.invitations import invite
from annotator.projects.models import Membership, Project
from annotator.projects.services import add_guideline, create_project, set_away, set_member
from annotator.purges.selectors import Doomed
from annotator.purges.services import purge_notes, run_purge, set_retention
from annotator.qualification.models import Trial
from annotator.qualification.services import NewQualification, ask_to_qualify
from annotator.readings.models import Adjudication, Difference, ReaderPair
from annotator.review.commenting import comment_on
from annotator.review.leases import take_next, take_note
from annotator.review.models import ReviewItem, Round, RoundJob
from annotator.review.queue import fill_slots, tell_read
from annotator.review.rounds import Chosen, hand_back
from annotator.review.selectors import Mark, note_view, source_of, target_for
from annotator.review.services import Accept, Add, FinishNote, Relate, decide
from annotator.review.streams import set_streams, streams_of
from annotator.routing.services import route_job
from annotator.suggestions.labelers import make_labeler
from annotator.suggestions.models import LabelJob, LabelRun
from annotator.suggestions.pools import wish_for
from annotator.suggestions.services import begin_job, claim_jobs
from annotator.suggestions.services import hand_back as hand_back_job
from llm_labeler.tasks import label_run
from tests.a11y.compared import comparisons
from tests.a11y.files import builds, imports, replaced_build, whole_builds
from tests.a11y.trained import trainings
from tests.accounts.codes import set_up
from tests.browse.settled import settle
from tests.cast import make_round, make_set
from tests.quality.reading_scene import make_read
from tests.training.promoted import make_comparison, make_promotion, make_trained, remove_weights
from tests.trust.scene import make_trusted

PASSWORD = "seven wet umbrellas"
GUIDELINE = """## Spans
Mark the shortest text that names the thing. Leave out articles and possessives.
Mark "type 2 diabetes", not "known type 2 diabetes".

## Doubtful cases
A symptom that belongs to a named disease is a Problem of its own.
Mark a drug class only where no drug is named."""
CHANGED = GUIDELINE.replace(" and possessives", ", possessives and severity") + "\nHeadings are never marked."
_SAID = (
    (True, "flag", ""),
    (True, "comment", "The guideline says nothing of a span like this one."),
    (False, "comment", "Two authors, it seems."),
)
# Read, and finished by Bob as the gold says. The shortest notes are read first.
N_GOLD = 8


@dataclass(frozen=True)
class Tour:
    """What the pages of the installation are opened with: `ids` by the name that an address or a page's row gives."""

    people: Mapping[str, User]
    ids: dict[str, str]
    second_factor: str  # Dana's secret


def make_tour(*, now: datetime, n_read: int) -> Tour:
    """The installation; `n_read` of the demo notes are read by the real dictionaries and rules, 8 at a time."""
    people = _people(now)
    alice, dana = people["alice"], people["dana"]
    secret, _ = set_up(dana, now=now)
    run = ensure_demo(now=now - timedelta(hours=3))
    assert run is not None
    project = run.project
    for name, role in (("bob", "annotator"), ("adam", "adjudicator"), ("dana", "data_scientist")):
        set_member(project=project, user=people[name], role=role, actor=alice, now=now)
    empty = create_project(name="Clinic letters 2027", schema=demo_schema(), lead=alice, now=now)
    ids = {
        "project_id": project.public_id,
        "empty_id": empty.public_id,
        "run_id": run.public_id,
        "name": "manifest.json",
    }
    _workers(now)
    _read(run, n_read=n_read, now=now)
    _review(project, people["bob"], now)
    _guideline(project, alice, now)
    ids |= _qualification(project, alice, people["nina"], now)
    ids |= _accounts(people, project, now) | imports(project, alice, dana, now) | builds(project, dana, now)
    ids |= _purges(project, alice, now)
    ids["whole_build"] = whole_builds(project, alice, dana, now)
    ids |= trainings(project, dana, ids["whole_build"], now)
    ids |= _notes(project, alice, people["bob"], now)
    ids |= _adjudication(project, alice, people["bob"], people["adam"], now)
    ids["round_id"] = _round(project, people, now)
    ids["unmade_id"] = _unmade_round(project, people, now)
    _notices(alice, now)
    ids |= _double_read(people, now) | comparisons(people, now) | replaced_build(people, now)
    ids |= _models(project, Project.objects.get(public_id=ids["read_id"]), alice, ids["whole_build"])
    return Tour(people=people, ids=ids, second_factor=secret)


def _round(project: Project, people: Mapping[str, User], now: datetime) -> str:
    """Bob and Adam read six notes; Bob has handed one back, and Adam is away."""
    alice, bob, adam = (people[name] for name in ("alice", "bob", "adam"))
    made = make_round(
        project,
        alice,
        bob,
        adam,
        name="Pilot",
        chosen=Chosen(n_notes=6),
        due_on=now.date() + timedelta(days=5),
        now=now,
    )
    hand_back(reading=made.items.filter(assigned_to=bob)[0], reader=bob, now=now)
    away = Membership.objects.get(project=project, user=adam)
    set_away(membership=away, until=now.date() + timedelta(days=3), actor=alice, now=now)
    return made.public_id


def _unmade_round(project: Project, people: Mapping[str, User], now: datetime) -> str:
    """A round of many notes that is being made."""
    made = Round.objects.create(
        project=project, number=2, name="All", n_readers=2, seed=7, created_by=people["alice"], created_at=now
    )
    job = create_job(kind=Job.Kind.ROUND, now=now)
    Job.objects.filter(pk=job.pk).update(
        status=Job.Status.RUNNING, phase="Giving notes to readers", n_done=118_500, n_total=200_000
    )
    RoundJob.objects.create(
        project=project, round=made, job=job, task=RoundJob.Task.MAKE, documents=list(range(100_000))
    )
    return made.public_id


def _double_read(people: Mapping[str, User], now: datetime) -> dict[str, str]:
    """A project of notes that two of three people have read, and a labeler."""
    project = create_project(name="Round 3", schema=demo_schema(), lead=people["alice"], now=now)
    readers = [people[name] for name in ("adam", "bob", "erin")]
    make_read(project, readers, n_notes=60, n_weeks=4, labeler="MedGemma")
    pair = ReaderPair.objects.filter(project=project, kind="annotators").latest("pk")
    made = Round.objects.create(
        project=project, number=1, name="Pilot", n_readers=2, seed=1, created_by=people["alice"], created_at=now
    )
    notes = project.documents.order_by("pk")[:30]
    ReviewItem.objects.bulk_create(
        ReviewItem(project=project, document=note, unit="note", slot=9, status="closed", round=made) for note in notes
    )
    cluster = max(disagreements_of(project), key=lambda each: each.n_documents)
    place = Difference.objects.select_related("document").get(pk=cluster.keys[0])
    for key in cluster.keys[1:3]:
        other = Difference.objects.select_related("document__project").get(pk=key)
        words = other.document.text[other.start : other.end]
        settle(other.document, people["adam"], words, max(cluster.labels), min(cluster.labels))
        Adjudication.objects.filter(document=other.document).update(status="done", done_at=now)
    certificate = make_trusted(project, project.labelers.get(), people["alice"], now=now)
    return {
        "certificate_id": certificate.public_id,
        "read_id": project.public_id,
        "pair_id": pair.public_id,
        "read_round_id": made.public_id,
        "place_id": place_of(place),
    }


def _models(project: Project, other: Project, alice: User, build: str) -> dict[str, str]:
    """A labeler that was trained from a dataset, and compared with the one that reads; in the other project one that
    was promoted, and has lost its weights.
    """
    number = project.training_runs.count() + 1
    candidate = make_trained(project, number=number, build=project.dataset_builds.get(public_id=build))
    current = project.label_runs.earliest("number").labeler
    make_comparison(candidate, current)
    gone = make_trained(other)
    make_promotion(gone, alice)
    remove_weights(gone)
    return {"model_id": candidate.public_id, "current_id": current.public_id, "gone_id": gone.public_id}


def _people(now: datetime) -> dict[str, User]:
    made = {
        name: create_user(username=name, actor=None, now=now, is_administrator=name == "alice")
        for name in ("alice", "bob", "adam", "dana", "nina", "erin", "frank")
    }
    for user in made.values():
        user.set_password(PASSWORD)
        user.is_active = user.username != "frank"
        user.save()
    return made


def _workers(now: datetime) -> None:
    for name, queues, seconds in (
        ("label-1", "label,route", 4),
        ("label-2", "label,route", 300),
        ("main-1", "main", 7),
    ):
        record_beat(
            name=f"{name}@ward",
            queues=queues,
            model_id="marginalia-lexicon" if "label" in queues else "",
            device="CPU",
            memory_bytes=412_000_000,
            started_at=now - timedelta(hours=5),
            now=now - timedelta(seconds=seconds),
        )


def _read(run: LabelRun, *, n_read: int, now: datetime) -> None:
    """The shortest notes by the real labeler; one note more fails, another is being read."""
    while LabelJob.objects.filter(run=run, status="done").count() < n_read:
        label_run.apply(args=[run.pk], throw=True)
    for job in LabelJob.objects.filter(run=run, status="done"):
        route_job(label_job_id=job.pk, now=now)
    for _ in range(3):
        for job in claim_jobs(run_id=run.pk, worker="label-2@ward", now=now, limit=1):
            begin_job(job=job, now=now)
            hand_back_job(job=job, error="the answer was cut off", now=now)
    for job in claim_jobs(run_id=run.pk, worker="label-1@ward", now=now, limit=1):
        begin_job(job=job, now=now)


def _review(project: Project, bob: User, now: datetime) -> None:
    """The shortest notes are done as their gold says, by Bob."""
    read = Document.objects.filter(project=project, label_jobs__status="done").order_by("n_chars", "pk")
    done = {f"{note.external_id}{suffix}" for note in read[:N_GOLD] for suffix in (".txt", ".ann")}
    gold = in_order([file for file in source_at(NOTES).files if file.name in done])
    import_annotations(project=project, source=gold, annotator="bob", label_map={}, actor=None, now=now)
    fill_slots(sets=AnnotationSet.objects.filter(document__project=project))


def _qualification(project: Project, alice: User, nina: User, now: datetime) -> dict[str, str]:
    """Nina has failed her first try, since she took spans for what they are not and left others out."""
    new = NewQualification(
        matching="strict", threshold=0.8, min_spans=2, n_notes=2, n_tries=2, suggestions="hidden", thresholds={}
    )
    references = list(AnnotationSet.objects.filter(document__project=project, status="submitted"))
    ask_to_qualify(project=project, new=new, references=references, everyone=False, actor=alice, now=now)
    set_member(project=project, user=nina, role=Membership.Role.ANNOTATOR, actor=alice, now=now)
    while not Trial.objects.exclude(status="open").exists():
        item = take_next(project=project, reviewer=nina, now=now)
        known = Annotation.objects.filter(set__document=item.document, set__kind="reading").order_by("start")
        for number, span in enumerate(known):
            label = span.label if number % 4 else "Problem"
            if number % 5 != 3:
                add = Add(span=span.span, label=label)
                decide(note_item=item, reviewer=nina, act=add, key=f"tour-try-{span.pk}", now=now)
        decide(note_item=item, reviewer=nina, act=FinishNote(), key=f"tour-tried-{item.pk}", now=now)
    span = known[0]
    example = settle(item.document, alice, span.surface, span.label, "Device", proposes=True)
    wish_for(project=project, document=item.document, start=span.start, end=span.end, actor=alice, now=now)
    return {"trial_id": Trial.objects.get().public_id, "example_id": example}


def _notes(project: Project, alice: User, bob: User, now: datetime) -> dict[str, str]:
    """Alice has a note in hand with spans that she accepted or flagged, one in which all is decided, and a done one.
    Another she reads blind, and a span of the first is an audit. Bob has a note in hand, and asks about it.
    """
    waiting = iter(
        Document.objects.filter(project=project, label_jobs__status="done")
        .exclude(annotation_sets__annotator=bob)
        .order_by("-n_chars", "pk")
    )
    finished, in_hand, bobs, decided, unread = (next(waiting) for _ in range(5))
    done = take_note(document=finished, reviewer=alice, now=now)
    _accept(done, alice, now, n=1000)
    decide(note_item=done, reviewer=alice, act=FinishNote(), key="tour-done", now=now)
    held = take_note(document=in_hand, reviewer=alice, now=now)
    _accept(held, alice, now, n=8)
    blind = take_note(document=unread, reviewer=alice, now=now)
    ReviewItem.objects.filter(pk=blind.pk).update(stream="blind")
    others = take_note(document=bobs, reviewer=bob, now=now)
    missed = take_note(document=decided, reviewer=alice, now=now)
    _forget(missed)
    _accept(missed, alice, now, n=1000)
    view = note_view(note_item=held)
    first, *_, last = view.queue
    streams = replace(streams_of(project), audits=Project.Audits.BLIND)
    set_streams(project=project, streams=streams, actor=alice, now=now)
    ReviewItem.objects.filter(public_id=last.key[1:]).update(stream="audit")
    head, tail = _relate(held, alice, now)
    repeated = next(mark.key for mark in view.queue if [each.surface for each in view.queue].count(mark.surface) > 1)
    for is_of_span, kind, body in _SAID:
        comment_on(note_item=held, reviewer=alice, key=first.key if is_of_span else "", kind=kind, body=body, now=now)
    comment_on(note_item=others, reviewer=bob, key="", kind="discuss", body="Dictated twice? See the end.", now=now)
    word = re.search(r"\b[A-Z]\w{7,}", in_hand.text)
    assert word
    return {
        "item_id": held.public_id,
        "done_item": done.public_id,
        "open_key": first.key,
        "bobs_item": others.public_id,
        "missed_item": missed.public_id,
        "blind_item": blind.public_id,
        "own_key": head.key,
        "own_start": str(head.span.start),
        "own_end": str(head.span.end),
        "own_hotkey": head.label.hotkey,
        "other_key": tail.key,
        "alike_key": repeated,
        "audit_key": last.key,
        "document_id": in_hand.public_id,
        "start": str(word.start()),
        "end": str(word.end()),
    }


def _notices(alice: User, now: datetime) -> None:
    """Alice has read the oldest of what she was told."""
    oldest = Notice.objects.filter(pk=alice.notices.earliest("pk").pk)
    oldest.update(created_at=now - timedelta(days=1))
    mark_read(user=alice, notices=oldest, now=now)


def _adjudication(project: Project, alice: User, bob: User, adam: User, now: datetime) -> dict[str, str]:
    """A note that Adam read otherwise than Bob, in Alice's hands: other labels, shorter spans, and some of them not."""
    reading = AnnotationSet.objects.filter(document__project=project, annotator=bob, status="submitted")
    bobs = reading.select_related("document").order_by("-document__n_chars").first()
    assert bobs is not None
    labels = demo_schema().label_names
    adams = []
    for number, row in enumerate(bobs.annotations.filter(status="live").order_by("start", "end", "pk")):
        span, label = row.span, row.label
        if number % 7 == 3:
            continue
        if number % 5 == 2:
            label = labels[(labels.index(label) + 1) % len(labels)]
        if number % 6 == 4 and " " in row.surface and not span.is_discontinuous:
            span = Span.of(span.start, span.start + row.surface.index(" "))
        adams.append(NewAnnotation(span=span, label=label, attributes={}))
    make_set(bobs.document, adam, *adams, now=now)
    tell_read(document_ids=[bobs.document_id])
    found = Adjudication.objects.select_related("document__project").get(document=bobs.document)
    take(adjudication=found, adjudicator=alice, now=now)
    return {"adjudication_id": found.public_id}


def _forget(note_item: ReviewItem) -> None:
    """Close a suggestion as if never made: one whose words another has too, and that no other lies over."""
    items = ReviewItem.objects.filter(document=note_item.document, unit="span", status="open").order_by("pk")
    found = [(item.pk, source_of(item)) for item in items.select_related("suggestion")]
    for pk, one in found:
        others = [other for other_pk, other in found if other_pk != pk]
        is_free = not any(other.span.start < one.span.end and one.span.start < other.span.end for other in others)
        if is_free and any(other.surface == one.surface and other.label == one.label for other in others):
            ReviewItem.objects.filter(pk=pk).update(status=ReviewItem.Status.CLOSED)
            return
    raise AssertionError("no words of the note are suggested twice")


def _accept(note_item: ReviewItem, reviewer: User, now: datetime, *, n: int) -> None:
    """Accept up to `n` suggestions of the note, first to last."""
    items = ReviewItem.objects.filter(document=note_item.document, unit="span", status="open", slot=note_item.slot)
    for item in items.order_by("suggestion__start")[:n]:
        decide(note_item=note_item, reviewer=reviewer, act=Accept(item=item), key=f"tour-{item.pk}", now=now)


def _relate(note_item: ReviewItem, reviewer: User, now: datetime) -> tuple[Mark, Mark]:
    """Join two spans of the note that a relation may join."""
    view = note_view(note_item=note_item)
    relation, head, tail = next(
        (relation, head, tail)
        for head, tail in permutations(view.annotations, 2)
        for relation in view.schema.relations_between(head.label.name, tail.label.name)
    )
    ends = (target_for(note_item=note_item, key=mark.key) for mark in (head, tail))
    decide(note_item=note_item, reviewer=reviewer, act=Relate(relation.name, *ends), key="tour-related", now=now)
    return head, tail


def _guideline(project: Project, alice: User, now: datetime) -> None:
    add_guideline(project=project, text=GUIDELINE, actor=alice, now=now - timedelta(days=3))
    guideline = add_guideline(project=project, text=CHANGED, actor=alice, now=now - timedelta(hours=2))
    for span in Annotation.objects.filter(set__document__project=project, status="live").order_by("pk")[:40:20]:
        wish_for(project=project, document=span.set.document, start=span.start, end=span.end, actor=alice, now=now)
    pool = freeze_pool(project=project, actor=alice, now=now - timedelta(hours=1))
    make_labeler(
        project=project,
        template=FULL,
        guideline=guideline,
        pool=pool,
        n_examples=2,
        constraint="copy",
        n_passes=1,
        actor=alice,
        now=now - timedelta(hours=1),
    )


def _accounts(people: Mapping[str, User], project: Project, now: datetime) -> dict[str, str]:
    """Links, tokens, invitations and a second browser of Alice's."""
    alice, bob = people["alice"], people["bob"]
    day = timedelta(days=1)
    make_token(user=alice, name="nightly export", scopes=["read", "build"], project="", lifetime=90 * day, now=now)
    token, _ = make_token(
        user=alice, name="import", scopes=["import"], project=project.public_id, lifetime=day, now=now - 2 * day
    )
    browser = session_of(user=alice, session_key="another", agent="Firefox on Linux", now=now - timedelta(minutes=8))
    for role in (Membership.Role.ANNOTATOR, Membership.Role.LEAD):
        link = invite(project=project, role=role, actor=alice, now=now - timedelta(hours=5))
    return {
        "user_id": bob.public_id,
        "erin_id": people["erin"].public_id,
        "alice_id": alice.public_id,
        "frank_id": people["frank"].public_id,
        "token_id": token.public_id,
        "session_id": browser.public_id,
        "invitation_id": project.invitations.order_by("pk").first().public_id,
        "invitation": link.rstrip("/").rpartition("/")[2],
        "first": sign_in_link(username="bob", now=now).rstrip("/").rpartition("/")[2],
        "reset": reset_link(username="bob", actor=None, now=now).rstrip("/").rpartition("/")[2],
        "nothing": "a" * 43,
    }


def _purges(project: Project, alice: User, now: datetime) -> dict[str, str]:
    """A patient is gone, another is going, and the project has a last day."""
    free = Document.objects.filter(project=project, label_jobs__status="queued").exclude(patient_id="")
    patients = list(dict.fromkeys(free.order_by("n_chars").values_list("patient_id", flat=True)))[:2]
    tombstones = [
        purge_notes(project=project, doomed=Doomed(patient_id=patient), actor=alice, now=now) for patient in patients
    ]
    job = tombstones[0].job
    run_job(job_id=job.pk, work=lambda mine: run_purge(job=mine, clock=lambda: now), clock=lambda: now)
    until = now.date() + timedelta(days=21)
    set_retention(project=project, until=date(until.year, until.month, until.day), actor=alice, now=now)
    left = Document.objects.filter(project=project).exclude(patient_id="").order_by("pk").first()
    return {"patient": left.patient_id}
