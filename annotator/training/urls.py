"""Addresses of the pages of models, mounted at p/<project_id>/models/."""

from django.urls import path

from annotator.training import registry_views

app_name = "training"
urlpatterns = [
    path("", registry_views.models, name="models"),
    path("labelers/<str:model_id>/", registry_views.model, name="model"),
    path("labelers/<str:model_id>/promote/", registry_views.promote_model, name="promote"),
]
