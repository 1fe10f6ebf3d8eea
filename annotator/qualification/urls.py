"""Addresses of the qualification, mounted under a project."""

from django.urls import path

from annotator.qualification import views

app_name = "qualification"
urlpatterns = [
    path("", views.qualification, name="qualification"),
    path("new/", views.new_version, name="new"),
    path("off/", views.turn_off, name="off"),
    path("people/<str:user_id>/let-in/", views.let_in, name="let_in"),
    path("people/<str:user_id>/take-back/", views.take_back, name="take_back"),
    path("tries/<str:trial_id>/", views.trial, name="trial"),
]
