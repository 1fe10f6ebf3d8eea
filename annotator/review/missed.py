"""What may have been missed in a note whose suggestions are all decided: the card asks, a person answers.

What is offered is no suggestion: it is read anew from the note, from what its reader labelled in it, from what people
did with the same words in the project's other notes, as far as this reader may see that (`similar.is_finished`), and
from the candidates that a run's second reader left. Accepted, it is an added span like any other. The reader of a blind
note is offered none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import islice

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.core.mentions import n_mentions
from annotator.core.missed import Found, Missed, Place, Record, may_be_missed, open_phrases
from annotator.core.spans import Span
from annotator.core.surfaces import normal_surface, surface_keys
from annotator.documents.models import Document
from annotator.review.blinding import is_read_alone
from annotator.review.models import APART, ON_DECOY, Decision, ReviewItem
from annotator.review.selectors import NoteView
from annotator.review.similar import is_finished
from annotator.suggestions.models import Candidate, LabelJob

SAMPLE = 40  # of the newest finished notes: they say how often words are left without a label
MOST_SETS = 500  # of the reader's own, and of others' finished ones, the newest: the card says what stands in these
_LOOKED_FOR = 60  # of so many words, the ones labelled in most notes, and of so many that a second reader found
_Verdict = Decision.Verdict


def missed_in(view: NoteView, *, reader: User) -> list[Missed]:
    """What may have been missed in the note, the likeliest first. Seven queries, whatever the project holds.

    Nothing is offered over an annotation or a held suggestion, nor, with the same label, over what was rejected,
    removed or dismissed here; what was dismissed is not offered in other places of the note either.
    """
    if is_read_alone(view.note_item):
        return []
    text = view.document.text
    spans = [(mark.span, mark.label.name) for mark in view.annotations]
    places = open_phrases(text, (place for mark in (*view.annotations, *view.held) for place in mark.span.fragments))
    labels_here: dict[str, Counter[str]] = {}
    for span, label in spans:
        if not span.is_discontinuous:
            labels_here.setdefault(normal_surface(span.surface(text)), Counter())[label] += 1
    finished = _finished_sets(view.document, reader)
    found = _found(view, finished)
    for words, ones in found.items():
        places.setdefault(words, [(one.start, one.end) for one in ones])
    refused: list[tuple[str, int, int]] = []
    for label, span, is_dismissed in _turned_down(view.note_item):
        refused += [(label, *place) for place in span.fragments]
        if is_dismissed:
            refused += [(label, *place) for place in places.get(normal_surface(span.surface(text)), ())]
    return may_be_missed(
        places,
        here={words: labels.most_common(1)[0] for words, labels in labels_here.items()},
        records=_records(places, view.document, reader, finished, found),
        refused=refused,
        found=found,
    )


def _turned_down(note_item: ReviewItem) -> list[tuple[str, Span, bool]]:
    """Label and place of what was rejected, removed or dismissed in the note; whether it was dismissed. One query."""
    found = Decision.objects.filter(
        note_item=note_item, verdict__in=[_Verdict.REJECT, _Verdict.DISMISS], undone_by=None
    )
    rows = found.exclude(stream=ON_DECOY).values_list(
        *("item__suggestion__label", "item__suggestion__fragments", "withdrew__label", "withdrew__fragments"),
        *("dismissed_label", "dismissed_fragments"),
    )
    return [
        (item_label or withdrew_label or label, Span.parse(item_place or withdrew_place or place), bool(place))
        for item_label, item_place, withdrew_label, withdrew_place, label, place in rows
    ]


def _finished_sets(document: Document, reader: User) -> list[int]:
    """The newest sets of the project's other notes that the reader may know of. One query, bounded but for who may see
    a set: that is asked of all until MOST_SETS are found.
    """
    return list(_other_sets(document).filter(is_finished(reader))[:MOST_SETS])


def _other_sets(document: Document) -> QuerySet[AnnotationSet, int]:
    readings = AnnotationSet.objects.filter(
        document__project=document.project_id, kind=AnnotationSet.Kind.READING, annotator__isnull=False
    )
    return readings.exclude(document=document).order_by("-pk").values_list("pk", flat=True)


def _found(view: NoteView, finished: Collection[int]) -> dict[str, list[Found]]:
    """By words, where the second reader of each labeler's newest run over the note saw what its model did not, the best
    scored first; without words that people rejected under that label in `finished` sets. Two queries.
    """
    text = view.document.text
    name = OuterRef("job__run__labeler__name")
    newer = LabelJob.for_review.filter(
        Q(run__labeler__name=name) | Q(run__labeler__promotions__previous__name=name),
        document=OuterRef("document"),
        status=LabelJob.Status.DONE,
        pk__gt=OuterRef("job"),
    )
    rows = (
        Candidate.for_review.filter(~Exists(newer), document=view.document)
        .filter(label__in=view.schema.label_names)
        .exclude(fragments__contains=";")
        .order_by("-score", "start", "pk")
        .values_list("start", "end", "label", "score", "job__run__labeler__decoding__second")
    )
    covered = [mark.span for mark in (*view.annotations, *view.held)]
    open_ones = [Found(*row) for row in rows if not any(span.overlaps(Span.of(row[0], row[1])) for span in covered)]
    if not open_ones:
        return {}
    rejected = {
        (label, normal_surface(surface))
        for label, surface in Decision.objects.filter(
            note_item__document__annotation_sets__in=finished,
            verdict=_Verdict.REJECT,
            undone_by=None,
            item__suggestion__label__in={one.label for one in open_ones},
        )
        .exclude(note_item__unit__in=APART)
        .values_list("item__suggestion__label", "item__suggestion__surface")
    }
    found: dict[str, list[Found]] = {}
    for one in open_ones:
        words = normal_surface(text[one.start : one.end])
        if (one.label, words) not in rejected:
            found.setdefault(words, []).append(one)
    return dict(islice(found.items(), _LOOKED_FOR))


def _records(
    places: dict[str, list[Place]],
    document: Document,
    reader: User,
    finished: Sequence[int],
    found: Collection[str],
) -> dict[str, Record]:
    """What people did with these words in other notes, as far as the reader may know. Three queries.

    Text is read of the sample only, and only for words that somebody has labelled, or that are `found`.
    """
    own = _other_sets(document).filter(annotator=reader)[:MOST_SETS]
    sample = finished[:SAMPLE]
    words_of = surface_keys(project_id=document.project_id, surfaces=places)
    labelled = (
        Annotation.objects.filter(
            set__in={*finished, *own},
            surface_key__in=list(words_of),
            status=Annotation.Status.LIVE,
            certificate=None,
        )
        .values_list("surface_key", "label")
        .annotate(
            n_spans=Count("pk"),
            n_notes=Count("set__document", distinct=True),
            n_labelled=Count("pk", filter=Q(set__in=sample)),
        )
        .order_by("-n_notes", "-n_spans", "label")
    )
    most: dict[str, tuple[str, int, int, int]] = {}
    for key, *counts in labelled:
        most.setdefault(words_of[key], tuple(counts))
    kept = dict(islice(most.items(), _LOOKED_FOR)) | {words: most.get(words, ("", 0, 0, 0)) for words in found}
    texts = Document.objects.filter(annotation_sets__in=sample).values_list("text", flat=True) if kept else []
    normal = [normal_surface(text) for text in texts]
    return {
        words: Record(label, n_spans, n_notes, sum(n_mentions(text, words) for text in normal), n_labelled)
        for words, (label, n_spans, n_notes, n_labelled) in kept.items()
    }
