"""Addresses of the import pages, mounted at p/<project_id>/import/."""

from django.urls import path

from annotator.exchange import views

app_name = "exchange"
urlpatterns = [
    path("", views.imports, name="imports"),
    path("<str:import_id>/", views.import_page, name="import"),
    path("<str:import_id>/columns/", views.columns, name="columns"),
    path("<str:import_id>/format/", views.read_as, name="format"),
    path("<str:import_id>/start/", views.start, name="start"),
    path("<str:import_id>/cancel/", views.cancel, name="cancel"),
    path("<str:import_id>/discard/", views.discard, name="discard"),
]
