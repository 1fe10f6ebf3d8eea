"""Opaque public ids: what stands in URLs and file names instead of row numbers and external ids."""

import base64
import secrets


def new_public_id() -> str:
    """16 lower-case base32 characters, 80 random bits."""
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()
