"""Addresses of the account pages, mounted at accounts/."""

from django.urls import path

from annotator.accounts import views

app_name = "accounts"
urlpatterns = [
    path("sign-in/", views.sign_in, name="sign_in"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("first/<str:token>/", views.first, name="first"),
    path("password/", views.set_password, name="set_password"),
]
