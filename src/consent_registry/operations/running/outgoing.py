"""Calling others over HTTP: every client is made here, and what keeps one from being made or answered is words.

Proxies and authorities come from the environment (HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE and the like), which the library
reads while a client is made: what it cannot read there is an error of whatever kind, long before anybody is called.
"""

import os
from collections.abc import Callable, Mapping
from typing import TypeVar

import httpx

from consent_registry.operations.running.reasons import reason_of

_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")

Client = TypeVar("Client", httpx.Client, httpx.AsyncClient)


class CannotCall(Exception):
    """Nobody can be called, or this one cannot; the message is one line for an operator."""


def make_client(seconds: float, headers: Mapping[str, str] | None = None) -> httpx.Client:
    """A client that waits so long at most and follows no redirect; raises CannotCall."""
    return _made(lambda: httpx.Client(timeout=seconds, headers=headers, follow_redirects=False))


def make_async_client(seconds: float) -> httpx.AsyncClient:
    """The same for a program that waits for several at once; raises CannotCall."""
    return _made(lambda: httpx.AsyncClient(timeout=seconds, follow_redirects=False))


def why_not(error: Exception) -> str:
    """Why a call failed, in words."""
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


def _made(make: Callable[[], Client]) -> Client:
    try:
        return make()
    except Exception as error:
        named = [one for one in _NAMES if os.environ.get(one) or os.environ.get(one.lower())]
        raise CannotCall(
            f"no call can be made with {', '.join(named) or 'the certificates'} as the environment has it: "
            + ("a file named there cannot be used" if isinstance(error, OSError) else "it cannot be understood")
        ) from error


def _system_error(error: BaseException) -> OSError | None:
    """What the operating system or TLS said, below what the library made of it."""
    found, below = None, error.__cause__ or error.__context__
    while below is not None:
        if isinstance(below, OSError):
            found = below  # the deepest says most
        below = below.__cause__ or below.__context__
    return found
