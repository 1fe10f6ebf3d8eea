"""Addresses of what can be trusted, mounted under a project."""

from django.urls import path

from annotator.trust import views

app_name = "trust"
urlpatterns = [
    path("", views.trust, name="trust"),
    path("measured/", views.measured, name="measured"),
    path("evidence/", views.evidence, name="evidence"),
    path("second/", views.second, name="second"),
    path("target/", views.target, name="target"),
    path("outlook/", views.outlook, name="outlook"),
    path("calibrate/", views.calibrate, name="calibrate"),
    path("calibrators/<str:calibrator_id>/adopt/", views.adopt, name="adopt"),
    path("certificates/<str:certificate_id>/", views.certificate, name="certificate"),
    path("certificates/<str:certificate_id>/revoke/", views.revoke, name="revoke"),
]
