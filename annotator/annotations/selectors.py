"""Reading what sets say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from annotator.annotations.models import Annotation
from annotator.core.readings import ReadSpan
from annotator.core.spans import Span


def spans_by_set(set_ids: Collection[int]) -> Mapping[int, list[ReadSpan]]:
    """The live spans of these sets by set; an empty list for a set without any. One query."""
    spans: dict[int, list[ReadSpan]] = defaultdict(list)
    live = Annotation.objects.filter(set__in=set_ids, status=Annotation.Status.LIVE).order_by()
    for set_id, fragments, label, attributes in live.values_list("set_id", "fragments", "label", "attributes"):
        spans[set_id].append(ReadSpan(Span.parse(fragments), label, attributes))
    return spans
