"""Addresses of the pages of models, mounted at p/<project_id>/models/."""

from django.urls import path

from annotator.training import views

app_name = "training"
urlpatterns = [
    path("trainings/", views.trainings, name="trainings"),
    path("trainings/new/", views.new, name="new"),
    path("trainings/<str:training_id>/", views.run, name="run"),
    path("trainings/<str:training_id>/cancel/", views.cancel, name="cancel"),
    path("trainings/<str:training_id>/resume/", views.resume, name="resume"),
    path("trainings/<str:training_id>/remove/", views.remove, name="remove"),
    path("trainings/<str:training_id>/log/", views.log, name="log"),
]
