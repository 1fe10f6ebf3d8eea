"""What happened to a person's work while others did it: the list behind the bell."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from annotator.accounts.models import User
from annotator.browse.forms import NoticeFilter
from annotator.browse.notice_rows import parts_of, spot_of
from annotator.core.wording import counted
from annotator.notices.selectors import notices_of
from annotator.notices.services import mark_read
from annotator.projects.selectors import memberships_of
from annotator.web.http import render_either, see_other
from annotator.web.paging import page_of


@require_safe
def notices(request: HttpRequest) -> HttpResponse:
    """The person's notices; htmx gets the list alone, when the filter changes."""
    user, now = cast(User, request.user), timezone.now()
    memberships = {member.project.public_id: member for member in memberships_of(user)}
    chosen = NoticeFilter(request.GET, projects=[member.project for member in memberships.values()])
    page = page_of(request, chosen.narrowed(notices_of(user)))
    context = {
        "page": page,
        "parts": parts_of(page, memberships=memberships, now=now),
        "filter": chosen,
        "has_projects": len(memberships) > 1,
    }
    return render_either(request, page="browse/notices.html", partial="browse/notice_list.html", context=context)


@require_POST
def open_notice(request: HttpRequest, notice_id: str) -> HttpResponse:
    """Mark a notice as read, and lead to what it is about."""
    user = cast(User, request.user)
    notice = get_object_or_404(notices_of(user), public_id=notice_id)
    membership = memberships_of(user).filter(project__public_id=notice.project).first()
    if membership is None:  # left this very moment
        raise Http404
    mark_read(user=user, notices=notices_of(user).filter(pk=notice.pk), now=timezone.now())
    return see_other(request, spot_of(notice, membership))


@require_POST
def read_notices(request: HttpRequest) -> HttpResponse:
    """Mark all notices as read that the filter lets through."""
    user = cast(User, request.user)
    chosen = NoticeFilter(request.POST, projects=[member.project for member in memberships_of(user)])
    n_read = mark_read(user=user, notices=chosen.narrowed(notices_of(user)), now=timezone.now())
    messages.success(request, f"{counted(n_read, 'notice')} marked as read.")
    query = f"?project={chosen.chosen}" if chosen.chosen else ""
    return see_other(request, reverse("browse:notices") + query)
