"""Addresses of the pages of models, mounted at p/<project_id>/models/."""

from django.urls import path

from annotator.training import comparison_views, registry_views, views

app_name = "training"
urlpatterns = [
    path("", registry_views.models, name="models"),
    path("labelers/<str:model_id>/", registry_views.model, name="model"),
    path("labelers/<str:model_id>/promote/", registry_views.promote_model, name="promote"),
    path("trainings/", views.trainings, name="trainings"),
    path("trainings/new/", views.new, name="new"),
    path("trainings/<str:training_id>/", views.run, name="run"),
    path("trainings/<str:training_id>/cancel/", views.cancel, name="cancel"),
    path("trainings/<str:training_id>/resume/", views.resume, name="resume"),
    path("trainings/<str:training_id>/remove/", views.remove, name="remove"),
    path("trainings/<str:training_id>/log/", views.log, name="log"),
    path("comparisons/", comparison_views.comparisons, name="comparisons"),
    path("comparisons/new/", comparison_views.new_comparison, name="new_comparison"),
    path("comparisons/start/", comparison_views.start_comparison, name="start_comparison"),
    path("comparisons/<str:comparison_id>/", comparison_views.comparison, name="comparison"),
    path("comparisons/<str:comparison_id>/cancel/", comparison_views.cancel_comparison, name="cancel_comparison"),
    path("comparisons/<str:comparison_id>/table.csv", comparison_views.comparison_csv, name="comparison_csv"),
]
