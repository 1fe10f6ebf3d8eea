"""Requests made up from the API's own description, sound and unsound: no 500, and every answer as it is described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from annotator.accounts.models import User
from annotator.projects.models import Project
from annotator.wsgi import application
from tests.api.scene import make_objects, make_upload, token_of

# SQLite alone: it is about what gets past the checks of a request.
pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
# The lead may do most, so most is behind the lead's door.
EXAMPLES = {"alice": 4, "bob": 3, "adam": 1, "dana": 2, "charlie": 1}


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """The application leaves the connection open, which is in the test's transaction: as with Django's own client."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def people(alice: User, bob: User, adam: User, dana: User, charlie: User) -> dict[str, User]:
    return {user.username: user for user in (alice, bob, adam, dana, charlie)}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_no_request_makes_a_500(project: Project, people: dict[str, User], name: str) -> None:
    headers = {"Authorization": f"Bearer {token_of(people[name])}", "Accept-Encoding": "identity"}
    ids = make_objects(project, reader=people["bob"], uploader=people["dana"])
    ids["import_id"] = make_upload(project, people["alice"])  # the lead's own can be started
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/", application, headers=headers)

    def ask(case: Any) -> None:
        cache.clear()
        with transaction.atomic():
            response = case.call(headers=headers)
            transaction.set_rollback(True)
        case.validate_response(response, checks=CHECKS)

    bounded = hypothesis_settings(
        max_examples=EXAMPLES[name],
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    for found in schema.get_all_operations():
        operation = found.ok()
        wanted = {parameter.name for parameter in operation.path_parameters}
        known = {key: value for key, value in ids.items() if key in wanted}
        for mode in GenerationMode:
            if mode.is_negative and not (operation.query or operation.body):
                continue
            bounded(given(case=operation.as_strategy(mode, path_parameters=known))(ask))()
