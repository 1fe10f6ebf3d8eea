"""Addresses of the pages over everything, mounted at the root. `home` itself is named in annotator/urls.py."""

from django.urls import path

from annotator.browse import (
    comment_views,
    guideline_views,
    labeler_views,
    notice_views,
    people_views,
    round_views,
    stream_views,
    views,
)

app_name = "browse"
urlpatterns = [
    path("notices/", notice_views.notices, name="notices"),
    path("notices/read/", notice_views.read_notices, name="read_notices"),
    path("notices/<str:notice_id>/open/", notice_views.open_notice, name="open_notice"),
    path("projects/new/", views.new_project, name="new_project"),
    path("p/<str:project_id>/", views.overview, name="overview"),
    path("p/<str:project_id>/notes/", views.documents, name="documents"),
    path("p/<str:project_id>/comments/", comment_views.comments, name="comments"),
    path("p/<str:project_id>/workers/", views.workers, name="workers"),
    path("p/<str:project_id>/guideline/", guideline_views.guideline, name="guideline"),
    path("p/<str:project_id>/guideline/examples/<str:example_id>/", guideline_views.new_example, name="new_example"),
    path("p/<str:project_id>/guideline/new/", guideline_views.new_version, name="new_guideline"),
    path("p/<str:project_id>/labelers/", labeler_views.labelers, name="labelers"),
    path("p/<str:project_id>/labelers/new/", labeler_views.new_labeler, name="new_labeler"),
    path("p/<str:project_id>/labelers/read/", labeler_views.read, name="read_with"),
    path("p/<str:project_id>/rounds/", round_views.list_rounds, name="rounds"),
    path("p/<str:project_id>/rounds/new/", round_views.new_round, name="new_round"),
    path("p/<str:project_id>/rounds/preview/", round_views.preview_round, name="preview_round"),
    path("p/<str:project_id>/rounds/<str:round_id>/", round_views.round_page, name="round"),
    path("p/<str:project_id>/rounds/<str:round_id>/due/", round_views.set_due, name="round_due"),
    path("p/<str:project_id>/rounds/<str:round_id>/readers/", round_views.add_reader, name="round_reader"),
    path("p/<str:project_id>/rounds/<str:round_id>/reassign/", round_views.reassign, name="reassign"),
    path("p/<str:project_id>/rounds/<str:round_id>/undo/", round_views.undo_round, name="undo_round"),
    path("p/<str:project_id>/streams/", stream_views.streams, name="streams"),
    path("p/<str:project_id>/people/", people_views.people, name="people"),
    path("p/<str:project_id>/people/invite/", people_views.invite, name="invite"),
    path("p/<str:project_id>/people/invitations/<str:invitation_id>/revoke/", people_views.revoke, name="revoke"),
    path("p/<str:project_id>/people/<str:user_id>/role/", people_views.set_role, name="set_role"),
    path("p/<str:project_id>/people/<str:user_id>/away/", people_views.set_away, name="set_away"),
    path("p/<str:project_id>/people/<str:user_id>/remove/", people_views.remove, name="remove"),
]
