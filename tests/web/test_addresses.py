from __future__ import annotations

from typing import Any

import pytest

from annotator.web.addresses import client_address


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", "unknown"),
        ("unix:", "unknown"),
    ],
)
def test_an_address_is_one_person_as_far_as_it_shows(rf: Any, given: str, address: str) -> None:
    assert client_address(rf.get("/", REMOTE_ADDR=given)) == address


@pytest.mark.parametrize(("https", "address"), [(False, "127.0.0.1"), (True, "10.0.0.9")])
def test_only_what_our_proxy_has_added_counts(rf: Any, settings: Any, https: bool, address: str) -> None:
    settings.HTTPS = https
    request = rf.get("/", headers={"X-Forwarded-For": "10.0.0.8, 10.0.0.9"})
    assert client_address(request) == address


def test_behind_a_proxy_that_names_nobody_its_own_address_counts(rf: Any, settings: Any) -> None:
    settings.HTTPS = True
    assert client_address(rf.get("/")) == "127.0.0.1"
