from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models

from annotator.web.ids import new_public_id


class User(AbstractUser):
    """A person. One account each, so that every label has an author; accounts are disabled, never deleted.

    `is_staff` marks who administers the installation: accounts and their passwords, of everybody.
    """

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    n_unread_notices = models.PositiveIntegerField(default=0, help_text="see notices.services")


class SignInLink(models.Model):
    """A link that its user follows once: to sign in on this machine, or to set a new password from anywhere.

    Only the hash of its token is stored.
    """

    class Kind(models.TextChoices):
        SIGN_IN = "sign_in"
        RESET = "reset"

    kind = models.CharField(max_length=20, choices=Kind, default=Kind.SIGN_IN)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_in_links")
    token_sha256 = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)


class SignInFailure(models.Model):
    """A sign-in that failed. `who_sha256` is a keyed hash of what it was counted under: a name, or an address.

    Names are not kept: what is typed into the field of the name is often a password.
    """

    who_sha256 = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["who_sha256", "at"], name="sign_in_failure_recent")]


class BrowserSession(models.Model):
    """A browser that a person is signed in with; the person sees it in a list and can end it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="browser_sessions")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    session_key = models.CharField(max_length=40, unique=True)
    agent = models.CharField(max_length=100, blank=True, help_text="browser and system, in words")
    started_at = models.DateTimeField()
    active_at = models.DateTimeField(help_text="last request that was not a poll, to the minute")


class ApiToken(models.Model):
    """Lets a program act for its user, no further than its scopes and the user's role. Only its hash is stored."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)
    name = models.CharField(max_length=80)
    token_sha256 = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    project = models.CharField(max_length=16, blank=True, help_text="public id of the only project it opens, or ''")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
