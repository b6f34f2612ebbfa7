"""Where a request came from, for the server's log and for counting attempts to get a token: no other answer depends on
it.

What a proxy adds to a request is believed of the proxies that CONSENT_REGISTRY_TRUSTED_PROXIES names, and of nobody
else: anybody can send such a header.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from litestar import Request

from consent_registry.settings import Networks

Address = IPv4Address | IPv6Address


def client_address(request: Request[Any, Any, Any]) -> str:
    """The nearest address that is no trusted proxy's, walking back from the connection through what proxies noted."""
    peer = request.client.host if request.client is not None else ""
    trusted: Networks = request.app.state.trusted_proxies
    known = peer
    for noted in (peer, *_noted(request)):
        address = _address(noted)
        if address is None:  # a proxy noted something that is no address: what it said before is all there is
            break
        known = str(address)
        if not any(address in network for network in trusted):
            break
    return known


def _noted(request: Request[Any, Any, Any]) -> Iterator[str]:
    """The addresses that proxies noted, the latest first: X-Forwarded-For, or else Forwarded (RFC 7239)."""
    if lines := request.headers.getall("x-forwarded-for", []):
        yield from (one.strip() for one in reversed(",".join(lines).split(",")))
        return
    for element in reversed(",".join(request.headers.getall("forwarded", [])).split(",")):
        pairs = (one.partition("=") for one in element.split(";"))
        yield next((value.strip().strip('"') for name, _, value in pairs if name.strip().lower() == "for"), "")


def _address(text: str) -> Address | None:
    """An address as RFC 7239 section 6 writes it: bare, or with a port, IPv6 then in brackets."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    # A socket for both families shows an IPv4 caller as ::ffff:192.0.2.1.
    return getattr(address, "ipv4_mapped", None) or address
