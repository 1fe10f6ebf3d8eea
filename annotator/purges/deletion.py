"""What a purge deletes, table by table: first what points at something, then what it points at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Model, QuerySet

from annotator.adjudication.models import Choice, Gold, RuleRun
from annotator.annotations.models import Annotation, AnnotationSet, Comment, DocumentValue, Relation
from annotator.builds.models import DatasetBuild, LockedGroup, LockedTestSet
from annotator.certificates.models import (
    AcceptanceTarget,
    Batch,
    BatchMember,
    Calibrator,
    CalibratorCase,
    Certificate,
    FitWish,
    Region,
    WatchedSuggestion,
)
from annotator.documents.models import Document
from annotator.exchange.models import Import, ImportedReading
from annotator.jobs.models import Job
from annotator.notices.models import Notice
from annotator.progress.models import CountedProject, LabelDay, WorkDay
from annotator.projects.models import Guideline, Invitation, Membership, Project, SchemaVersion
from annotator.qualification.models import Admission, Qualification, ReferenceNote, Trial, TrialNote
from annotator.quality.models import AgreementReport
from annotator.readings.models import Adjudication, Comparison, Difference, ReaderPair, TokenRatings
from annotator.review.models import (
    Barred,
    Decision,
    Decoy,
    DecoyAnswer,
    ReviewItem,
    Round,
    RoundJob,
    RoundReader,
    SecondRead,
)
from annotator.suggestions.models import (
    Candidate,
    ExamplePool,
    Labeler,
    LabelJob,
    LabelRun,
    PoolWish,
    Promotion,
    PromptExample,
    ServerPermission,
    Suggestion,
)

_Table = tuple[type[Model], str, str]

# What belongs to a note: the table, its way to the note, and what it is counted as.
OF_NOTES: tuple[_Table, ...] = (
    (Difference, "document", "n_differences"),
    (Comparison, "document", "n_comparisons"),
    (TokenRatings, "document", "n_token_ratings"),
    (Gold, "choice__adjudication__document", "n_gold"),
    (Choice, "adjudication__document", "n_choices"),
    (Adjudication, "document", "n_adjudications"),
    (Decision, "note_item__document", "n_decisions"),
    (DecoyAnswer, "decoy__item__document", "n_decoy_answers"),
    (Decoy, "item__document", "n_decoys"),
    (SecondRead, "suggestion__document", "n_second_reads"),
    (Barred, "item__document", "n_barred"),
    (ReviewItem, "document", "n_review_items"),
    (TrialNote, "document", "n_trial_notes"),
    (ReferenceNote, "document", "n_reference_notes"),
    (ImportedReading, "document", "n_imported_readings"),
    (Comment, "set__document", "n_comments"),
    (Relation, "set__document", "n_relations"),
    (DocumentValue, "set__document", "n_document_values"),
    (Annotation, "set__document", "n_annotations"),
    (AnnotationSet, "document", "n_sets"),
    (WatchedSuggestion, "suggestion__document", "n_watched_suggestions"),
    (BatchMember, "suggestion__document", "n_batch_members"),
    (CalibratorCase, "suggestion__document", "n_calibrator_cases"),
    (Suggestion, "document", "n_suggestions"),
    (Candidate, "document", "n_candidates"),
    (LabelJob, "document", "n_label_jobs"),
    (PoolWish, "document", "n_pool_wishes"),
    (PromptExample, "document", "n_prompt_examples"),
    (Document, "pk", "n_notes"),
)
# What else belongs to a project, once its notes are gone, with its way to the project.
OF_PROJECTS: tuple[_Table, ...] = (
    (LockedGroup, "test_set__project", "n_locked_groups"),
    (LockedTestSet, "project", "n_locked_test_sets"),
    (RoundReader, "round__project", "n_round_readers"),
    (Round, "project", "n_rounds"),
    (ReaderPair, "project", "n_reader_pairs"),
    (WorkDay, "project", "n_work_days"),
    (LabelDay, "project", "n_label_days"),
    (CountedProject, "project", "n_counted"),
    (Certificate, "project", "n_certificates"),
    (Region, "batch__project", "n_regions"),
    (Batch, "project", "n_batches"),
    (FitWish, "labeler__project", "n_fit_wishes"),
    (Calibrator, "project", "n_calibrators"),
    (AcceptanceTarget, "project", "n_acceptance_targets"),
    (Promotion, "project", "n_promotions"),
    (LabelRun, "project", "n_runs"),
    (Labeler, "project", "n_labelers"),
    (ExamplePool, "project", "n_example_pools"),
    (Admission, "qualification__project", "n_admissions"),
    (Trial, "qualification__project", "n_trials"),
    (Qualification, "project", "n_qualifications"),
    (Guideline, "project", "n_guidelines"),
    (ServerPermission, "project", "n_server_permissions"),
    (SchemaVersion, "project", "n_schema_versions"),
    (Invitation, "project", "n_invitations"),
    (Membership, "project", "n_memberships"),
)


def lock_notes(document_ids: Iterable[int]) -> None:
    """Wait for labelers, reviewers and adjudicators who are saving, and keep others waiting; in the order in which
    those lock.
    """
    ids = list(document_ids)
    list(LabelJob.objects.select_for_update().filter(document__in=ids).order_by("pk").values_list("pk"))
    list(ReviewItem.objects.select_for_update().filter(document__in=ids).order_by("pk").values_list("pk"))
    list(Adjudication.objects.select_for_update().filter(document__in=ids).order_by("pk").values_list("pk"))


def delete_notes(document_ids: Iterable[int]) -> Counter[str]:
    """Delete the notes with all that people and models have said of them; how many rows of what."""
    ids = list(document_ids)
    decisions = Decision.objects.filter(note_item__document__in=ids)
    decisions.exclude(undoes=None, redoes=None).update(undoes=None, redoes=None)
    choices = Choice.objects.filter(adjudication__document__in=ids)
    choices.exclude(undoes=None, redoes=None).update(undoes=None, redoes=None)
    return _delete_all(OF_NOTES, ids)


_Work = type[Import] | type[DatasetBuild] | type[RuleRun] | type[AgreementReport] | type[RoundJob]


def delete_work(table: _Work, project: Project) -> int:
    """Delete the project's imports, builds, applied rules, reports or the work on its rounds, each with its job; how
    many.

    Whoever works on one has lost it. Its job is locked first, as they do.
    """
    rows: QuerySet[Any] = table.objects.filter(project=project)
    jobs = list(rows.exclude(job=None).order_by("job").values_list("job_id", flat=True))
    list(Job.objects.select_for_update().filter(pk__in=jobs).order_by("pk").values_list("pk"))
    n_deleted = _delete(rows)
    Job.objects.filter(pk__in=jobs).delete()
    return n_deleted


def delete_project(project: Project) -> Counter[str]:
    """Delete the project, which has no note, import, build or report any more; how many rows of what."""
    counts = _delete_all(OF_PROJECTS, [project.pk])
    counts["n_notices"] = _delete(Notice.objects.filter(project=project.public_id))  # nobody's count holds them now
    project.delete()
    return counts


def _delete_all(tables: Sequence[_Table], keys: Sequence[int]) -> Counter[str]:
    return Counter(
        {name: _delete(table._default_manager.filter(**{f"{way}__in": keys})) for table, way, name in tables}
    )


def _delete(rows: QuerySet[Any]) -> int:
    """How many of the rows themselves were deleted."""
    _, by_table = rows.delete()
    return by_table.get(rows.model._meta.label, 0)
