"""The shape of a decision as the review page posts it."""

from __future__ import annotations

from django import forms

from annotator.annotations.models import Comment
from annotator.core.spans import Span, SpanError

MOST_SECONDS = 24 * 3600.0
_KEY = r"\A[ia][a-z2-7]{16}\Z"
_ASKED = ("verdict", "label", "dismiss", "attribute", "move", "bounds", "relation", "unrelate", "classify")


class DecisionForm(forms.Form):
    """One decision. Exactly one of the fields in `_ASKED` says what is done.

    `target` is a key of `selectors.Mark`, empty for a new span, whose place is in `fragments`. `dismiss` is the label
    that the place in `fragments` does not have; `missed` is the number, from 0, of what was offered there as missed.
    `attribute` reads 'name=value'; `move` reads 'start:-1', or 'start:-1:exact' by characters; `bounds` reads '15:25',
    where the hull is to start and end.
    `relation` reads 'out:type' where it goes from the span `relate` to the target, 'in:type' where it comes from there;
    `relate` alone says that one is being drawn. `unrelate` is the relation's id, `classify` reads 'name=value', or
    'name=' to take it back.
    `alike`: accept or reject all mentions that read alike.
    With `target` and `label`, `fragments` is where a span goes that waits for its label.
    `queue` is the reason that the queue is narrowed to, for the way on, as `missed` is; both are no part of the
    decision.
    """

    key = forms.CharField(max_length=64)
    target = forms.RegexField(_KEY, required=False)
    verdict = forms.ChoiceField(
        choices=[(verdict, verdict) for verdict in ("accept", "reject", "skip", "undo", "redo", "note_done")],
        required=False,
    )
    alike = forms.BooleanField(required=False)
    active_seconds = forms.FloatField(min_value=0, max_value=MOST_SECONDS, required=False)
    label = forms.CharField(max_length=40, required=False)
    dismiss = forms.CharField(max_length=40, required=False)
    missed = forms.IntegerField(min_value=0, required=False)
    attribute = forms.RegexField(r"\A[^=]{1,40}=[^=]{1,40}\Z", required=False)
    move = forms.RegexField(r"\A(start|end):(-1|1)(:exact)?\Z", required=False)
    bounds = forms.RegexField(r"\A\d{1,9}:\d{1,9}\Z", required=False)
    relate = forms.RegexField(_KEY, required=False)
    relation = forms.RegexField(r"\A(out|in):.{1,40}\Z", required=False)
    unrelate = forms.RegexField(r"\A[a-z2-7]{16}\Z", required=False)
    classify = forms.RegexField(r"\A[^=]{1,40}=[^=]{0,40}\Z", required=False)
    fragments = forms.CharField(max_length=500, required=False)
    queue = forms.CharField(max_length=40, required=False)

    def clean_bounds(self) -> tuple[int, int] | None:
        start, _, end = self.cleaned_data["bounds"].partition(":")
        return (int(start), int(end)) if end else None

    def clean_fragments(self) -> Span | None:
        value = self.cleaned_data["fragments"]
        if not value:
            return None
        try:
            return Span.parse(value)
        except SpanError as error:
            raise forms.ValidationError(str(error)) from error

    def clean(self) -> None:
        given = [name for name in _ASKED if self.cleaned_data.get(name)]
        if not self.errors and len(given) != 1:
            raise forms.ValidationError(f"one of {', '.join(_ASKED)} is wanted")


class NewSpanForm(forms.Form):
    """Where a new span is to be, in code points; grown to whole tokens, or to whole characters where `exact`."""

    start = forms.IntegerField(min_value=0)
    end = forms.IntegerField(min_value=1)
    exact = forms.BooleanField(required=False)


class RemarkedForm(forms.Form):
    """The span, by its key, or the note that the comments below the card are about, and what is typed there."""

    target = forms.RegexField(_KEY, required=False)
    body = forms.CharField(required=False, strip=True)


class CommentForm(RemarkedForm):
    """A comment; a flag or a question to discuss needs no words."""

    kind = forms.ChoiceField(choices=Comment.Kind.choices)
