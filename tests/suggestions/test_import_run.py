"""Runs whose suggestions come from outside."""

from __future__ import annotations

from annotator.projects.models import Project
from annotator.suggestions import services
from annotator.suggestions.labelers import default_labeler
from annotator.suggestions.models import LabelJob, LabelRun
from annotator.suggestions.recording import suggestion_row
from tests.cast import NOW, Bells
from tests.suggestions.scene import CHEST_PAIN, found, make_documents


def test_an_imported_run_is_done_and_counts_what_has_no_place(project: Project, bells: Bells) -> None:
    document, _ = make_documents(project, 2)
    bells.clear()
    with bells.after_commit():
        run = services.import_run(
            project=project,
            labeler=default_labeler(project=project, now=NOW),
            suggestions=[(document.pk, list(map(suggestion_row, found(CHEST_PAIN, CHEST_PAIN, None, None))))],
            actor=None,
            now=NOW,
        )
    job = run.jobs.get()
    assert (LabelRun.objects.get(pk=run.pk).status, job.status) == (LabelRun.Status.DONE, LabelJob.Status.DONE)
    assert (job.n_suggestions, job.n_unaligned, job.suggestions.count()) == (1, 2, 3)
    assert bells == [(services.ROUTE_TASK, (job.pk,), "route")]
