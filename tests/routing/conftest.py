from __future__ import annotations

import pytest

from annotator.accounts.models import User
from annotator.projects.models import Project
from tests.routing.scene import Oracle, make_oracle


@pytest.fixture
def oracle(project: Project, alice: User, bob: User, bells: object) -> Oracle:
    return make_oracle(project, alice, bob)
