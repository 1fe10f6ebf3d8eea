"""Addresses of the dataset pages, mounted at p/<project_id>/datasets/."""

from django.urls import path

from annotator.builds import views

app_name = "builds"
urlpatterns = [
    path("", views.builds, name="builds"),
    path("new/", views.new, name="new"),
    path("create/", views.create, name="create"),
    path("unlock/", views.unlock, name="unlock"),
    path("<str:build_id>/", views.build, name="build"),
    path("<str:build_id>/resume/", views.resume, name="resume"),
    path("<str:build_id>/verify/", views.verify, name="verify"),
    path("<str:build_id>/compare/", views.compare, name="compare"),
    path("<str:build_id>/lock/", views.lock, name="lock"),
    path("<str:build_id>/cancel/", views.cancel, name="cancel"),
    path("<str:build_id>/files/<str:name>", views.download, name="download"),
]
