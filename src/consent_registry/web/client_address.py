"""The client's IP address, for the server's log and for counting token attempts. Nothing else depends on it.

Forwarding headers count only from the proxies in CONSENT_REGISTRY_TRUSTED_PROXIES, because anybody can send them.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from litestar import Request

from consent_registry.settings import IpNetworks

Address = IPv4Address | IPv6Address


def client_address(request: Request[Any, Any, Any]) -> str:
    """The first address that does not belong to a trusted proxy, going back from the connection along the proxies."""
    peer = request.client.host if request.client is not None else ""
    trusted: IpNetworks = request.app.state.trusted_proxies
    known = peer
    for noted in (peer, *_noted(request)):
        address = _address(noted)
        if address is None:  # the proxy sent something other than an address, so the last known address stays
            break
        known = str(address)
        if not any(address in network for network in trusted):
            break
    return known


def _noted(request: Request[Any, Any, Any]) -> Iterator[str]:
    """The addresses in X-Forwarded-For, or else in Forwarded (RFC 7239), the latest first."""
    if lines := request.headers.getall("x-forwarded-for", []):
        yield from (address.strip() for address in reversed(",".join(lines).split(",")))
        return
    for element in reversed(",".join(request.headers.getall("forwarded", [])).split(",")):
        pairs = (pair.partition("=") for pair in element.split(";"))
        yield next((value.strip().strip('"') for name, _, value in pairs if name.strip().lower() == "for"), "")


def _address(text: str) -> Address | None:
    """Parse an address with or without port (RFC 7239 section 6); with a port, IPv6 is in brackets."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    # A socket for both families shows an IPv4 caller as ::ffff:192.0.2.1.
    return getattr(address, "ipv4_mapped", None) or address
