"""How good a project's labelers are, by what people made of the same notes."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from annotator.core.evaluation import evaluate
from annotator.core.identifiers import asked_of
from annotator.projects.access import Action, membership_for
from annotator.projects.navigation import page_context
from annotator.quality import pages
from annotator.quality.forms import QualityForm
from annotator.quality.selectors import gold_notes, labelers_with_notes
from annotator.web.http import render_either

# Fewer than the command draws: the page is waited for.
N_RESAMPLES = 200


@require_safe
def quality(request: HttpRequest, project_id: str) -> HttpResponse:
    """The measures of one labeler; htmx gets the inside of the page, when another is chosen."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MEASURE)
    project = membership.project
    form = QualityForm(request.GET, labelers_with_notes(project))
    choice = form.chosen_labeler
    gold = gold_notes(project=project, labeler=choice.labeler, source=form.chosen_source) if choice else None
    context = page_context(membership, current="Quality") | {"form": form, "choice": choice, "gold": gold}
    if choice is None or gold is None:
        context["lead"] = pages.lead(None, None)
    else:
        labeler = choice.labeler
        labels = asked_of(labeler.schema_version.schema, backend=labeler.backend).label_names
        evaluation = evaluate(gold.notes, labels, n_resamples=N_RESAMPLES)
        context |= {
            "lead": pages.lead(gold, evaluation),
            "caveats": pages.caveats(gold),
            "rows": pages.label_rows(evaluation),
            "quotes": pages.quote_figures(evaluation),
            "figures": pages.score_figures(evaluation),
            "signals": pages.signal_rows(evaluation),
            "fewest_gold": pages.FEWEST_GOLD,
            "fewest_spans": pages.FEWEST_SPANS,
            "charts": pages.score_charts(evaluation),
        }
    return render_either(request, page="quality/quality.html", partial="quality/quality_body.html", context=context)
