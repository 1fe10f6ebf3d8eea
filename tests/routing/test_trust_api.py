"""Targets, tests and certificates over the API and on the command line."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotator.accounts.models import User
from annotator.routing.figures import trust_json
from annotator.routing.selectors import trust_of
from tests.api.scene import Api, assert_problem
from tests.routing.scene import WORDS, Oracle


@pytest.fixture
def certified(oracle: Oracle) -> Oracle:
    oracle.label(n_notes=4, score=lambda number: 0.97 - number / 1000, name="first")
    oracle.want(delta=0.2)
    oracle.step()
    oracle.audit()
    return oracle


def test_a_lead_sees_all_figures(certified: Oracle, alice: User) -> None:
    found = Api(alice, project=certified.project).get("./trust/").json()
    assert found == json.loads(json.dumps(trust_json(trust_of(certified.project))))
    (target,) = found["targets"]
    assert (target["label"], target["status"], target["target"], target["delta"]) == ("", "on", 0.8, 0.2)
    (batch,) = found["batches"]
    assert (batch["status"], batch["n_members"], batch["labeler"]) == ("settled", 80, "rules")
    certificate = batch["certificate"]
    assert (certificate["status"], certificate["n_wrong"], certificate["log_watch"]) == ("live", 0, 0.0)
    region = next(region for region in batch["regions"] if region["size"] == certificate["size"])
    assert region["is_passed"]
    assert region["log_evidence"] is None or region["log_evidence"] >= region["log_evidence_wanted"]
    allowed = int(0.2 * certificate["size"] + 1e-9)
    left = certificate["size"] - certificate["n_audited"]
    assert certificate["unchecked_precision"] == pytest.approx(1 - allowed / left)


def test_nothing_of_a_note_is_told(certified: Oracle, alice: User) -> None:
    page = Api(alice, project=certified.project).get("./trust/").content.decode()
    assert not any(word in page for word in (*WORDS, "first-0"))


def test_a_lead_sets_a_target_and_takes_a_certificate_back(certified: Oracle, alice: User) -> None:
    api = Api(alice, project=certified.project)
    address = f"./certificates/{certified.certificate().public_id}/revoke/"
    assert api.post(address).json()["batches"][0]["certificate"]["status"] == "revoking"
    assert_problem(api.post(address), 409, "conflict")
    made = api.post("./trust/targets/", {"label": "Problem", "target": 0.95})
    assert made.status_code == 201
    assert [target["label"] for target in made.json()["targets"]] == ["", "Problem"]
    assert_problem(api.post("./trust/targets/", {"label": "Nothing", "target": 0.95}), 422, "refused")
    assert_problem(api.post("./trust/targets/", {"target": 1.5}), 400, "invalid")


def test_the_queries_do_not_grow_with_batches(certified: Oracle) -> None:
    with CaptureQueriesContext(connection) as first:
        trust_json(trust_of(certified.project))
    certified.want(0.7)
    certified.step()
    with CaptureQueriesContext(connection) as second:
        trust_json(trust_of(certified.project))
    assert len(second) == len(first) == 7


def test_the_command_tells_it_in_lines_and_in_json(certified: Oracle) -> None:
    assert json.loads(_told(certified, "--json")) == json.loads(json.dumps(trust_json(trust_of(certified.project))))
    lines = _told(certified)
    assert "target (all other labels): 0.8, delta 0.2" in lines
    assert "batch 1: settled, 80 suggestions" in lines
    assert "certificate 1: live" in lines
    with pytest.raises(CommandError):
        call_command("trust", "nope")


def test_a_project_without_any_says_so(oracle: Oracle) -> None:
    oracle.labeler.calibrators.all().delete()
    assert _told(oracle) == "nothing is accepted without review, and no calibrator is fitted\n"


def _told(oracle: Oracle, *arguments: Any) -> str:
    out = StringIO()
    call_command("trust", oracle.project.slug, *arguments, stdout=out)
    return out.getvalue()
