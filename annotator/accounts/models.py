from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models

from annotator.web.ids import new_public_id


class User(AbstractUser):
    """A person. One account each, so that every label has an author; accounts are disabled, never deleted."""

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id, editable=False)


class SignInLink(models.Model):
    """A link that signs its user in once, within ten minutes. Only the hash of its token is stored."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_in_links")
    token_sha256 = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
