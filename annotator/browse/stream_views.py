"""How notes and spans come to a project's reviewers; for leads."""

from __future__ import annotations

from dataclasses import asdict

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from annotator.browse.forms import StreamsForm
from annotator.core.wording import counted, sentence
from annotator.projects.access import Action, membership_for
from annotator.projects.navigation import page_context
from annotator.review.readings import count_blind
from annotator.review.second_reads import readers_of
from annotator.review.streams import Streams, StreamsRefused, set_streams, streams_of
from annotator.web.http import see_other


@require_http_methods(["GET", "HEAD", "POST"])
def streams(request: HttpRequest, project_id: str) -> HttpResponse:
    """The settings, and how many notes are read blind; POST keeps them."""
    membership = membership_for(user=request.user, project_id=project_id, action=Action.MANAGE)
    project = membership.project
    form = StreamsForm(request.POST if request.method == "POST" else None, initial=asdict(streams_of(project)))
    if request.method == "POST" and form.is_valid():
        wanted = Streams(**form.cleaned_data)
        try:
            n_moved = set_streams(project=project, streams=wanted, actor=membership.user, now=timezone.now())
        except StreamsRefused as refused:  # of what the form allows, decoys alone
            form.add_error("decoy_percent", sentence(str(refused)))
        else:
            moved = f" {counted(n_moved, 'reading')} changed: blind, or no longer blind." if n_moved else ""
            messages.success(request, f"Kept.{moved}")
            return see_other(request, reverse("browse:streams", args=[project_id]))
    context = page_context(membership, current="Streams") | {
        "form": form,
        "blind": count_blind(project),
        "is_alone": project.seconds == project.Seconds.ON and len(readers_of(project)) < 2,
    }
    return render(request, "browse/streams.html", context, status=422 if request.method == "POST" else 200)
