"""What a promise is expected to cost before anything is changed: audits, people's share, what would be accepted."""

from __future__ import annotations

from dataclasses import dataclass

from annotator.certificates.models import Calibrator
from annotator.core.calibration import Calibration
from annotator.core.certificates import Promise
from annotator.core.planning import N_DRAWS, Costs, TooFewCandidates, audits_needed
from annotator.core.wording import counted
from annotator.projects.models import Project
from annotator.review.holding import candidates
from annotator.routing.selectors import labels_under
from annotator.suggestions.models import Labeler

# Of more a random part stands for all.
MOST_CANDIDATES = 50_000


@dataclass(frozen=True, slots=True)
class Expected:
    """`costs`, or in `why` the reason that there are none."""

    costs: Costs | None
    n_candidates: int
    why: str = ""


def expected(*, project: Project, labeler: Labeler, label: str, promise: Promise) -> Expected:
    """What would come of that promise for the suggestions of a label ('' for all without a target of their own) that
    wait undecided now. Reads their scores: four queries.
    """
    calibrator = Calibrator.objects.filter(labeler=labeler, status=Calibrator.Status.CURRENT).first()
    if calibrator is None:
        return Expected(None, 0, "There is no calibrator yet: it is fitted on reviewed suggestions, 50 at least.")
    waiting = candidates(labeler=labeler).filter(label__in=labels_under(project, label))
    rows = list(waiting.order_by("audit_key").values_list("label", "score")[:MOST_CANDIDATES])
    if not rows:
        return Expected(None, 0, "No suggestion waits that a test could be made of.")
    calibration = Calibration.from_json(calibrator.curves)
    draws = calibration.draws(
        label=[name for name, _ in rows], scores=[score for _, score in rows], n_draws=N_DRAWS, seed=0
    )
    try:
        return Expected(audits_needed(promise=promise, mean_errors=draws, n_suggestions=len(rows)), len(rows))
    except TooFewCandidates as few:
        wanted = counted(few.n_wanted, "suggestion")
        return Expected(
            None, len(rows), f"{counted(len(rows), 'suggestion')} wait, and a test of this target takes {wanted}."
        )
