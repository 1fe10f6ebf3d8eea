"""Where a request comes from, and with what."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest

_IPV6_NETWORK = 64  # what one customer gets
# In this order: each names itself beside the one it is made of.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def client_address(request: HttpRequest) -> str:
    """The address that a request comes from; of IPv6 the network.

    Behind the TLS proxy (HTTPS=1) that is the last one in X-Forwarded-For, which our own proxy has added; what stands
    before it, anybody may have written.
    """
    given = request.META.get("REMOTE_ADDR", "")
    if settings.HTTPS:
        given = request.headers.get("X-Forwarded-For", given).rpartition(",")[2].strip()
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_NETWORK), strict=False))


def agent_words(request: HttpRequest) -> str:
    """Browser and system as `Firefox on Linux`, from what the browser says of itself."""
    given = request.headers.get("User-Agent", "")
    browser = next((word for sign, word in _BROWSERS if sign in given), "Another browser")
    system = next((word for sign, word in _SYSTEMS if sign in given), "")
    return f"{browser} on {system}" if system else browser
