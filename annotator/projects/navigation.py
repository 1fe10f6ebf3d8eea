"""The context that every page of a project shares."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.urls import reverse

from annotator.projects.access import Action, may
from annotator.projects.models import Membership

_ITEMS = (
    ("Overview", "browse:overview", Action.VIEW),
    ("Review", "review:start", Action.REVIEW),
    ("Adjudicate", "adjudication:notes", Action.ADJUDICATE),
    ("Notes", "browse:documents", Action.READ_NOTES),
    ("Rounds", "browse:rounds", Action.MANAGE),
    ("Streams", "browse:streams", Action.MANAGE),
    ("Comments", "browse:comments", Action.VIEW),
    ("Import", "exchange:imports", Action.IMPORT),
    ("Runs", "suggestions:runs", Action.READ_NOTES),
    ("Agreement", "quality:agreement", Action.MEASURE),
    ("Trust", "trust:trust", Action.MEASURE),
    ("Quality", "quality:quality", Action.MEASURE),
    ("Progress", "progress:progress", Action.MANAGE),
    ("Datasets", "builds:builds", Action.BUILD),
    ("Models", "training:models", Action.MEASURE),
    ("People", "browse:people", Action.MANAGE),
    ("Data", "purges:data", Action.MANAGE),
)
# Whoever has more pages than a wide bar holds finds these behind "More".
_MOST = 8
_SECOND = {"Rounds", "Streams", "Comments", "Import", "Quality", "Progress", "Models", "People", "Data"}


def page_context(
    membership: Membership, *, current: str, crumb: str = "", counts: Mapping[str, int] = MappingProxyType({})
) -> dict[str, Any]:
    """Project, crumb and the navigation that the member's role has; `current` is the label of the item to mark, and
    `counts` what waits behind an item, by its label.
    """
    project = membership.project
    items = [(label, route) for label, route, action in _ITEMS if may(role=membership.role, action=action)]
    nav = [
        {
            "label": label,
            "url": reverse(route, args=[project.public_id]),
            "is_current": label == current,
            "is_second": len(items) > _MOST and label in _SECOND,
            "count": counts.get(label, 0),
        }
        for label, route in items
    ]
    return {
        "project": project,
        "project_url": reverse("browse:overview", args=[project.public_id]),
        "membership": membership,
        "crumb": crumb,
        "nav": nav,
    }
