"""The doorbell of acceptance without review: tells a worker that a project has tests or certificates to look after."""

from __future__ import annotations

from annotator.jobs.bell import ring

TRUST_TASK = "annotator.step_trust"


def ring_trust(project_id: int) -> None:
    """Have what is due of the project's tests and certificates done, after commit. Too many bells do no harm."""
    ring(TRUST_TASK, project_id)
