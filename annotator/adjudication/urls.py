"""Addresses of the adjudication pages, mounted at p/<project_id>/adjudicate/."""

from django.urls import path

from annotator.adjudication import rule_views, views

app_name = "adjudication"
urlpatterns = [
    path("", views.notes, name="notes"),
    path("next/", views.take_next, name="next"),
    path("rules/", rule_views.rules_page, name="rules"),
    path("rules/apply/", rule_views.apply_rule, name="apply_rule"),
    path("rules/cancel/", rule_views.cancel_rule, name="cancel_rule"),
    path("<str:adjudication_id>/", views.note, name="note"),
    path("<str:adjudication_id>/renew/", views.renew, name="renew"),
    path("<str:adjudication_id>/take/", views.take, name="take"),
    path("<str:adjudication_id>/choose/", views.choose, name="choose"),
    path("<str:adjudication_id>/finish/", views.finish, name="finish"),
    path("<str:adjudication_id>/reopen/", views.reopen, name="reopen"),
    path("<str:adjudication_id>/put-back/", views.put_back, name="put_back"),
]
