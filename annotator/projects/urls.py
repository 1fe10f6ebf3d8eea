"""The address of an invitation, mounted at the root; a project's own pages stand in the domains above."""

from django.urls import path

from annotator.projects import views

app_name = "projects"
urlpatterns = [path("invitations/<str:token>/", views.invitation, name="invitation")]
