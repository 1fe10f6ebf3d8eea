"""What can be trusted: certificates and their evidence, calibration, recall, time saved, drift; for leads."""

from __future__ import annotations

import csv

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from annotator.audit.services import record_read
from annotator.certificates.models import AcceptanceTarget, Calibrator, Certificate, Region
from annotator.core.calibration import NotEnoughCases
from annotator.core.certificates import Promise, delivered_precision, unchecked_precision
from annotator.core.wording import sentence
from annotator.progress import label_pages
from annotator.progress.selectors import Scope, days_since, labelers_named, labels_by_week
from annotator.projects.access import Action, may, membership_for
from annotator.projects.models import Membership
from annotator.projects.navigation import page_context
from annotator.projects.selectors import current_schema
from annotator.quality.blind_pages import N_RESAMPLES, figures_context
from annotator.quality.effort import effort_of
from annotator.quality.recall import recall_of
from annotator.routing.fitting import CalibratorRefused, adopt_calibrator, ask_for_fit
from annotator.routing.revoking import ASKED, RevokeRefused, revoke_certificate
from annotator.routing.selectors import differing_of, disagreements_of, newest_targets
from annotator.routing.targets import TargetRefused, set_target
from annotator.trust import charts, measured_pages, pages, second_pages
from annotator.trust.forms import ChosenForm, TargetForm
from annotator.trust.outlook import expected
from annotator.trust.selectors import current_labeler, differing, past_certificates, trust_of
from annotator.web.http import render_either, see_other
from annotator.web.paging import page_of

DRIFT_DAYS = 91
DIFFERING_SHOWN = 20
_REVOCABLE = (Certificate.Status.LIVE, Certificate.Status.ENDED)


@require_safe
def trust(request: HttpRequest, project_id: str) -> HttpResponse:
    """All of it; with ?label= the charts are of that label. htmx gets the inside of the page."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MEASURE)
    project, now = membership.project, timezone.now()
    labels = current_schema(project).schema.labels
    chosen = ChosenForm(request.GET, [label.name for label in labels])
    found = trust_of(project=project, labels=[label.name for label in labels])
    table, first = pages.rows(found, labels, now=now)
    report = found.calibrator.report if found.calibrator else {}
    today = timezone.localdate(now)
    weeks = labels_by_week(Scope(project, days_since(DRIFT_DAYS, today=today), None), today=today)
    charted = charts.charted(found, chosen.chosen)
    labelers = labelers_named({key for week in weeks.values() for key in week.accepted})
    context = page_context(membership, current="Trust") | {
        "form": chosen,
        "found": found,
        "lead": pages.lead(found),
        "rows": table,
        "axis_first": f"{first:.0%}",
        "reliability": charts.reliability(report, label=chosen.chosen),
        "groups": charts.grouped(report),
        "charted": charted.label or pages.others_words(found),
        "risk": charts.risk_and_coverage(charted),
        "drift": charts.drift_plot(weeks, labelers, today=today),
        "drift_rows": label_pages.score_rows(weeks, labelers, n_weeks=label_pages.MOST_WEEKS, today=today),
        "drift_lead": label_pages.known_drift(weeks),
        "second": second_pages.second_rows(found.standings, pages.names_of(labels, found)),
        "past": [(each, pages.reason_words(each.reason)) for each in past_certificates(project)],
        "may_manage": may(role=membership.role, action=Action.MANAGE),
    }
    return render_either(request, page="trust/trust.html", partial="trust/body.html", context=context)


@require_safe
def measured(request: HttpRequest, project_id: str) -> HttpResponse:
    """Recall and time saved, which take a moment: the page of trust asks for them once it is there."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MEASURE)
    project = membership.project
    recall = recall_of(project, n_resamples=N_RESAMPLES)
    effort = effort_of(project, n_resamples=N_RESAMPLES)
    context = page_context(membership, current="Trust", crumb="Recall and time saved") | {
        **figures_context(recall, effort, current_schema(project).schema),
        "drawn_recall": measured_pages.recall(recall),
        "drawn_effort": measured_pages.effort(effort),
    }
    return render_either(
        request, page="trust/measured_page.html", partial="trust/measured_panels.html", context=context
    )


@require_safe
def evidence(request: HttpRequest, project_id: str) -> HttpResponse:
    """Every region that was ever tested, as a table: what a statistician checks a certificate with."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MEASURE)
    now = timezone.now()
    record_read(project=project_id, actor=membership.user, object_id=project_id, now=now, verb="trust.download")
    response = HttpResponse(
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="evidence-{project_id}.csv"'},
    )
    writer = csv.writer(response)
    writer.writerow(pages.EVIDENCE_COLUMNS)
    regions = Region.objects.filter(batch__project=membership.project)
    regions = regions.select_related("batch__calibrator__labeler", "batch__certificate")
    second = disagreements_of(membership.project)
    writer.writerows(
        pages.evidence_row(each, second.get(each.batch_id))
        for each in regions.order_by("batch__number", "size").iterator(2000)
    )
    return response


@require_safe
def certificate(request: HttpRequest, project_id: str, certificate_id: str) -> HttpResponse:
    """What a certificate says in full, and the evidence that it rests on."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MEASURE)
    found = _certificate_of(membership, certificate_id)
    region, batch = found.region, found.batch
    regions = list(batch.regions.order_by("size"))
    n_differing = differing_of(membership.project).get(batch.pk, 0)
    context = page_context(membership, current="Trust", crumb=f"Certificate {found.number}") | {
        "certificate": found,
        "statement": pages.statement(found),
        "unchecked": unchecked_precision(
            n_audited=found.n_audited, n_wrong=found.n_wrong, size=region.size, target=batch.target
        ),
        "delivered": delivered_precision(
            n_wrong=found.n_wrong, size=region.size, target=batch.target, n_differing=n_differing
        ),
        "n_differing": n_differing,
        "second": second_pages.in_words(batch, disagreements_of(membership.project).get(batch.pk)),
        "n_unchecked": region.size - found.n_audited,
        "regions": regions,
        "reason": pages.reason_words(found.reason),
        "may_revoke": found.status in _REVOCABLE and may(role=membership.role, action=Action.MANAGE),
    }
    return render(request, "trust/certificate.html", context)


@require_safe
def second(request: HttpRequest, project_id: str) -> HttpResponse:
    """Audits that a second reader decided otherwise than the first. Who reads it is recorded."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MEASURE)
    page = page_of(request, differing(membership.project), size=DIFFERING_SHOWN)
    if page.object_list:
        now = timezone.now()
        record_read(project=project_id, actor=membership.user, object_id=project_id, now=now, verb="second.read")
    labels = {label.name: label for label in current_schema(membership.project).schema.labels}
    context = page_context(membership, current="Trust", crumb="Second reader") | {
        "page": page,
        "rows": [(read, labels.get(read.suggestion.label)) for read in page],
    }
    return render(request, "trust/second_page.html", context)


@require_POST
def revoke(request: HttpRequest, project_id: str, certificate_id: str) -> HttpResponse:
    """Withdraw all that was accepted under the certificate."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)
    found = _certificate_of(membership, certificate_id)
    try:
        revoke_certificate(certificate=found, actor=membership.user, reason=ASKED, now=timezone.now())
    except RevokeRefused as refusal:
        messages.warning(request, sentence(f"Certificate {found.number} stays as it is: {refusal}"))
    else:
        messages.success(request, f"Certificate {found.number} is revoked: its spans are going back to review.")
    return see_other(request, reverse("trust:trust", args=[project_id]))


@require_http_methods(["GET", "HEAD", "POST"])
def target(request: HttpRequest, project_id: str) -> HttpResponse:
    """What is wanted of the label in ?label=, with what it would cost, before anything changes."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)
    project, status = membership.project, 200
    labels = [each.name for each in current_schema(project).schema.labels]
    label = (request.POST if request.method == "POST" else request.GET).get("label", "")
    if label not in {"", *labels}:
        raise Http404
    if request.method == "POST":
        form = TargetForm(request.POST, labels=labels)
        if form.is_valid():
            data = form.cleaned_data
            try:
                set_target(
                    project=project,
                    label=label,
                    status=AcceptanceTarget.Status(data["status"]),
                    target=data["target"] / 100,
                    delta=data["delta"] / 100,
                    actor=membership.user,
                    now=timezone.now(),
                )
            except TargetRefused as refusal:
                form.add_error(None, sentence(str(refusal)))
            else:
                messages.success(request, f"{label or pages.OTHERS}: {pages.status_words(data['status'])}.")
                return see_other(request, reverse("trust:trust", args=[project_id]))
        status = 422
    else:
        form = TargetForm.of(newest_targets(project).get(label), label=label, labels=labels)
    context = page_context(membership, current="Trust", crumb=label or pages.OTHERS) | {
        "form": form,
        "label": label,
        "name": label or pages.OTHERS,
    }
    return render(request, "trust/target.html", context, status=status)


@require_safe
def outlook(request: HttpRequest, project_id: str) -> HttpResponse:
    """What the target in the query would cost; nothing is changed. htmx gets the piece, others a page of it."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)
    labels = [each.name for each in current_schema(membership.project).schema.labels]
    asked = request.GET.copy()
    asked["status"] = AcceptanceTarget.Status.ON
    form = TargetForm(asked, labels=labels)
    labeler = current_labeler(membership.project)
    found = None
    if form.is_valid() and labeler is not None:
        data = form.cleaned_data
        promise = Promise(data["target"] / 100, data["delta"] / 100)
        found = expected(project=membership.project, labeler=labeler, label=data["label"], promise=promise)
    context = page_context(membership, current="Trust", crumb="What if") | {"form": form, "expected": found}
    return render_either(request, page="trust/outlook_page.html", partial="trust/outlook.html", context=context)


@require_POST
def calibrate(request: HttpRequest, project_id: str) -> HttpResponse:
    """Have a calibrator fitted on what has been decided so far."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)
    labeler = current_labeler(membership.project)
    if labeler is None:
        messages.warning(request, "No labeler has read a note yet.")
        return see_other(request, reverse("trust:trust", args=[project_id]))
    try:
        ask_for_fit(labeler=labeler, actor=membership.user, now=timezone.now())
    except NotEnoughCases as few:
        messages.warning(request, sentence(f"Not fitted: of decided suggestions there are {few}"))
    else:
        messages.success(request, "A calibrator is being fitted: load this page again in a moment.")
    return see_other(request, reverse("trust:trust", args=[project_id]))


@require_POST
def adopt(request: HttpRequest, project_id: str, calibrator_id: str) -> HttpResponse:
    """Put an offered calibrator in use, which ends the tests and certificates of the other."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)
    found = get_object_or_404(Calibrator, project=membership.project, public_id=calibrator_id)
    try:
        adopt_calibrator(calibrator=found, actor=membership.user, now=timezone.now())
    except CalibratorRefused as refusal:
        messages.warning(request, sentence(str(refusal)))
    else:
        messages.success(request, f"Calibrator {found.number} is in use.")
    return see_other(request, reverse("trust:trust", args=[project_id]))


def _certificate_of(membership: Membership, certificate_id: str) -> Certificate:
    rows = Certificate.objects.select_related("batch__calibrator__labeler", "region")
    return get_object_or_404(rows, project=membership.project, public_id=certificate_id)
