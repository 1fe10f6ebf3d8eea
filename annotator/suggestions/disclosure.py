"""Which projects' notes may go to a model server on another machine: none, until an operator says so for a project."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import transaction

from annotator.audit.services import record_event
from annotator.core.servers import server_address
from annotator.projects.models import Project
from annotator.suggestions.models import Labeler, ServerPermission


class ServerNotAllowed(Exception):
    """A run whose notes would leave this machine without leave; the message says so and what to do, and is shown."""


def remote_server(labeler: Labeler) -> str:
    """The name of the server on another machine that the labeler's notes go to; "" where they stay on this one."""
    url = settings.LABELERS.get(labeler.backend, {}).get("runtime", {}).get("url")
    address = server_address(url) if url else None
    return address.name if address is not None and address.is_remote else ""


def refuse_undisclosed(labeler: Labeler) -> None:
    """Raises ServerNotAllowed where the project's notes may not go where the labeler's model is. One query at most."""
    server = remote_server(labeler)
    if server and not ServerPermission.objects.filter(project=labeler.project_id, server=server).exists():
        raise ServerNotAllowed(
            f"notes of this project may not be sent to {server}: whoever operates this installation "
            "can allow it with manage.py allow_server"
        )


def allowed_servers(project: Project) -> list[str]:
    """One query."""
    return list(ServerPermission.objects.filter(project=project).order_by("server").values_list("server", flat=True))


@transaction.atomic
def allow_server(*, project: Project, url: str, now: datetime) -> str:
    """Let the project's notes be sent to the server at `url`; its name. Raises ServerError."""
    server = server_address(url).name
    _, is_new = ServerPermission.objects.get_or_create(project=project, server=server, defaults={"allowed_at": now})
    if is_new:
        _record(project, "server.allow", server, now)
    return server


@transaction.atomic
def forbid_server(*, project: Project, url: str, now: datetime) -> str:
    """Take the leave back; its name. Runs that are under way fail with their next notes. Raises ServerError."""
    server = server_address(url).name
    n_gone, _ = ServerPermission.objects.filter(project=project, server=server).delete()
    if n_gone:
        _record(project, "server.forbid", server, now)
    return server


def _record(project: Project, verb: str, server: str, now: datetime) -> None:
    detail = {"server": server}
    record_event(project=project.public_id, actor=None, verb=verb, object_id=project.public_id, now=now, detail=detail)
