"""Addresses of the pages that only look, mounted at the root. `home` itself is named in annotator/urls.py."""

from django.urls import path

from annotator.browse import views

app_name = "browse"
urlpatterns = [
    path("projects/new/", views.new_project, name="new_project"),
    path("p/<str:project_id>/", views.overview, name="overview"),
    path("p/<str:project_id>/notes/", views.documents, name="documents"),
    path("p/<str:project_id>/workers/", views.workers, name="workers"),
]
