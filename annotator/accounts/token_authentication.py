"""How the REST API knows who asks: by a bearer token, and by nothing else."""

from __future__ import annotations

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request

from annotator.accounts.models import ApiToken, User
from annotator.accounts.tokens import note_use, token_in_force


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer TOKEN`. `request.auth` is the ApiToken."""

    @sensitive_variables("text", "given")
    def authenticate(self, request: Request) -> tuple[User, ApiToken]:
        given = request.META.get("HTTP_AUTHORIZATION", "")
        scheme, _, text = given.partition(" ")
        if scheme.lower() != "bearer":
            raise NotAuthenticated
        now = timezone.now()
        token = token_in_force(text=text.strip(), now=now)
        if token is None:
            raise AuthenticationFailed
        note_use(token=token, now=now)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class TokenScheme(OpenApiAuthenticationExtension):
    """How the schema names it."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "mgn_…",
            "description": "A token that its user made on the page API tokens, or with `manage.py api_token`.",
        }
