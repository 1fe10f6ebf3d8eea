"""What the page shows below the card: the comments about the span in focus."""

from __future__ import annotations

from typing import Any

from annotator.annotations.comments import MOST_PRESSING, comments_about
from annotator.annotations.models import Comment
from annotator.review.models import ReviewItem
from annotator.review.selectors import Source

# What may be said with one key: kind, words, key.
_MARKS = ((Comment.Kind.FLAG, "Flag", "!"), (Comment.Kind.DISCUSS, "Discuss", "q"))


def remarks_context(note_item: ReviewItem, *, about: Source | None, is_mine: bool = True) -> dict[str, Any]:
    """The comments about a span, or about the note. One query; none of a note that is someone else's."""
    found: list[Comment] = []
    if is_mine:
        found = list(comments_about(document_id=note_item.document_id, reader_id=note_item.leased_by_id, about=about))
    standing = {comment.kind: comment for comment in found}
    return {
        "remarks": found,
        "is_about_span": about is not None,
        "said": next((kind for kind in MOST_PRESSING if kind in standing), ""),
        "marks_of_kind": [(kind, words, key, standing.get(kind)) for kind, words, key in _MARKS],
        "project_id": note_item.document.project.public_id,
        "may_remark": is_mine,
    }
