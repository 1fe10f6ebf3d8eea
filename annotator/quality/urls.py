"""Addresses of what is measured, mounted under a project."""

from django.urls import path

from annotator.quality import agreement_views, blind_views, views

app_name = "quality"
urlpatterns = [
    path("quality/", views.quality, name="quality"),
    path("quality/blind/", blind_views.blind, name="blind"),
    path("agreement/", agreement_views.agreement, name="agreement"),
    path("agreement/csv/", agreement_views.agreement_csv, name="agreement_csv"),
]
