"""Addresses of model servers: which are well formed, and which would take notes off this machine."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit


class ServerError(ValueError):
    """An address that no note is sent to; the message says why, and repeats nothing of it but the host."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A server's base address, without the `/v1` of its API. Exactly one of `url` and `socket` is given.

    `name` is what people and logs are told: `https://models.example.org:8443`, or the socket's path.
    """

    name: str
    is_remote: bool
    url: str = ""
    socket: str = ""


def server_address(given: str) -> ServerAddress:
    """The address that `https://HOST…`, `http://` with a loopback host, or `unix:///PATH` names. Raises ServerError."""
    if given.startswith("unix:///"):
        path = given.removeprefix("unix://")
        return ServerAddress(name=path, is_remote=False, socket=path)
    try:
        parts = urlsplit(given)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ServerError("the server's address is not a URL: https://HOST:PORT is wanted") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ServerError("the server's address must be https://HOST:PORT, or http:// for this machine")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ServerError(f"the address of the server at {host} must hold no password, query or fragment")
    is_remote = not _is_loopback(host)
    if is_remote and parts.scheme != "https":
        raise ServerError(f"notes go to {host} by https only: without TLS everybody on the way could read them")
    shown = f"[{host}]" if ":" in host else host
    name = f"{parts.scheme}://{shown}:{port or (443 if parts.scheme == 'https' else 80)}"
    path = parts.path.rstrip("/").removesuffix("/v1")
    return ServerAddress(name=name, is_remote=is_remote, url=name + path)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
