"""What may have been missed in a note whose suggestions are all decided: the card asks, a person answers.

A candidate is never stored and no suggestion: it is read anew from the note, from what its reader labelled in it, and
from what people did with the same words in the project's other notes, as far as this reader may see that
(`similar.is_finished`). Accepted, it is an added span like any other. The reader of a blind note is offered none.
"""

from __future__ import annotations

from collections import Counter

from django.db.models import Count, Q

from annotator.accounts.models import User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.core.mentions import n_mentions
from annotator.core.missed import Candidate, Place, Record, candidates, open_phrases
from annotator.core.spans import Span
from annotator.core.surfaces import normal_surface, surface_keys
from annotator.documents.models import Document
from annotator.review.blinding import is_read_blind
from annotator.review.models import Decision, ReviewItem
from annotator.review.selectors import NoteView
from annotator.review.similar import is_finished

SAMPLE = 40  # of the newest finished notes: they say how often words are left without a label
MOST_SETS = 500  # of the reader's own, and of others' finished ones, the newest: the card says what stands in these
_LOOKED_FOR = 60  # of so many words, the ones labelled in most notes
_Verdict = Decision.Verdict


def missed_in(view: NoteView, *, reader: User) -> list[Candidate]:
    """What may have been missed in the note, the likeliest first. Five queries, whatever the project holds.

    Nothing is offered over an annotation, nor, with the same label, over what was rejected, removed or dismissed here;
    what was dismissed is not offered in other places of the note either.
    """
    if is_read_blind(view.note_item):
        return []
    text = view.document.text
    spans = [(mark.span, mark.label.name) for mark in view.annotations]
    places = open_phrases(text, (place for span, _ in spans for place in span.fragments))
    labels_here: dict[str, Counter[str]] = {}
    for span, label in spans:
        if not span.is_discontinuous:
            labels_here.setdefault(normal_surface(span.surface(text)), Counter())[label] += 1
    refused: list[tuple[str, int, int]] = []
    for label, span, is_dismissed in _turned_down(view.note_item):
        refused += [(label, *place) for place in span.fragments]
        if is_dismissed:
            refused += [(label, *place) for place in places.get(normal_surface(span.surface(text)), ())]
    return candidates(
        places,
        here={words: labels.most_common(1)[0] for words, labels in labels_here.items()},
        records=_records(places, view.document, reader),
        refused=refused,
    )


def _turned_down(note_item: ReviewItem) -> list[tuple[str, Span, bool]]:
    """Label and place of what was rejected, removed or dismissed in the note; whether it was dismissed. One query."""
    found = Decision.objects.filter(
        note_item=note_item, verdict__in=[_Verdict.REJECT, _Verdict.DISMISS], undone_by=None
    ).values_list(
        *("item__suggestion__label", "item__suggestion__fragments", "withdrew__label", "withdrew__fragments"),
        *("dismissed_label", "dismissed_fragments"),
    )
    return [
        (item_label or withdrew_label or label, Span.parse(item_place or withdrew_place or place), bool(place))
        for item_label, item_place, withdrew_label, withdrew_place, label, place in found
    ]


def _records(places: dict[str, list[Place]], document: Document, reader: User) -> dict[str, Record]:
    """What people did with these words in other notes, as far as the reader may know. Four queries, bounded but for
    who may see a set: that is asked of all until MOST_SETS are found.

    Text is read of the sample only, and only for words that somebody has labelled.
    """
    others = AnnotationSet.objects.filter(document__project=document.project_id).exclude(document=document)
    newest = others.order_by("-pk").values_list("pk", flat=True)
    finished = list(newest.filter(is_finished(reader))[:MOST_SETS])
    own = newest.filter(annotator=reader, kind=AnnotationSet.Kind.READING)[:MOST_SETS]
    sample = finished[:SAMPLE]
    words_of = surface_keys(project_id=document.project_id, surfaces=places)
    labelled = (
        Annotation.objects.filter(
            set__in={*finished, *own}, surface_key__in=list(words_of), status=Annotation.Status.LIVE
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
    kept = list(most.items())[:_LOOKED_FOR]
    texts = Document.objects.filter(annotation_sets__in=sample).values_list("text", flat=True) if kept else []
    normal = [normal_surface(text) for text in texts]
    return {
        words: Record(label, n_spans, n_notes, sum(n_mentions(text, words) for text in normal), n_labelled)
        for words, (label, n_spans, n_notes, n_labelled) in kept
    }
