"""Addresses of a project's progress, mounted under it."""

from django.urls import path

from annotator.progress import views

app_name = "progress"
urlpatterns = [
    path("", views.progress, name="progress"),
    path("people.csv", views.people_csv, name="people_csv"),
]
