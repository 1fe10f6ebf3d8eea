"""Addresses of the data page, mounted at p/<project_id>/data/."""

from django.urls import path

from annotator.purges import views

app_name = "purges"
urlpatterns = [
    path("", views.data, name="data"),
    path("retention/", views.retention, name="retention"),
    path("find/", views.find, name="find"),
    path("notes/", views.remove_notes, name="remove_notes"),
    path("project/", views.remove_project, name="remove_project"),
]
