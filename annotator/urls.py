"""Every address of the application."""

from django.urls import include, path

from annotator.browse.views import home
from annotator.health import healthz, readyz
from annotator.metrics import metrics

handler500 = "annotator.web.api_problems.server_error"
urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("", home, name="home"),
    path("accounts/", include("annotator.accounts.urls")),
    path("api/v1/", include("annotator.api")),
    path("", include("annotator.projects.urls")),
    path("", include("annotator.browse.urls")),
    path("p/<str:project_id>/import/", include("annotator.exchange.urls")),
    path("p/<str:project_id>/runs/", include("annotator.suggestions.urls")),
    path("p/<str:project_id>/", include("annotator.quality.urls")),
    path("p/<str:project_id>/trust/", include("annotator.trust.urls")),
    path("p/<str:project_id>/progress/", include("annotator.progress.urls")),
    path("p/<str:project_id>/qualification/", include("annotator.qualification.urls")),
    path("p/<str:project_id>/review/", include("annotator.review.urls")),
    path("p/<str:project_id>/adjudicate/", include("annotator.adjudication.urls")),
    path("p/<str:project_id>/datasets/", include("annotator.builds.urls")),
    path("p/<str:project_id>/models/", include("annotator.training.urls")),
    path("p/<str:project_id>/data/", include("annotator.purges.urls")),
]
