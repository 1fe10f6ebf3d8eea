"""Addresses of what is measured, mounted under a project."""

from django.urls import path

from annotator.quality import views

app_name = "quality"
urlpatterns = [path("", views.quality, name="quality")]
