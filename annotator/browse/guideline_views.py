"""A project's guideline: its newest version, the older ones with what changed, and the form of the next."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from annotator.browse.examples import SHOWN, example_for, examples_of, line_of
from annotator.core.guidance import with_example
from annotator.core.line_diff import line_diff
from annotator.core.wording import sentence
from annotator.projects.access import Action, may, membership_for
from annotator.projects.models import Guideline, Membership
from annotator.projects.navigation import page_context
from annotator.projects.selectors import current_guideline, guidelines_of
from annotator.projects.services import GuidelineReplaced, ProjectError, add_guideline
from annotator.web.http import see_other
from annotator.web.paging import page_of


class GuidelineForm(forms.Form):
    """Shape only; how long the text may be is the service's business."""

    changes = forms.IntegerField(min_value=0, max_value=999_999, widget=forms.HiddenInput)
    text = forms.CharField(
        label="Guideline",
        required=False,
        widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "true"}),
        help_text="Markdown, up to 20,000 characters. Write rules and made-up examples, never words that could tell "
        "who a patient is: every version is kept as long as the project is.",
    )


@require_safe
def guideline(request: HttpRequest, project_id: str) -> HttpResponse:
    """The newest version, or that of ?version=, with what it changed in the one before, and the list of all."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.VIEW)
    number = request.GET.get("version")
    if number is None:
        return _page(request, membership, current_guideline(membership.project))
    if not number.isdecimal() or len(number) > 6:
        raise Http404
    return _page(request, membership, get_object_or_404(membership.project.guidelines, number=number))


@require_http_methods(["GET", "HEAD", "POST"])
def new_version(request: HttpRequest, project_id: str) -> HttpResponse:
    """The form of the next version, filled with the newest."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)
    project, status = membership.project, 200
    if request.method == "POST":
        data = request.POST.copy()
        form = GuidelineForm(data)
        if form.is_valid():
            text = form.cleaned_data["text"].replace("\r\n", "\n")
            changes = form.cleaned_data["changes"]
            try:
                made = add_guideline(
                    project=project, text=text, actor=membership.user, now=timezone.now(), changes=changes
                )
            except GuidelineReplaced as replaced:
                form.add_error(None, sentence(str(replaced)))
                data["changes"] = str(replaced.newest)  # who keeps the text again has been told
            except ProjectError as error:
                form.add_error("text", sentence(str(error)))
            else:
                messages.success(request, f"Version {made.number} of the guideline is the one that counts.")
                return see_other(request, reverse("browse:guideline", args=[project_id]))
        status = 422
    else:
        newest = current_guideline(project)
        form = GuidelineForm(initial={"text": newest.text if newest else "", "changes": newest.number if newest else 0})
    context = page_context(membership, current="Overview", crumb="Guideline") | {"form": form}
    return render(request, "browse/new_guideline.html", context, status=status)


@require_safe
def new_example(request: HttpRequest, project_id: str, example_id: str) -> HttpResponse:
    """The form of the next version, filled with the newest and an example out of what was settled; nothing is kept
    before a lead has looked at it.
    """
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)
    found = example_for(membership.project, key=example_id)
    if found is None:
        raise Http404
    return draft_page(request, membership, label=found.label, line=line_of(found))


def draft_page(request: HttpRequest, membership: Membership, *, label: str, line: str) -> HttpResponse:
    """The form of the next version, with the line in the section of the label."""
    newest = current_guideline(membership.project)
    before = newest.text if newest else ""
    text = with_example(before, label=label, line=line)
    form = GuidelineForm(initial={"text": text, "changes": newest.number if newest else 0})
    context = page_context(membership, current="Overview", crumb="Guideline") | {
        "form": form,
        "example": line,
        "diff": line_diff(before, text),
    }
    return render(request, "browse/new_guideline.html", context)


def _page(request: HttpRequest, membership: Membership, shown: Guideline | None) -> HttpResponse:
    project = membership.project
    before = project.guidelines.filter(number=shown.number - 1).first() if shown else None
    page = page_of(request, guidelines_of(project))
    may_manage = may(role=membership.role, action=Action.MANAGE)
    is_newest = shown is not None and shown.number == page.paginator.count
    has_examples = may_manage and (is_newest or shown is None)
    context = page_context(membership, current="Overview", crumb="Guideline") | {
        "shown": shown,
        "diff": line_diff(before.text, shown.text) if shown and before else [],
        "is_newest": is_newest,
        "page": page,
        "may_manage": may_manage,
        "may_measure": may(role=membership.role, action=Action.MEASURE),
        "examples": examples_of(project, guideline=shown.text if shown else "")[:SHOWN] if has_examples else [],
    }
    return render(request, "browse/guideline.html", context)
