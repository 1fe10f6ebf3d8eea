"""How often a program may ask. Rates stand in settings (REST_FRAMEWORK); each web process counts its own."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from annotator.web.addresses import client_address


class _Throttle(SimpleRateThrottle):
    scope: str

    def get_rate(self) -> str:
        # The class variable of the framework is read once, when it is imported.
        return str(api_settings.DEFAULT_THROTTLE_RATES[self.scope])


class TokenThrottle(_Throttle):
    """Requests with one token."""

    scope = "token"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return self.cache_format % {"scope": self.scope, "ident": request.auth.public_id}  # type: ignore[union-attr]  # an ApiToken


class FailureThrottle(_Throttle):
    """Requests without a valid token, from one address."""

    scope = "failure"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return self.cache_format % {"scope": self.scope, "ident": client_address(request)}
