"""Choices: what an adjudicator settles about a note they hold, until all of it is gold.

`choose` is the one way in for the pages. One transaction checks the lease and the idempotency key, appends the choice
and makes the gold set say what the choices that count say.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F

from annotator.accounts.models import User
from annotator.adjudication.golding import clashes, gold_set, write_gold
from annotator.adjudication.leases import LeaseConflict, hold, lease, next_for
from annotator.adjudication.models import Choice
from annotator.adjudication.selectors import SEPARATOR, CaseFile, agreed_digest, case_file, content_of, labels_between
from annotator.annotations.models import AnnotationSet
from annotator.annotations.services import NewAnnotation, annotation_row, reopen_set, submit_set
from annotator.audit.services import record_event
from annotator.core.cases import OUTSIDE, Case, SaidSpan
from annotator.core.wording import counted
from annotator.projects.models import Project
from annotator.readings.comparing import compare_notes
from annotator.readings.models import Adjudication

_What = Choice.What
_Status = Adjudication.Status
_NOT_HELD = "This note is not in your hands any more: you have left it, or someone else has taken it."


class ChoiceConflict(Exception):
    """What is chosen about has changed since it was shown; the message says how."""


class ChoiceRefused(Exception):
    """A choice that the note does not allow; the message says why."""


class ReasonWanted(ChoiceRefused):
    """Rejecting every version needs a reason."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Settle the case of that key as its readings said when it was shown (`digest`). `version` is the one that is
    taken or, of a third one, the one it was made from; `spans` and `value` are what the third says.
    """

    case_key: str
    digest: str
    what: Choice.What
    version: str = ""
    spans: tuple[SaidSpan, ...] = ()
    value: str = ""
    reason: str = ""
    proposes_example: bool = False


@dataclass(frozen=True, slots=True)
class Undo:
    """Take back the last choice in the note, if it is the adjudicator's own."""


@dataclass(frozen=True, slots=True)
class Redo:
    """Do again what was undone last, if nothing was chosen since."""


Act = Settle | Undo | Redo


def take_next(*, project: Project, adjudicator: User, now: datetime) -> Adjudication | None:
    """Lease the note that comes next; None where no note is left for this person."""
    while (found := next_for(project=project, adjudicator=adjudicator, now=now)) is not None:
        try:
            take(adjudication=found, adjudicator=adjudicator, now=now)
        except LeaseConflict:
            continue
        return found
    return None


@transaction.atomic
def take(*, adjudication: Adjudication, adjudicator: User, now: datetime) -> None:
    """Lease the note and take all that its readings agree on. Raises LeaseConflict."""
    lease(adjudication=adjudication, adjudicator=adjudicator, now=now)
    _write(case_file(adjudication), adjudicator, now)
    _record(adjudication, actor=adjudicator, verb="adjudication.take", now=now)


def choose(
    *,
    adjudication: Adjudication,
    adjudicator: User,
    act: Act,
    key: str,
    now: datetime,
    asked: str = "",
    active_seconds: float | None = None,
) -> Choice:
    """Do `act` in the note and return the choice; a `key` seen before returns the first and only renews the lease.

    `asked` is the act in the words of who asked for it: a key that comes back with other words is refused. Raises
    LeaseConflict (someone else has the note), ChoiceConflict (what was shown has changed), ChoiceRefused, and from
    the rules of spans SchemaError and SpanError.
    """
    with transaction.atomic():
        is_held = hold(adjudication=adjudication, adjudicator=adjudicator, now=now)
        repeat = Choice.objects.filter(idempotency_key=key).first()
        if repeat is not None:
            if (repeat.adjudicator_id, repeat.adjudication_id, repeat.asked_sha256) != (
                *(adjudicator.pk, adjudication.pk),
                _digest(asked),
            ):
                raise ChoiceRefused("This key belongs to another choice.")
            return repeat
        if not is_held:
            raise LeaseConflict(_NOT_HELD)
        _refuse_closed(adjudication)
        before = case_file(adjudication)
        made = _choice_of(before, act, adjudicator)
        made.adjudication, made.adjudicator = adjudication, adjudicator
        made.active_seconds, made.idempotency_key, made.asked_sha256 = active_seconds, key, _digest(asked)
        made.decided_at = now
        made.save(force_insert=True)
        file = before.with_choice(made)
        if len(clashes(file.wanted())) > len(clashes(before.wanted())):
            raise ChoiceRefused("Gold has this span with this label already.")
        _write(file, adjudicator, now)
        _record(adjudication, actor=adjudicator, verb=f"adjudication.{made.what}", now=now, choice=made.pk)
        return made


@transaction.atomic
def finish(*, adjudication: Adjudication, adjudicator: User, now: datetime) -> None:
    """Submit the gold set: the note goes out as it says. Raises LeaseConflict, ChoiceConflict, ChoiceRefused."""
    if not hold(adjudication=adjudication, adjudicator=adjudicator, now=now):
        raise LeaseConflict(_NOT_HELD)
    _refuse_closed(adjudication)
    file = case_file(adjudication)
    n_open = file.n_cases - file.n_settled
    if n_open:
        raise ChoiceRefused(f"{counted(n_open, 'difference')} {'is' if n_open == 1 else 'are'} still open.")
    submit_set(target=_write(file, adjudicator, now), now=now)
    Adjudication.objects.filter(pk=adjudication.pk).update(status=_Status.DONE, done_at=now, lease_expires_at=None)
    compare_notes(document_ids=[adjudication.document_id])
    _record(adjudication, actor=adjudicator, verb="adjudication.finish", now=now)


@transaction.atomic
def reopen(*, adjudication: Adjudication, adjudicator: User, now: datetime) -> None:
    """Take finished gold back to work on it, leased to who asks. Raises ChoiceConflict where it is not finished."""
    reopened = Adjudication.objects.filter(pk=adjudication.pk, status=_Status.DONE).update(
        status=_Status.OPEN, done_at=None, lease_expires_at=None, version=F("version") + 1
    )
    if not reopened:
        raise ChoiceConflict("This note is not finished.")
    reopen_set(target=AnnotationSet.objects.get(document=adjudication.document_id, kind=AnnotationSet.Kind.GOLD))
    compare_notes(document_ids=[adjudication.document_id])
    _record(adjudication, actor=adjudicator, verb="adjudication.reopen", now=now)
    adjudication.refresh_from_db(fields=["version"])
    take(adjudication=adjudication, adjudicator=adjudicator, now=now)


def _choice_of(file: CaseFile, act: Act, adjudicator: User) -> Choice:
    """The choice as a row that is not saved yet."""
    if isinstance(act, Undo):
        last = file.last
        if last is None:
            raise ChoiceRefused("There is nothing to undo in this note.")
        if last.adjudicator_id != adjudicator.pk:
            raise ChoiceRefused("The last choice in this note is someone else's.")
        return Choice(what=_What.UNDO, case_key=last.case_key, undoes=last)
    if isinstance(act, Redo):
        undo = file.redoable
        if undo is None or undo.undoes is None or undo.adjudicator_id != adjudicator.pk:
            raise ChoiceRefused("There is nothing to redo in this note.")
        again = Choice(**{name: getattr(undo.undoes, name) for name in _AGAIN})
        again.redoes = undo
        return again
    case = file.case(act.case_key)
    if case is None or case.digest != act.digest:
        raise ChoiceConflict("What the readers say here has changed. This is how it stands now.")
    _check(file, case, act)
    choice = Choice(
        what=act.what,
        case_key=case.key,
        digest=case.digest,
        kind=case.kind,
        version=act.version,
        edited=_edited(act),
        between=labels_between(case),
        reason=act.reason,
        proposes_example=act.proposes_example,
    )
    choice.label = SEPARATOR.join(content_of(choice, case).labels)
    return choice


_AGAIN = (
    *("what", "case_key", "digest", "kind", "version", "edited", "between", "label", "reason", "proposes_example"),
)


def _check(file: CaseFile, case: Case, act: Settle) -> None:
    """Raises ChoiceRefused, ChoiceConflict, and of a third version SchemaError and SpanError."""
    is_of_version = act.what in {_What.VERSION, _What.EDIT}
    if is_of_version and case.version(act.version) is None:
        raise ChoiceConflict("This version is no longer there.")
    if act.what == _What.ALL and case.both is None:
        raise ChoiceRefused("These versions cannot stand side by side.")
    if act.what == _What.NEITHER and not act.reason:
        raise ReasonWanted("Say in a few words why none of them is right.")
    if act.what == _What.EDIT:
        _check_third(file, case, act)


def _check_third(file: CaseFile, case: Case, act: Settle) -> None:
    schema = file.schema_version.schema
    if case.key.startswith("value ") and not act.spans:
        schema.check_value(case.key.removeprefix("value "), act.value)
        return
    if not case.key.startswith("span ") or not act.spans or act.value:
        raise ChoiceRefused("Only spans and labels of the note can be written anew.")
    if not case.holds(said.span for said in act.spans):
        raise ChoiceRefused(OUTSIDE)
    for said in act.spans:
        annotation_row(text=file.text, schema=schema, new=NewAnnotation(said.span, said.label, dict(said.attributes)))


def _edited(act: Settle) -> dict[str, object]:
    if act.what != _What.EDIT:
        return {}
    return {"spans": [[str(said.span), said.label, dict(said.attributes)] for said in act.spans], "value": act.value}


def _refuse_closed(adjudication: Adjudication) -> None:
    adjudication.refresh_from_db(fields=["status", "version"])
    if adjudication.status == _Status.WAITING:
        raise ChoiceConflict("A reader has taken this note back: it waits until they submit it again.")
    if adjudication.status == _Status.DONE:
        raise ChoiceConflict("This note is done. Reopen it to change it.")


def _write(file: CaseFile, adjudicator: User, now: datetime) -> AnnotationSet:
    """Take what the readings agree on, where they agree on something new; make gold say it all, and count."""
    if file.agreed is None:
        file = file.with_choice(
            Choice.objects.create(
                adjudication=file.adjudication,
                adjudicator=adjudicator,
                what=_What.AGREED,
                digest=agreed_digest(file.cases),
                idempotency_key=uuid.uuid4().hex,
                decided_at=now,
            )
        )
    target = gold_set(file=file, adjudicator=adjudicator)
    write_gold(file=file, target=target, adjudicator=adjudicator, now=now)
    Adjudication.objects.filter(pk=file.adjudication.pk).update(n_cases=file.n_cases, n_settled=file.n_settled)
    return target


def _record(adjudication: Adjudication, *, actor: User, verb: str, now: datetime, **detail: int) -> None:
    document = adjudication.document
    record_event(
        project=document.project.public_id,
        actor=actor,
        verb=verb,
        object_id=document.public_id,
        now=now,
        detail=detail,
    )


def _digest(asked: str) -> str:
    return hashlib.sha256(asked.encode()).hexdigest()
