"""Addresses of the runs, mounted at p/<project_id>/runs/."""

from django.urls import path

from annotator.suggestions import views

app_name = "suggestions"
urlpatterns = [
    path("", views.runs, name="runs"),
    path("start/", views.start, name="start"),
    path("identifiers/", views.look, name="look"),
    path("<str:run_id>/", views.run, name="run"),
    path("<str:run_id>/cancel/", views.cancel, name="cancel"),
    path("<str:run_id>/retry/", views.retry, name="retry"),
]
