"""Outgoing HTTP calls: every HTTP client is made here, and every failure becomes one line for an operator.

Proxies and certificate authorities come from the environment (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE and the like). The
library reads them when a client is made. If it cannot read them, it raises errors of any kind before the first call.
"""

import os
from collections.abc import Callable, Mapping
from typing import TypeVar

import httpx

from consent_registry.operations.runtime.reasons import reason_of

_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")

HttpClient = TypeVar("HttpClient", httpx.Client, httpx.AsyncClient)


class CannotCall(Exception):
    """No HTTP client can be made, or an address cannot be called; the message is one line for an operator."""


def make_client(seconds: float, headers: Mapping[str, str] | None = None) -> httpx.Client:
    """An HTTP client that waits at most so many seconds and follows no redirect; raises CannotCall."""
    return _made(lambda: httpx.Client(timeout=seconds, headers=headers, follow_redirects=False))


def make_async_client(seconds: float) -> httpx.AsyncClient:
    """The asynchronous form of `make_client`; raises CannotCall."""
    return _made(lambda: httpx.AsyncClient(timeout=seconds, follow_redirects=False))


def why_not(error: Exception) -> str:
    """The reason why a call failed, in words for an operator."""
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return "the address is none that can be called"
    if isinstance(error, httpx.ProxyError):
        return "the proxy refuses"
    if isinstance(error, httpx.HTTPError):
        cause = _system_error(error)
        return "the connection broke" if cause is None else reason_of(cause)
    return reason_of(error)


def _made(make: Callable[[], HttpClient]) -> HttpClient:
    try:
        return make()
    except Exception as error:
        named = [name for name in _NAMES if os.environ.get(name) or os.environ.get(name.lower())]
        raise CannotCall(
            f"no call can be made with {', '.join(named) or 'the certificates'} as the environment has it: "
            + ("a file named there cannot be used" if isinstance(error, OSError) else "it cannot be understood")
        ) from error


def _system_error(error: BaseException) -> OSError | None:
    """The operating system's or TLS error beneath the library's error, if there is one."""
    found, below = None, error.__cause__ or error.__context__
    while below is not None:
        if isinstance(below, OSError):
            found = below  # the deepest one is the most precise
        below = below.__cause__ or below.__context__
    return found
