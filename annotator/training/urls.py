"""Addresses of the pages of models, mounted at p/<project_id>/models/."""

from django.urls import path

from annotator.training import comparison_views

app_name = "training"
urlpatterns = [
    path("comparisons/", comparison_views.comparisons, name="comparisons"),
    path("comparisons/new/", comparison_views.new_comparison, name="new_comparison"),
    path("comparisons/start/", comparison_views.start_comparison, name="start_comparison"),
    path("comparisons/<str:comparison_id>/", comparison_views.comparison, name="comparison"),
    path("comparisons/<str:comparison_id>/cancel/", comparison_views.cancel_comparison, name="cancel_comparison"),
    path("comparisons/<str:comparison_id>/table.csv", comparison_views.comparison_csv, name="comparison_csv"),
]
