"""Promoting a labeler: from then on it reads the project's notes, those first that nobody has decided yet."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.notices.models import Kind
from annotator.notices.services import notify
from annotator.projects.access import Action
from annotator.projects.selectors import members_who
from annotator.projects.services import lock_projects
from annotator.routing.ending import end_replaced
from annotator.suggestions.labelers import current_of
from annotator.suggestions.models import Labeler, Promotion
from annotator.suggestions.selectors import promoted_of, removed_models
from annotator.suggestions.services import RunRefused, cancel_run, labeler_for, start_run
from annotator.training.models import LabelerComparison
from annotator.training.promotable import refusal_of, running_runs, undecided_notes


class PromotionRefused(Exception):
    """A labeler that cannot be promoted; the message says why."""


@transaction.atomic
def promote(*, labeler: Labeler, comparison: LabelerComparison | None, actor: User, now: datetime) -> Promotion:
    """Have new runs of the project use `labeler`, and a run of it read what nobody has decided yet.

    What was decided stays, under the suggestions that it was decided on; open spans of the labelers before are
    superseded note by note, as the run's suggestions come. Runs, tests and certificates of these end. `comparison` is
    what the promotion rests on, None where it rests on none. Promoting the former labeler is the way back. Raises
    PromotionRefused.
    """
    project = labeler.project
    lock_projects(project)
    current = current_of(project)
    removed = removed_models(project)
    if refusal := refusal_of(labeler, current=current, removed=removed, comparison=comparison):
        raise PromotionRefused(refusal)
    previous = labeler_for(project=project, schema_version=current.schema_version, spec=current.spec, now=now)
    promotion = Promotion.objects.create(
        project=project,
        labeler=labeler,
        previous=previous,
        comparison=comparison.public_id if comparison else "",
        promoted_by=actor,
        promoted_at=now,
    )
    documents = undecided_notes(project)
    n_notes = documents.count()
    record_event(
        project=project.public_id,
        actor=actor,
        verb="labeler.promote",
        object_id=labeler.public_id,
        now=now,
        detail={
            "labeler": labeler.pk,
            "digest": labeler.digest,
            "previous": previous.pk,
            "comparison": promotion.comparison,
            "n_documents": n_notes,
        },
    )
    promoted = promoted_of(project)
    for run in running_runs(project):
        if promoted.is_over(run.labeler):
            cancel_run(run=run, actor=actor, now=now)
    if n_notes:
        try:
            start_run(project=project, labeler=labeler, documents=documents, actor=actor, now=now)
        except RunRefused as refused:
            raise PromotionRefused(str(refused)) from refused
    end_replaced(project=project, actor=actor, now=now)
    notify(
        users=members_who(project, Action.MANAGE),
        kind=Kind.PROMOTED,
        project=project.public_id,
        subject=labeler.public_id,
        actor=actor,
        now=now,
        detail={"n_notes": n_notes},
    )
    return promotion
