"""A reviewer who knows the gold of the demo notes, with a clock and a worker of its own: for bench/trust_page.py.

To be imported once Django is set up.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db.models import QuerySet

from annotator.accounts.models import User
from annotator.annotations.models import Annotation
from annotator.celery import app
from annotator.core.brat import parse_ann
from annotator.core.matching import Labelled, share_a_character
from annotator.core.spans import Span
from annotator.core.text import normal_text
from annotator.demo.services import NOTES, demo_schema
from annotator.projects.models import Project
from annotator.review.leases import put_back, release, take_next
from annotator.review.models import REVEALED, ReviewItem
from annotator.review.services import Accept, Act, Add, Edit, FinishNote, Reject, Undo, decide
from annotator.review.spans import take_next_span
from annotator.suggestions.models import Suggestion
from annotator.sweeper import sweep

BEGIN = datetime(2027, 2, 1, 9, 0, tzinfo=UTC)  # a Monday
SESSION, WORKDAYS = timedelta(minutes=30), {0, 2, 4}
# Notes that are longer wait until all others are done.
LONGEST = 20_000
# Of the spans that were not suggested, the share found by who reads with suggestions; of all, by who reads blind.
FOUND = {"uncertain": 0.6, "blind": 0.92}
# Seconds: reading 1,000 characters, and each act. Every one is multiplied by a log-normal factor of spread SPREAD.
READING = {"uncertain": 45.0, "blind": 80.0}
PACE: Mapping[type[Act], float] = {Accept: 2.5, Reject: 4.0, Edit: 7.0, Add: 8.0, Undo: 2.0, FinishNote: 2.0}
SPREAD = 0.35
# How many acts lie between two rounds of the sweeper.
SWEEP_EVERY = 10
Gold = Mapping[Labelled, Mapping[str, str]]


@dataclass
class Clock:
    """The time of the installation, which passes as the reviewer works; `began` is when they sat down."""

    now: datetime = BEGIN
    began: datetime = BEGIN

    def end_session(self) -> None:
        """On to the next morning on which there is work."""
        self.began += timedelta(days=1)
        while self.began.weekday() not in WORKDAYS:
            self.began += timedelta(days=1)
        self.now = self.began


@dataclass
class Bells:
    """What was rung, answered one after another as a worker would."""

    waiting: deque[tuple[str, tuple[int, ...]]] = field(default_factory=deque)

    def ring(self, task: str, ids: tuple[int, ...], queue: str) -> None:
        if (task, ids) not in self.waiting:
            self.waiting.append((task, ids))

    def answer(self) -> None:
        while self.waiting:
            task, ids = self.waiting.popleft()
            app.tasks[task].apply(args=ids, throw=True)

    def sweep(self, now: datetime) -> None:
        sweep(now=now)
        self.answer()


@dataclass
class Reviewer:
    """Who decides as the gold says, in the time of PACE. `n_decided` counts decisions on suggestions in notes that are
    read with them, audits included.
    """

    project: Project
    user: User
    clock: Clock
    bells: Bells
    chance: random.Random = field(default_factory=lambda: random.Random(3))
    known: dict[str, Gold] = field(default_factory=dict)
    n_decided: int = 0
    done: Counter[str] = field(default_factory=Counter)

    def work(self, n_decisions: int, *, is_by_span: bool = False) -> None:
        """Go on until so many are decided, or nothing is left; a note that is begun then stays begun. By note audits
        come first all the same.
        """
        while self.n_decided < n_decisions:
            if self._decide_next(is_audit=not is_by_span):
                continue
            note = take_next(project=self.project, reviewer=self.user, now=self.clock.now)
            if note is None:
                return
            if note.document.n_chars > LONGEST and note.skipped_at is None:
                put_back(note_item=note, reviewer=self.user, now=self.clock.now)
                continue
            self._read(note, n_decisions)

    def _decide_next(self, *, is_audit: bool) -> bool:
        """Decide the span that comes next, if it is an audit where one is wanted; whether there was one."""
        found = take_next_span(project=self.project, reviewer=self.user, now=self.clock.now)
        if found is None:
            return False
        note, item = found
        is_wanted = not is_audit or item.stream == ReviewItem.Stream.AUDIT
        if is_wanted:
            self._decide_on(note, item)
            note.refresh_from_db()
        release(note_item=note, reviewer=self.user)
        return is_wanted

    def _read(self, note: ReviewItem, n_decisions: int) -> None:
        """Read a note to its end, as its stream says."""
        if note.stream == ReviewItem.Stream.BLIND and note.reason != REVEALED:
            self._add(note, taken=_said(note))
            self._finish(note)
            self._act(note, Undo())
            note.refresh_from_db()
        for item in _open_spans(note):
            self._decide_on(note, item)
            if self.n_decided >= n_decisions:
                return
        if note.stream != ReviewItem.Stream.BLIND:
            self._add(note, taken=_said(note) | _suggested(note))
        self._finish(note)

    def _finish(self, note: ReviewItem) -> None:
        """Submit the note; the time of reading it is told with that."""
        reading = 0.0 if note.reason == REVEALED else READING[note.stream] * note.document.n_chars / 1000
        self._act(note, FinishNote(), reading=reading)
        note.refresh_from_db()

    def _decide_on(self, note: ReviewItem, item: ReviewItem) -> None:
        """Decide a suggestion as the gold says; not one that a test has come to hold meanwhile."""
        item.refresh_from_db(fields=["status", "version", "stream"])
        if item.status == ReviewItem.Status.OPEN:
            self._act(note, self._answer(note, item))
            self.n_decided += note.stream != ReviewItem.Stream.BLIND

    def _answer(self, note: ReviewItem, item: ReviewItem) -> Act:
        suggestion, gold, said = item.suggestion, self._gold(note), _said(note)
        assert suggestion is not None
        same = Labelled(suggestion.span, suggestion.label)
        if same in gold and same not in said:
            given = demo_schema().checked_attributes(label=suggestion.label, given=suggestion.attributes)
            return Accept(item) if given == gold[same] else Edit(item, attributes=gold[same])
        if same in gold:
            return Accept(item)
        taken = said | _suggested(note)
        for each in sorted(gold, key=lambda one: (one.label != same.label, one.span != same.span, one)):
            if each not in taken and share_a_character(each.span, same.span):
                return Edit(item, span=each.span, label=each.label, attributes=gold[each])
        return Reject(item)

    def _add(self, note: ReviewItem, *, taken: set[Labelled]) -> None:
        """Add what the reader sees of the gold spans that are not `taken`."""
        gold = self._gold(note)
        for each in sorted(gold):
            if each not in taken and self.chance.random() < FOUND[note.stream]:
                self._act(note, Add(span=each.span, label=each.label, attributes=gold[each]))

    def _gold(self, note: ReviewItem) -> Gold:
        name = note.document.external_id
        if name not in self.known:
            self.known[name] = _read_gold(name)
        return self.known[name]

    def _act(self, note: ReviewItem, act: Act, *, reading: float = 0.0) -> None:
        seconds = round((PACE[type(act)] + reading) * self.chance.lognormvariate(0, SPREAD), 1)
        self.clock.now += timedelta(seconds=seconds)
        self.done[type(act).__name__] += 1
        decide(
            note_item=note,
            reviewer=self.user,
            act=act,
            key=f"script-{self.done.total()}",
            now=self.clock.now,
            active_seconds=seconds,
        )
        self.bells.answer()
        if self.done.total() % SWEEP_EVERY == 0:
            self.bells.sweep(self.clock.now)
        if self.clock.now - self.clock.began > SESSION:
            self.clock.end_session()
            self.bells.sweep(self.clock.now)


def _read_gold(name: str) -> Gold:
    text, schema = normal_text((NOTES / f"{name}.txt").read_bytes().decode()), demo_schema()
    return {
        Labelled(text.span_from_raw(each.span), each.label): schema.checked_attributes(
            label=each.label, given=each.attributes
        )
        for each in parse_ann((NOTES / f"{name}.ann").read_text()).spans
    }


def _open_spans(note: ReviewItem) -> list[ReviewItem]:
    spans = ReviewItem.objects.filter(document=note.document, slot=note.slot, unit=ReviewItem.Unit.SPAN)
    waiting = spans.filter(status=ReviewItem.Status.OPEN).select_related("suggestion", "document__project")
    return list(waiting.order_by("suggestion__start", "pk"))


def _said(note: ReviewItem) -> set[Labelled]:
    return _labelled(Annotation.objects.filter(set__document=note.document, status=Annotation.Status.LIVE))


def _suggested(note: ReviewItem) -> set[Labelled]:
    return _labelled(Suggestion.objects.filter(document=note.document))


def _labelled(rows: QuerySet[Annotation] | QuerySet[Suggestion]) -> set[Labelled]:
    return {Labelled(Span.parse(fragments), label) for label, fragments in rows.values_list("label", "fragments")}
