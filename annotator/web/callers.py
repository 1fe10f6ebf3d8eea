"""Where a request comes from."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port

_PROXY_HEADERS = ("via", "forwarded", "x-real-ip")


def is_on_this_machine(request: HttpRequest) -> bool:
    """Whether the caller runs here, as far as the request shows: it comes from this machine, asks for this machine,
    and no proxy says that it handed it on. Behind a TLS proxy (HTTPS=1) nobody does.
    """
    if settings.HTTPS:
        return False
    if any(name.lower() in _PROXY_HEADERS or name.lower().startswith("x-forwarded-") for name in request.headers):
        return False
    host, _ = split_domain_port(request.get_host())
    return _is_loopback(request.META.get("REMOTE_ADDR", "")) and (host == "localhost" or _is_loopback(host.strip("[]")))


def _is_loopback(given: str) -> bool:
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
