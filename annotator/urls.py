"""Every address of the application."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from annotator.browse.views import home


@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """Says that the web process answers; asks nothing of the database."""
    return HttpResponse("ok", content_type="text/plain")


urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("", home, name="home"),
    path("accounts/", include("annotator.accounts.urls")),
    path("", include("annotator.browse.urls")),
    path("p/<str:project_id>/import/", include("annotator.exchange.urls")),
    path("p/<str:project_id>/runs/", include("annotator.suggestions.urls")),
    path("p/<str:project_id>/review/", include("annotator.review.urls")),
    path("p/<str:project_id>/datasets/", include("annotator.builds.urls")),
]
