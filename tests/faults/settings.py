"""Settings of the installations that faults happen to: those of every installation, with what a fault would else have
to wait for made shorter, and with `hooks` in every process.
"""

from typing import Any

from annotator.settings import *  # noqa: F403
from annotator.settings import CELERY_BROKER_TRANSPORT_OPTIONS, DATABASES, INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.hooks.Hooks"]
MIDDLEWARE = ["tests.faults.hooks.before_the_answer", *MIDDLEWARE]

CELERY_BROKER_TRANSPORT_OPTIONS = CELERY_BROKER_TRANSPORT_OPTIONS | {
    "visibility_timeout": 2,
    "unacked_restore_interval": 1,
}
_options: dict[str, Any] = DATABASES["default"]["OPTIONS"]
if "timeout" in _options:
    _options["timeout"] = 2  # SQLite: a writer gives up waiting for another one
    _options["init_command"] += "PRAGMA synchronous=OFF;"
