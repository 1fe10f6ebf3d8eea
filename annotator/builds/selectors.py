"""Reading what a dataset is made of: which notes are ready, and their spans."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeVar

from django.db.models import Case, Count, QuerySet, When

from annotator.accounts.models import User
from annotator.annotations.comments import spans_of
from annotator.annotations.models import APART, Annotation, AnnotationSet, Comment, DocumentValue, Relation
from annotator.annotations.selectors import has_certified
from annotator.builds.criteria import NO_FILTERS, Filters
from annotator.builds.filtering import left_out_by
from annotator.builds.models import DatasetBuild, LockedGroup, LockedTestSet
from annotator.builds.options import LARGEST_WINDOW, SMALLEST_WINDOW, BuildOptions
from annotator.builds.records import (
    CertificateRecord,
    CommentRecord,
    LabelerRecord,
    NoteRecord,
    Origin,
    RelationRecord,
    SpanRecord,
    ValueRecord,
)
from annotator.builds.splits import group_digest, group_of
from annotator.certificates.models import Certificate
from annotator.core.chunks import WINDOW
from annotator.core.prompting import FULL
from annotator.core.schema import Schema
from annotator.documents.models import Document
from annotator.jobs.models import Job
from annotator.projects.models import Project, SchemaVersion
from annotator.review.models import ReviewItem
from annotator.suggestions.labelers import current_spec
from annotator.suggestions.models import Suggestion

_Said = TypeVar("_Said", Annotation, Relation, DocumentValue)
PAGE = 200
_SETS = 1000
Submitted = AnnotationSet.Status.SUBMITTED


@dataclass(frozen=True, slots=True)
class ReadySet:
    """The annotation set whose spans a note goes out with, as it was when the build began.

    `annotator` answers for the set, and is None where certificates alone have finished the note; each annotation names
    who made it.
    """

    set_id: int
    document_id: int
    external_id: str
    patient_id: str
    annotator: str | None
    submitted_at: datetime | None
    is_gold: bool
    has_certified: bool = False
    note_type: str = ""

    @property
    def state(self) -> str:
        """How the note was finished: a key of `criteria.STATES`."""
        if self.is_gold:
            return "adjudicated"
        return "read" if self.annotator else "certified"


@dataclass(frozen=True, slots=True)
class Readiness:
    """The notes that can go into a dataset, in the order of their external ids, and how many cannot, and why:
    nobody has submitted them, another reader is still to come, several have and nobody has adjudicated; where only what
    people decided is wanted, certificates have accepted spans in them. `n_filtered`: by which filter.
    """

    sets: tuple[ReadySet, ...]
    n_documents: int
    n_unsubmitted: int
    n_unread: int
    n_several: int
    n_by_others: int
    n_certified: int = 0
    n_filtered: Mapping[str, int] = field(default_factory=dict)

    @property
    def n_ready(self) -> int:
        return len(self.sets)


def readiness(
    *, project: Project, annotator: str = "", is_human_only: bool = False, filters: Filters = NO_FILTERS
) -> Readiness:
    """What is ready: of notes that wait for no reader the gold set, else the only reading. Three queries, and those of
    the filters.

    A note that several people have submitted waits for adjudication. With `annotator` (a public id) it is the reading
    of that person, whoever else has read the note or is to read it. `is_human_only`: a note in which certificates have
    accepted spans is left out, since without them it would say that nothing is there.
    """
    waiting = set() if annotator else _waiting_notes(project)
    rows = (
        AnnotationSet.objects.filter(document__project=project, status=Submitted)
        .exclude(kind__in=APART)
        .order_by("document_id")
        .values_list(
            "pk",
            "document_id",
            "document__external_id",
            "document__patient_id",
            "annotator__public_id",
            "submitted_at",
            Case(When(kind=AnnotationSet.Kind.GOLD, then=True), default=False),
            has_certified(),
            "document__note_type",
        )
    )
    n_documents = Document.objects.filter(project=project).count()
    ready: list[ReadySet] = []
    n_submitted = n_unread = n_several = n_by_others = 0
    for document_id, sets in groupby(_ready_sets(rows), attrgetter("document_id")):
        gold, readings = _apart(sets)
        if not readings:
            continue
        n_submitted += 1
        read = [found for found in readings if found.annotator] or readings  # before what nobody did
        wanted = [found for found in read if found.annotator == annotator] if annotator else read
        if document_id in waiting:
            n_unread += 1
        elif gold is not None and not annotator:
            ready.append(gold)
        elif len(wanted) == 1:
            ready.append(wanted[0])
        elif wanted:
            n_several += 1
        else:
            n_by_others += 1
    decided = [found for found in ready if not (is_human_only and found.has_certified)]
    reason = left_out_by(project=project, filters=filters)
    kept: list[ReadySet] = []
    n_filtered: Counter[str] = Counter()
    for found in decided:
        filtered = reason(found)
        if filtered:
            n_filtered[filtered] += 1
        else:
            kept.append(found)
    return Readiness(
        sets=tuple(sorted(kept, key=lambda found: (found.external_id, found.document_id))),
        n_documents=n_documents,
        n_unsubmitted=max(n_documents - n_submitted, 0),
        n_unread=n_unread,
        n_several=n_several,
        n_by_others=n_by_others,
        n_certified=len(ready) - len(decided),
        n_filtered=dict(sorted(n_filtered.items())),
    )


def note_pages(*, project: Project, sets: Sequence[ReadySet]) -> Iterator[list[NoteRecord]]:
    """The notes of `sets`, in that order, by pages of 200. One query, and six a page; seven where it has comments.

    A note whose set is no longer as it was when `sets` was read (reopened, perhaps submitted anew) is missing.
    """
    schemas = {version.pk: version.schema for version in SchemaVersion.objects.filter(project=project)}
    for first in range(0, len(sets), PAGE):
        page = sets[first : first + PAGE]
        annotations = _annotations(page)
        relations, values = _live(Relation.objects.all(), page), _live(DocumentValue.objects.all(), page)
        comments = _comments(page)
        documents = Document.objects.in_bulk([found.document_id for found in page])
        # Read last: a set that is unchanged now was unchanged while what it says was read.
        unchanged = set(
            AnnotationSet.objects.filter(pk__in=[found.set_id for found in page], status=Submitted)
            .order_by()
            .values_list("pk", "submitted_at")
        )
        yield [
            _note(
                documents[found.document_id],
                annotations[found.set_id],
                relations[found.set_id],
                values[found.set_id],
                comments[found.set_id],
                schemas,
            )
            for found in page
            if (found.set_id, found.submitted_at) in unchanged
        ]


def labels_of_sets(sets: Sequence[ReadySet]) -> Iterator[frozenset[str]]:
    """The labels of each set's live spans, in the order of `sets`. One query for each thousand of them."""
    for first in range(0, len(sets), _SETS):
        page = [found.set_id for found in sets[first : first + _SETS]]
        rows = Annotation.objects.filter(set_id__in=page, status=Annotation.Status.LIVE).order_by()
        said: dict[int, set[str]] = defaultdict(set)
        for set_id, label in rows.values_list("set_id", "label").distinct():
            said[set_id].add(label)
        yield from (frozenset(said[set_id]) for set_id in page)


def default_options(project: Project, test_set: LockedTestSet | None) -> BuildOptions:
    """What is built where nothing else is asked for: chat rows ask as the project's labeler does, and while its
    `test_set` is locked no new patient comes to test. One query.
    """
    asks = current_spec(project).decoding
    return BuildOptions(
        shares=(90, 10, 0) if test_set else (80, 10, 10),
        window=min(max(asks.get("window", WINDOW), SMALLEST_WINDOW), LARGEST_WINDOW),
        template=asks.get("template", FULL),
        is_stratified=True,
    )


def locked_test_set(project: Project) -> LockedTestSet | None:
    """The project's locked test set, with who locked it and `n_groups`, its patients. One query."""
    found = LockedTestSet.objects.filter(project=project).select_related("locked_by")
    return found.annotate(n_groups=Count("groups")).first()


def locked_groups(project: Project) -> set[str]:
    """The digests of the groups in the project's locked test set; empty where none is locked. One query."""
    rows = LockedGroup.objects.filter(test_set__project=project).order_by()
    return set(rows.values_list("digest", flat=True))


def digest_of(project: Project, patient_id: str, external_id: str) -> str:
    """What names a note's group in a locked test set."""
    group = group_of(patient_id=patient_id, external_id=external_id)
    return group_digest(project=project.public_id, group=group)


def builds_of(project: Project) -> QuerySet[DatasetBuild]:
    """The project's builds, newest first, with job and author. One query."""
    return DatasetBuild.objects.filter(project=project).select_related("job", "created_by").order_by("-number")


def one_before(build: DatasetBuild) -> DatasetBuild | None:
    """The newest build of the project that was done before this one was asked for. One query."""
    older = builds_of(build.project).filter(number__lt=build.number, job__status=Job.Status.DONE)
    return older.first()


def revoked_under(builds: Collection[DatasetBuild]) -> dict[int, list[Certificate]]:
    """The certificates that these builds rest on and that have been revoked since, by the build's row id: such a build
    is flagged. One query, none where no build rests on any.
    """
    under = {build.pk: [found["id"] for found in build.manifest.get("certificates", ())] for build in builds}
    wanted = {public_id for ids in under.values() for public_id in ids}
    if not wanted:
        return {}
    statuses = [Certificate.Status.REVOKING, Certificate.Status.REVOKED]
    revoked = {
        found.public_id: found
        for found in Certificate.objects.filter(public_id__in=wanted, status__in=statuses).select_related("batch")
    }
    flagged = {pk: [revoked[public_id] for public_id in ids if public_id in revoked] for pk, ids in under.items()}
    return {pk: found for pk, found in flagged.items() if found}


def readers_of(project: Project) -> list[User]:
    """Who has submitted a set in the project, by name. One query."""
    return list(
        User.objects.filter(
            annotation_sets__document__project=project,
            annotation_sets__kind=AnnotationSet.Kind.READING,
            annotation_sets__status=Submitted,
        )
        .distinct()
        .order_by("username")
    )


def _ready_sets(rows: QuerySet[AnnotationSet, tuple[Any, ...]]) -> Iterator[ReadySet]:
    """A set of each row; what is the same in many of them, who answers and the note's type, is one object."""
    same: dict[Any, Any] = {}
    for (
        set_id,
        document_id,
        external_id,
        patient_id,
        annotator,
        submitted_at,
        is_gold,
        certified,
        note_type,
    ) in rows.iterator(chunk_size=2000):
        yield ReadySet(
            set_id=set_id,
            document_id=document_id,
            external_id=external_id,
            patient_id=patient_id,
            annotator=same.setdefault(annotator, annotator),
            submitted_at=submitted_at,
            is_gold=is_gold,
            has_certified=certified,
            note_type=same.setdefault(note_type, note_type),
        )


def _apart(sets: Iterable[ReadySet]) -> tuple[ReadySet | None, list[ReadySet]]:
    """Of one note the gold set, where there is one, and the readings."""
    gold, readings = None, []
    for found in sets:
        if found.is_gold:
            gold = found
        else:
            readings.append(found)
    return gold, readings


def _waiting_notes(project: Project) -> set[int]:
    """The notes that a reader is still to come to, by row id."""
    items = ReviewItem.objects.filter(
        document__project=project, unit=ReviewItem.Unit.NOTE, status=ReviewItem.Status.OPEN
    )
    return set(items.order_by().values_list("document_id", flat=True))


def _live(rows: QuerySet[_Said], page: Sequence[ReadySet]) -> dict[int, list[_Said]]:
    """What of the rows is live, with who said it, by set."""
    found = rows.filter(set_id__in=[one.set_id for one in page], status=Annotation.Status.LIVE)
    by_set: dict[int, list[_Said]] = defaultdict(list)
    for row in found.select_related("annotator").order_by():
        by_set[row.set_id].append(row)
    return by_set


def _annotations(page: Sequence[ReadySet]) -> dict[int, list[Annotation]]:
    """Live annotations by set, in the order of their places."""
    by_set = _live(
        Annotation.objects.select_related("origin__job__run__labeler", "certificate__batch").defer("origin__signals"),
        page,
    )
    for found in by_set.values():
        found.sort(key=lambda annotation: (annotation.span, annotation.label))
    return by_set


def _comments(page: Sequence[ReadySet]) -> dict[int, list[CommentRecord]]:
    """Standing comments by set, oldest first."""
    rows = list(
        Comment.objects.filter(set_id__in=[found.set_id for found in page], status=Comment.Status.OPEN)
        .select_related("author", "suggestion")
        .defer("suggestion__signals")
        .order_by("pk")
    )
    spans = spans_of(rows)
    by_set: dict[int, list[CommentRecord]] = defaultdict(list)
    for comment in rows:
        about = spans.get(comment.pk)
        record = CommentRecord(
            kind=comment.kind,
            body=comment.body,
            span=about.span if about else None,
            label=about.label if about else "",
            author=comment.author.public_id,
            created_at=comment.created_at,
        )
        by_set[comment.set_id].append(record)
    return by_set


def _note(
    document: Document,
    annotations: Sequence[Annotation],
    relations: Sequence[Relation],
    values: Sequence[DocumentValue],
    comments: Sequence[CommentRecord],
    schemas: Mapping[int, Schema],
) -> NoteRecord:
    places = {annotation.thread: place for place, annotation in enumerate(annotations)}
    return NoteRecord(
        id=document.external_id,
        public_id=document.public_id,
        patient_id=document.patient_id,
        note_type=document.note_type,
        text=document.text,
        sha256=document.sha256,
        metadata=document.metadata,
        spans=tuple(
            SpanRecord(
                span=annotation.span,
                surface=annotation.surface,
                label=annotation.label,
                attributes=annotation.attributes,
                annotator=annotation.annotator.public_id if annotation.annotator else "",
                stage=annotation.stage,
                origin=_origin(annotation, annotation.origin, schemas) if annotation.origin else None,
                decided_at=annotation.created_at,
                certificate=_certificate(annotation.certificate) if annotation.certificate else None,
            )
            for annotation in annotations
        ),
        relations=tuple(
            sorted(
                RelationRecord(
                    type=relation.type,
                    head=places[relation.head],
                    tail=places[relation.tail],
                    annotator=relation.annotator.public_id,
                    decided_at=relation.created_at,
                )
                for relation in relations
            )
        ),
        document_labels=tuple(
            sorted(
                ValueRecord(
                    name=value.name,
                    value=value.value,
                    annotator=value.annotator.public_id,
                    decided_at=value.created_at,
                )
                for value in values
            )
        ),
        comments=tuple(comments),
    )


def _certificate(certificate: Certificate) -> CertificateRecord:
    return CertificateRecord(
        number=certificate.number,
        public_id=certificate.public_id,
        target=certificate.batch.target,
        delta=certificate.batch.delta,
    )


def _origin(annotation: Annotation, suggestion: Suggestion, schemas: Mapping[int, Schema]) -> Origin:
    labeler = suggestion.job.run.labeler
    # A suggestion may leave attributes out; an annotation has them all, completed by the same defaults.
    attributes = schemas[annotation.schema_version_id].attributes_of(annotation.label)
    suggested = {attribute.name: attribute.default for attribute in attributes} | suggestion.attributes
    return Origin(
        labeler=LabelerRecord(
            name=labeler.name,
            backend=labeler.backend,
            model_id=labeler.model_id,
            revision=labeler.revision,
            prompt_digest=labeler.prompt_digest,
        ),
        score=suggestion.score,
        is_edited=(annotation.label, annotation.fragments, annotation.attributes)
        != (suggestion.label, suggestion.fragments, suggested),
    )
