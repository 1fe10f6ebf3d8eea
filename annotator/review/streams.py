"""How a project's notes and spans come to its reviewers, as its leads set it: the policy, the share of notes that are
read blind, the share of accepted suggestions that people go on deciding, whether audits are blind, how many decoys
there are, and who decides audits again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from annotator.accounts.models import User
from annotator.audit.services import record_event
from annotator.notices.models import Kind
from annotator.notices.services import notify
from annotator.projects.access import Action
from annotator.projects.models import Project
from annotator.projects.selectors import current_schema, members_who
from annotator.projects.services import lock_projects
from annotator.review.decoying import MOST_PERCENT, drop_waiting
from annotator.review.decoys import can_have_decoys
from annotator.review.models import ReviewItem

_Stream = ReviewItem.Stream
_Status = ReviewItem.Status
_Unit = ReviewItem.Unit


class StreamsRefused(ValueError):
    """Streams that cannot be set as asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Streams:
    """The settings; shares in per cent. None may be read blind; of what is accepted something is always decided.
    `decoy_percent` are the decoys for a hundred suggestions: none is the rule. `seconds` and `second_percent` count for
    batches that are frozen from then on.
    """

    policy: str
    blind_percent: int
    watch_percent: int
    audits: str
    decoy_percent: int
    seconds: str = Project.Seconds.OFF
    second_percent: int = 10


def streams_of(project: Project) -> Streams:
    return Streams(**{each.name: getattr(project, each.name) for each in fields(Streams)})


@transaction.atomic
def set_streams(*, project: Project, streams: Streams, actor: User, now: datetime) -> int:
    """Set how notes and spans come; how many note items changed their stream. Nothing is written where nothing changes.

    A note that somebody has begun stays as it is. Where decoys begin or end, whoever reviews is told. Raises
    StreamsRefused for what is none of the choices, and for decoys where no label is left for them.
    """
    _refuse_wrong(streams)
    lock_projects(project)
    project.refresh_from_db(fields=list(asdict(streams)))
    before = streams_of(project)
    if streams == before:
        return 0
    if streams.decoy_percent and not can_have_decoys(current_schema(project).schema):
        raise StreamsRefused("every label of the schema is joined by a relation: none is left for decoys")
    for name, value in asdict(streams).items():
        setattr(project, name, value)
    project.save(update_fields=list(asdict(streams)))
    n_moved = draw_blind(project=project) if streams.blind_percent != before.blind_percent else 0
    if before.decoy_percent and not streams.decoy_percent:
        drop_waiting(project=project)
    record_event(
        project=project.public_id,
        actor=actor,
        verb="project.streams",
        object_id=project.public_id,
        now=now,
        detail=asdict(streams) | {"n_notes": n_moved},
    )
    if bool(streams.decoy_percent) != bool(before.decoy_percent):
        notify(
            users=members_who(project, Action.REVIEW),
            kind=Kind.DECOYS_ON if streams.decoy_percent else Kind.DECOYS_OFF,
            project=project.public_id,
            actor=actor,
            now=now,
            detail={"percent": streams.decoy_percent},
        )
    return n_moved


def draw_blind(*, project: Project, documents: Collection[int] | None = None) -> int:
    """Put the notes (all, or those given) that no round has and nobody has begun in the stream that their place in the
    random order says; how many note items changed. Two statements.

    Begun is also what a test or a certificate rests on: an audited, held or certified span is shown.
    """
    items = ReviewItem.objects.filter(project=project, unit=_Unit.NOTE, status=_Status.OPEN, round=None)
    if documents is not None:
        items = items.filter(document__in=documents)
    of_note = ReviewItem.objects.filter(document=OuterRef("document"))
    is_begun = Q(unit=_Unit.NOTE) & (Q(leased_by__isnull=False) | ~Q(status=_Status.OPEN) | Q(round__isnull=False))
    is_begun |= Q(unit=_Unit.SPAN) & (
        Q(status__in=[_Status.DECIDED, _Status.HELD, _Status.CERTIFIED]) | Q(stream=_Stream.AUDIT)
    )
    free = items.filter(~Exists(of_note.filter(is_begun)))
    share = project.blind_percent / 100
    to_blind = free.filter(stream=_Stream.UNCERTAIN, audit_key__lt=share)
    to_shown = free.filter(stream=_Stream.BLIND, audit_key__gte=share)
    return to_blind.update(stream=_Stream.BLIND, version=F("version") + 1) + to_shown.update(
        stream=_Stream.UNCERTAIN, version=F("version") + 1
    )


def _refuse_wrong(streams: Streams) -> None:
    if streams.policy not in Project.Policy.values:
        raise StreamsRefused(f"the policy is one of {', '.join(Project.Policy.values)}")
    if streams.audits not in Project.Audits.values:
        raise StreamsRefused(f"audits are one of {', '.join(Project.Audits.values)}")
    if streams.seconds not in Project.Seconds.values:
        raise StreamsRefused(f"audits are decided again by one of {', '.join(Project.Seconds.values)}")
    if not 0 <= streams.second_percent <= 100:
        raise StreamsRefused(f"{streams.second_percent} % of right audits cannot be decided again: 0 to 100 are wanted")
    if not 0 <= streams.blind_percent <= 100:
        raise StreamsRefused(f"{streams.blind_percent} % of the notes cannot be read blind: 0 to 100 are wanted")
    if not 1 <= streams.watch_percent <= 100:
        raise StreamsRefused(f"{streams.watch_percent} % cannot be watched: 1 to 100 are wanted")
    if not 0 <= streams.decoy_percent <= MOST_PERCENT:
        raise StreamsRefused(
            f"{streams.decoy_percent} decoys for a hundred suggestions: 0 to {MOST_PERCENT} are wanted"
        )
