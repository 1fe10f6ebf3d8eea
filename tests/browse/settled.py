"""Places where an adjudicator chose between labels."""

from __future__ import annotations

import secrets

from annotator.accounts.models import User
from annotator.adjudication.models import Choice, Gold
from annotator.annotations.models import AnnotationSet
from annotator.annotations.services import add_adjudicated
from annotator.documents.models import Document
from annotator.readings.models import Adjudication
from tests.adjudication.scene import said
from tests.cast import NOW


def settle(document: Document, adjudicator: User, words: str, label: str, *others: str, proposes: bool = False) -> str:
    """The public id of the gold span at the words, which got `label` and none of the `others`."""
    adjudication, _ = Adjudication.objects.get_or_create(
        document=document, defaults={"status": Adjudication.Status.DONE, "done_at": NOW}
    )
    target, _ = AnnotationSet.objects.get_or_create(
        document=document,
        kind=AnnotationSet.Kind.GOLD,
        defaults={"annotator": adjudicator, "status": AnnotationSet.Status.SUBMITTED, "submitted_at": NOW},
    )
    (made,) = add_adjudicated(
        target=target,
        annotator=adjudicator,
        text=document.text,
        schema_version=document.project.schema_versions.latest("number"),
        news=said(document, (words, label)),
        now=NOW,
    )
    choice = Choice.objects.create(
        adjudication=adjudication,
        adjudicator=adjudicator,
        what=Choice.What.VERSION,
        between=" | ".join(sorted({label, *others})),
        label=label,
        proposes_example=proposes,
        idempotency_key=secrets.token_hex(8),
        decided_at=NOW,
    )
    Gold.objects.create(choice=choice, annotation=made)
    return made.public_id
