from __future__ import annotations

import pytest

from annotator.core.servers import ServerError, server_address


@pytest.mark.parametrize(
    "given", ["http://127.0.0.1:8080", "http://localhost:8080/v1/", "http://[::1]:8080", "unix:///run/m/model.sock"]
)
def test_what_stays_on_this_machine_needs_no_tls(given: str):
    assert not server_address(given).is_remote


def test_another_machine_is_remote_and_named_without_its_path():
    address = server_address("https://Models.example.org/gateway/v1")
    assert address.is_remote
    assert (address.name, address.url) == ("https://models.example.org:443", "https://models.example.org:443/gateway")


def test_a_socket_is_named_by_its_path():
    assert server_address("unix:///run/m/model.sock").socket == "/run/m/model.sock"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("http://models.example.org:8000", "by https only"),
        ("http://10.0.0.7:8000", "by https only"),
        ("http://127.0.0.1.example.org", "by https only"),
        ("https://me:secret@models.example.org", "no password"),
        ("https://models.example.org/?key=secret", "query"),
        ("ftp://127.0.0.1", "must be https"),
        ("models.example.org", "must be https"),
        ("unix://relative.sock", "must be https"),
        ("https://models.example.org:port", "is not a URL"),
    ],
)
def test_an_address_that_would_show_notes_or_keys_is_refused(given: str, why: str):
    with pytest.raises(ServerError, match=why) as refused:
        server_address(given)
    assert "secret" not in str(refused.value)
