"""The tables that django-allauth's second factor needs, without the rest of allauth."""

from __future__ import annotations

from allauth.account.apps import AccountConfig


class AccountTables(AccountConfig):
    """allauth.account for its tables alone, which allauth.mfa imports: no middleware, no addresses, no e-mail.

    allauth's own `ready` refuses to start without its middleware, which only its own pages need.
    """

    def ready(self) -> None:
        """Nothing of it runs."""
