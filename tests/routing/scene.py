"""A project whose reviewer is an oracle: many suggestions in a few notes, of which some are wrong, and a calibrator."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from annotator.accounts.models import User
from annotator.certificates.models import AcceptanceTarget, Batch, Calibrator, Certificate
from annotator.core.calibration import Calibration, Curve
from annotator.core.spans import Span
from annotator.projects.models import Project
from annotator.review import services
from annotator.review.leases import release, take_note_of
from annotator.review.models import ReviewItem
from annotator.routing.services import route_job
from annotator.routing.steps import step_project
from annotator.routing.targets import set_target
from annotator.suggestions.models import Labeler, LabelRun, Suggestion
from annotator.suggestions.recording import NewSuggestion, suggestion_row
from annotator.suggestions.services import LabelerSpec, import_run, labeler_for
from tests.cast import NOW, make_document

PER_NOTE = 20
WORDS = [f"finding{number:02}" for number in range(PER_NOTE)]
# Confidence is the score itself: a logistic curve of slope 1 over the score's logit.
CURVES = Calibration("platt", 100, Curve(0.0, 1.0, 80, 20), {}, ((0.02, 0.0), (0.0, 0.02)))


@dataclass
class Oracle:
    """A project, its labeler and its clock. What `is_wrong` says of a suggestion, the reviewer rejects."""

    project: Project
    lead: User
    reviewer: User
    labeler: Labeler
    now: datetime = NOW
    is_wrong: Callable[[Suggestion], bool] = field(default=lambda suggestion: False)
    n_keys: count[int] = field(default_factory=count)

    def later(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    def label(self, *, n_notes: int, score: Callable[[int], float], name: str, is_routed: bool = True) -> LabelRun:
        """A run over new notes, of PER_NOTE suggestions each; `score` of each by its number in the run."""
        text = " ".join(WORDS)
        numbers = count()
        found = []
        for number in range(n_notes):
            document = make_document(self.project, external_id=f"{name}-{number}", text=text)
            news = [
                NewSuggestion(
                    span=Span.of(text.index(word), text.index(word) + len(word)),
                    surface=word,
                    label="Problem",
                    attributes={},
                    alignment="exact",
                    score=score(next(numbers)),
                )
                for word in WORDS
            ]
            found.append((document.pk, [suggestion_row(new) for new in news]))
        run = import_run(project=self.project, labeler=self.labeler, suggestions=found, actor=None, now=self.later())
        for job in run.jobs.order_by("pk") if is_routed else ():
            route_job(label_job_id=job.pk, now=self.now)
        return run

    def want(
        self, target: float = 0.8, *, delta: float = 0.05, status: str = "on", label: str = ""
    ) -> AcceptanceTarget:
        return set_target(
            project=self.project,
            label=label,
            status=status,
            target=target,
            delta=delta,
            actor=self.lead,
            now=self.later(),
        )

    def step(self) -> int:
        """Do all that is due; how many steps that took."""
        n_steps = 0
        while step_project(project_id=self.project.pk, now=self.later()):
            n_steps += 1
        return n_steps

    def asked(self) -> list[ReviewItem]:
        """The audits that wait, in their order."""
        items = ReviewItem.objects.filter(project=self.project, unit="span", status="open", stream="audit")
        return list(items.select_related("suggestion", "document__project").order_by("audit_key"))

    def decide(self, item: ReviewItem) -> None:
        """Decide the span as it is."""
        note = take_note_of(item=item, reviewer=self.reviewer, now=self.later())
        assert note is not None and item.suggestion is not None
        act = services.Reject(item) if self.is_wrong(item.suggestion) else services.Accept(item)
        services.decide(note_item=note, reviewer=self.reviewer, act=act, key=f"key-{next(self.n_keys)}", now=self.now)
        note.refresh_from_db()
        release(note_item=note, reviewer=self.reviewer)

    def audit(self, most: int = 1000) -> int:
        """Decide audits, with a look after every ten, until none are asked or something was granted; how many."""
        n_decided = 0
        while n_decided < most and (waiting := self.asked()):
            for item in waiting[:10]:
                self.decide(item)
                n_decided += 1
            self.step()
            if Certificate.objects.filter(project=self.project).exists():
                break
        return n_decided

    def states(self, suggestions: Collection[int] | None = None) -> dict[str, int]:
        """How many spans there are of each status."""
        items = ReviewItem.objects.filter(project=self.project, unit="span")
        if suggestions is not None:
            items = items.filter(suggestion__in=suggestions)
        found: dict[str, int] = {}
        for status in items.values_list("status", flat=True):
            found[status] = found.get(status, 0) + 1
        return found

    def batch(self) -> Batch:
        return Batch.objects.filter(project=self.project).latest("number")

    def certificate(self) -> Certificate:
        return Certificate.objects.select_related("region").get(project=self.project)


def make_oracle(project: Project, lead: User, reviewer: User) -> Oracle:
    """The project with a labeler and a calibrator of it."""
    version = project.schema_versions.latest("number")
    spec = LabelerSpec(name="rules", backend="import", model_id="rules", revision="1")
    labeler = labeler_for(project=project, schema_version=version, spec=spec, now=NOW)
    make_calibrator(labeler)
    return Oracle(project=project, lead=lead, reviewer=reviewer, labeler=labeler)


def make_calibrator(labeler: Labeler, *, number: int = 1) -> Calibrator:
    return Calibrator.objects.create(
        project=labeler.project,
        labeler=labeler,
        number=number,
        kind="platt",
        curves=CURVES.to_json(),
        n_cases=100,
        status=Calibrator.Status.CURRENT,
        created_at=NOW,
    )
