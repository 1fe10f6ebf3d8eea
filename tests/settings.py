"""Settings of the tests: a data folder of this process's own, which goes when it ends."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

os.umask(0o077)
os.environ["LABELER"] = os.environ.get("LABELER") or "spacy"
os.environ["MARGINALIA_DATA"] = tempfile.mkdtemp(prefix="marginalia-tests-")

from annotator.settings import *  # noqa: E402, F403, I001
from annotator.settings import DATABASES, DATA_DIR, SOCKET_DIR, STORAGES  # noqa: E402


def _remove(*folders: Path) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


atexit.register(_remove, DATA_DIR, SOCKET_DIR)

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    _options = DATABASES["default"]["OPTIONS"]
    # A file, so that a live server's threads and the test each have a connection of their own, as in production.
    DATABASES["default"] |= {
        "TEST": {"NAME": DATA_DIR / "tests.sqlite3"},
        "OPTIONS": _options | {"init_command": _options["init_command"] + "PRAGMA synchronous=OFF;"},
    }
(DATA_DIR / "static").mkdir()
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CELERY_BROKER_URL = "memory://"
