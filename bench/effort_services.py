"""One run of `bench/effort.py` by the application itself: its services, on a database of its own.

Everything is done as people and workers do it, with a clock that is passed in: notes come at random and are read by one
reviewer, calibrators are fitted when they are due, a lead sets the target, batches are frozen, audited, certified and
watched. What chance decided is read off the rows afterwards (`Recorded`), so that the arithmetic of
`bench/effort_policies.py` can be made to decide the same and be held against what the services say.
"""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from annotator.core.certificates import Promise
from bench.effort_labelers import Corpus
from bench.effort_policies import LOOK_EVERY, WATCH_PERCENT, Result, World

if TYPE_CHECKING:
    from annotator.review.models import ReviewItem

SECONDS_A_DECISION = 3


@dataclass(frozen=True, slots=True)
class Recorded:
    """What chance decided in a run: `bench.effort_policies.Draws`, from the rows."""

    notes: Sequence[int]
    batches: Sequence[tuple[int, Mapping[int, float], Mapping[int, float]]]

    def batch(self, number: int) -> tuple[int, Mapping[int, float], Mapping[int, float]]:
        return self.batches[number]


@dataclass(frozen=True, slots=True)
class Served:
    """What the services made of it, to be held against the arithmetic: everything by name, in plain values."""

    draws: Recorded
    said: Mapping[str, Any]


def expected(world: World, result: Result) -> dict[str, Any]:
    """What the services have to say where the arithmetic is right."""
    return {
        "calibrator": result.calibration.to_json() if result.calibration else None,
        "batches": [
            {
                "members": list(tested.candidates) if tested.ladder else [],
                "confidences": list(tested.confidences) if tested.ladder else [],
                "sizes": [rung.size for rung in tested.ladder.rungs] if tested.ladder else [],
                "claims": list(tested.claims),
                "audits": tested.n_audits,
                "certificate": (tested.size, tested.n_inside, tested.n_wrong) if tested.claims else None,
                "is_revoked": tested.is_revoked,
            }
            for tested in result.tests
        ],
        "accepted": sorted(result.accepted),
        "decisions": result.n_decisions,
        "added": result.n_added,
        "delivered": result.n_delivered,
        "right": result.n_right,
    }


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """The names of what differs."""
    return [name for name in ours if ours[name] != theirs[name]]


def served(corpus: Corpus, world: World, promise: Promise, *, n_first: int) -> Served:
    """Run it. Once a process, since Django is set up once."""
    os.umask(0o077)
    with tempfile.TemporaryDirectory(prefix="marginalia-bench-") as temporary:
        os.environ |= {
            "MARGINALIA_DATA": str(Path(temporary, "data")),
            "DJANGO_SETTINGS_MODULE": "annotator.settings",
            "REDIS_URL": "memory://",
        }
        import django

        django.setup()
        from django.core.management import call_command

        from annotator.jobs import bell

        bell._send = lambda task, ids, queue: None  # this process does what is due itself
        call_command("migrate", verbosity=0, interactive=False)
        return run(corpus, world, promise, n_first=n_first)


def run(corpus: Corpus, world: World, promise: Promise, *, n_first: int) -> Served:
    """The whole way of a project, in the database that Django is set up for."""
    desk = _prepared(corpus, world)
    desk.read(until=n_first)
    desk.want(promise)
    while not desk.is_certified() and desk.read(until=2 * desk.n_fitted):
        desk.step_on()
    desk.read(until=None)
    return desk.told()


@dataclass
class Desk:
    """The project, who works in it, and the clock."""

    world: World
    corpus: Corpus
    project: Any
    lead: Any
    reviewer: Any
    labeler: Any
    places: Mapping[int | None, int]  # by a suggestion's row id
    numbers: Mapping[int, int]  # by a note's row id
    now: datetime
    n_fitted: int = 0
    finished: set[int] = field(default_factory=set)

    def later(self) -> datetime:
        self.now += timedelta(seconds=SECONDS_A_DECISION)
        return self.now

    def act(self, note: ReviewItem, act: Any) -> None:
        from annotator.review.services import decide

        decide(note_item=note, reviewer=self.reviewer, act=act, key=str(uuid.uuid4()), now=self.later())
        note.refresh_from_db()

    def decide(self, note: ReviewItem, item: ReviewItem) -> None:
        """Decide the suggestion as the oracle does."""
        from annotator.review import services

        place = self.places[item.suggestion_id]
        target = self.world.becomes[place]
        if self.world.right[place]:
            self.act(note, services.Accept(item))
        elif target is not None:
            self.act(note, services.Edit(item, span=target.span, label=target.label))
        else:
            self.act(note, services.Reject(item))

    def read(self, *, until: int | None) -> bool:
        """Read note after note, and fit when the number of decisions says so; whether it came so far before all was
        read.
        """
        from annotator.review.leases import release, take_next

        while (note := take_next(project=self.project, reviewer=self.reviewer, now=self.later())) is not None:
            for item in self.open_in(note):
                self.decide(note, item)
                if until is not None and self.n_cases() == until:
                    release(note_item=note, reviewer=self.reviewer)
                    self.fit(until)
                    return True
            self.finish(note)
        return False

    def open_in(self, note: ReviewItem) -> list[ReviewItem]:
        from annotator.review.models import ReviewItem

        items = ReviewItem.objects.filter(document=note.document_id, unit="span", status="open")
        return sorted(items.select_related("suggestion"), key=lambda item: self.places[item.suggestion_id])

    def finish(self, note: ReviewItem) -> None:
        """Add what was missed and submit the note. One that was asked again is submitted by itself."""
        from annotator.review import services

        number = self.numbers[note.document_id]
        if number not in self.finished:
            self.finished.add(number)
            for one in self.world.missed[number]:
                self.act(note, services.Add(span=one.span, label=one.label))
        if note.status == "open":
            self.act(note, services.FinishNote())

    def n_cases(self) -> int:
        from annotator.routing.fitting import _n_decided

        return _n_decided(self.labeler, at_most=None)

    def fit(self, n_cases: int) -> None:
        """What a worker does when the sweeper finds so many decisions."""
        from annotator.core.calibration import NotEnoughCases
        from annotator.routing.fitting import fit_calibrator

        self.n_fitted = n_cases
        try:
            fit_calibrator(labeler=self.labeler, actor=None, now=self.later(), n_resamples=10)
        except NotEnoughCases:
            return

    def want(self, promise: Promise) -> None:
        from annotator.routing.targets import set_target

        set_target(
            project=self.project,
            label="",
            status="on",
            target=promise.target,
            delta=promise.delta,
            actor=self.lead,
            now=self.later(),
        )
        self.step_on()

    def step_on(self) -> None:
        """Do what is due, and decide the audits that are asked, a look after every few, until none is."""
        from annotator.review.leases import release, take_note_of
        from annotator.routing.steps import step_project

        while True:
            while step_project(project_id=self.project.pk, now=self.later()):
                pass
            waiting = self.asked()[:LOOK_EVERY]
            if not waiting:
                return
            for item in waiting:
                note = take_note_of(item=item, reviewer=self.reviewer, now=self.later())
                if note is None:
                    raise SystemExit("a note with an audit cannot be taken")
                self.decide(note, item)
                release(note_item=note, reviewer=self.reviewer)

    def asked(self) -> list[ReviewItem]:
        from annotator.review.models import ReviewItem

        items = ReviewItem.objects.filter(project=self.project, unit="span", status="open", stream="audit")
        return list(items.select_related("suggestion").order_by("audit_key"))

    def is_certified(self) -> bool:
        from annotator.certificates.models import Certificate

        return Certificate.objects.filter(project=self.project, status=Certificate.Status.LIVE).exists()

    def told(self) -> Served:
        """What the rows say in the end."""
        from annotator.annotations.models import Annotation
        from annotator.certificates.models import Batch, BatchMember
        from annotator.documents.models import Document
        from annotator.review.models import Decision, ReviewItem

        order = Document.objects.filter(project=self.project).order_by("blind_key").values_list("pk", flat=True)
        batches, draws = [], []
        for batch in Batch.objects.filter(project=self.project).order_by("number"):
            members = list(BatchMember.objects.filter(batch=batch).order_by("rank"))
            places = [self.places[member.suggestion_id] for member in members]
            ties = {place: float(member.rank) for place, member in zip(places, members, strict=True)}
            keys = {place: member.audit_key for place, member in zip(places, members, strict=True)}
            draws.append((batch.plan["seed"], _or_none(ties), _or_none(keys)))
            batches.append(_batch_said(batch, members, places))
        waiting = ReviewItem.objects.filter(project=self.project, status__in=["open", "held"])
        if waiting.exists():
            raise SystemExit(f"{waiting.count()} items wait in the end")
        first = Batch.objects.filter(project=self.project).order_by("number").first()
        verdicts = list(Decision.objects.filter(project=self.project).values_list("verdict", flat=True))
        live = Annotation.objects.filter(set__document__project=self.project, status="live")
        made = {
            (self.numbers[document], label, fragments)
            for document, label, fragments in live.values_list("set__document_id", "label", "fragments")
        }
        gold = {
            (number, label, str(span)) for number, note in enumerate(self.corpus.notes) for span, label in note.gold
        }
        certified = ReviewItem.objects.filter(project=self.project, unit="span", status="certified")
        said = {
            "calibrator": first.calibrator.curves if first else None,
            "batches": batches,
            "accepted": sorted(self.places[pk] for pk in certified.values_list("suggestion_id", flat=True)),
            "decisions": sum(verdict in ("accept", "reject", "edit") for verdict in verdicts),
            "added": verdicts.count("add"),
            "delivered": len(made),
            "right": len(made & gold),
        }
        return Served(Recorded([self.numbers[pk] for pk in order], draws), said)


def _or_none(found: dict[int, float]) -> Mapping[int, float]:
    return found or _Zero()


class _Zero(dict[int, float]):
    """Of a batch that was not frozen nothing random is on record, nor needed."""

    def __missing__(self, key: int) -> float:
        return 0.0


def _batch_said(batch: Any, members: Sequence[Any], places: Sequence[int]) -> dict[str, Any]:
    from annotator.certificates.models import Certificate
    from annotator.review.models import Decision

    certificate = Certificate.objects.select_related("region").filter(batch=batch).first()
    audits = Decision.objects.filter(stream="audit", item__suggestion__in=[member.suggestion_id for member in members])
    return {
        "members": list(places),
        "confidences": [member.confidence for member in members],
        "sizes": list(batch.regions.order_by("place").values_list("size", flat=True)),
        "claims": batch.plan["claims"],
        "audits": audits.count(),
        "certificate": (certificate.region.size, certificate.n_audited, certificate.n_wrong) if certificate else None,
        "is_revoked": certificate is not None and certificate.status in ("revoking", "revoked"),
    }


def _prepared(corpus: Corpus, world: World) -> Desk:
    """A project with the notes and what the labeler suggested in them, routed."""
    from django.utils import timezone

    from annotator.accounts.models import User
    from annotator.core.schema import schema_from_json
    from annotator.documents.models import Document
    from annotator.documents.services import NewDocument, add_documents
    from annotator.projects.models import Project
    from annotator.projects.services import create_project, set_member
    from annotator.routing.services import route_job
    from annotator.suggestions.models import Suggestion
    from annotator.suggestions.recording import NewSuggestion, suggestion_row
    from annotator.suggestions.services import LabelerSpec, import_run, labeler_for

    now = timezone.now()
    lead, reviewer = (User.objects.create(username=name) for name in ("lead", "reviewer"))
    schema = schema_from_json({"labels": [{"name": name, "definition": name} for name in corpus.labels]})
    project = create_project(name=corpus.name, schema=schema, lead=lead, now=now)
    set_member(project=project, user=reviewer, role="annotator", actor=lead, now=now)
    Project.objects.filter(pk=project.pk).update(policy=Project.Policy.RANDOM, watch_percent=WATCH_PERCENT)
    news = [NewDocument(external_id=note.name, text=note.text) for note in corpus.notes]
    add_documents(project=project, documents=news, now=now)
    pks = dict(Document.objects.filter(project=project).values_list("external_id", "pk"))
    rows: dict[int, list[Any]] = {pks[note.name]: [] for note in corpus.notes}
    place_of = {}
    for place, (one, number) in enumerate(zip(world.found, world.note_of, strict=True)):
        note = corpus.notes[number]
        place_of[pks[note.name], one.label, str(one.span)] = place
        new = NewSuggestion(
            span=one.span,
            surface=one.span.surface(note.text),
            label=one.label,
            attributes={},
            alignment="exact" if one.is_exact else "normalized",
            score=one.score,
        )
        rows[pks[note.name]].append(suggestion_row(new))
    version = project.schema_versions.get()
    spec = LabelerSpec(name="bench", backend="import", model_id="bench", revision="1")
    labeler = labeler_for(project=project, schema_version=version, spec=spec, now=now)
    run = import_run(project=project, labeler=labeler, suggestions=rows.items(), actor=None, now=now)
    for job in run.jobs.order_by("pk"):
        route_job(label_job_id=job.pk, now=now)
    found = Suggestion.objects.filter(job__run=run).values_list("pk", "document", "label", "fragments")
    return Desk(
        world=world,
        corpus=corpus,
        project=Project.objects.get(pk=project.pk),
        lead=lead,
        reviewer=reviewer,
        labeler=labeler,
        places={pk: place_of[document, label, fragments] for pk, document, label, fragments in found},
        numbers={pks[note.name]: number for number, note in enumerate(corpus.notes)},
        now=now,
    )
