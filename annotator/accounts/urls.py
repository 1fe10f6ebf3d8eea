"""Addresses of the account pages, mounted at accounts/."""

from django.urls import path

from annotator.accounts import own_views, people_views, token_views, views

app_name = "accounts"
urlpatterns = [
    path("sign-in/", views.sign_in, name="sign_in"),
    path("code/", views.code, name="code"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("first/<str:token>/", views.first, name="first"),
    path("reset/<str:token>/", views.reset, name="reset"),
    path("", own_views.account, name="account"),
    path("password/", own_views.set_password, name="set_password"),
    path("idle/", own_views.idle, name="idle"),
    path("sessions/", own_views.sessions, name="sessions"),
    path("sessions/end-others/", own_views.end_other_sessions, name="end_other_sessions"),
    path("sessions/<str:session_id>/end/", own_views.end_session, name="end_session"),
    path("two-factor/", own_views.two_factor, name="two_factor"),
    path("two-factor/set-up/", own_views.set_up_two_factor, name="set_up_two_factor"),
    path("two-factor/qr.svg", own_views.two_factor_qr, name="two_factor_qr"),
    path("two-factor/off/", own_views.turn_off_two_factor, name="turn_off_two_factor"),
    path("two-factor/codes/", own_views.renew_recovery_codes, name="renew_recovery_codes"),
    path("tokens/", token_views.api_tokens, name="tokens"),
    path("tokens/<str:token_id>/revoke/", token_views.revoke_token, name="revoke_token"),
    path("people/", people_views.people, name="people"),
    path("people/new/", people_views.new_person, name="new_person"),
    path("people/<str:user_id>/", people_views.person, name="person"),
    path("people/<str:user_id>/change/", people_views.change_person, name="change_person"),
    path("people/<str:user_id>/reset-link/", people_views.reset_link, name="reset_link"),
]
