"""One installation for all faults that meet this process's tests: real programs, on the database of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from pytest_django.plugin import DjangoDbBlocker

from tests.faults.scene import Scene
from tests.installation import Installation, installed_at


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Not started yet."""
    folder = tmp_path_factory.mktemp("installation") / "data"
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
        "SECRET_KEY": settings.SECRET_KEY,  # a session that a test makes is good for the web server
        "LABEL_WORKERS": "2",
    }
    with installed_at(folder, **environment) as made:
        yield made


@pytest.fixture
def scene(installation: Installation, django_db_blocker: DjangoDbBlocker) -> Iterator[Scene]:
    made = Scene(installation)
    if not made.is_running():
        installation.start()
    with django_db_blocker.unblock(), installation.database():
        yield made
        made.let_go()
