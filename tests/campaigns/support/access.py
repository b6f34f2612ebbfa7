"""Partners' and administrators' access tokens, for httpx and for bare headers."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode

import httpx

from tests.campaigns.support.wire import Answer, Wire

EARLY_S = 60.0
"""A token is renewed this long before it expires."""


@dataclass(slots=True)
class Access(httpx.Auth):
    """One client's credentials with the token they were last exchanged for."""

    port: int
    network: str
    partner: str | None
    client_id: str
    client_secret: str
    _token: str = field(default="", init=False)
    _good_until: float = field(default=0.0, init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def headers(self, key: str | None = None) -> dict[str, str]:
        """Return the headers of a request, with an Idempotency-Key if one is given."""
        async with self._lock:
            if time.monotonic() >= self._good_until:
                await self._renew()
        extra = {} if key is None else {"Idempotency-Key": key}
        return {"Authorization": f"Bearer {self._token}", **extra}

    def forget(self) -> None:
        """Drop the token, so that the next request asks for a new one."""
        self._good_until = 0.0

    def held(self) -> tuple[str, datetime] | None:
        """Return the token at hand and when it says that it was issued."""
        if not self._token:
            return None
        payload = self._token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return self._token, datetime.fromtimestamp(claims["iat"], UTC)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Add the token to an httpx request; once more with a new one after 401."""
        request.headers.update(await self.headers())
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self.forget()
            request.headers.update(await self.headers())
            yield request

    def http(self, **options: object) -> httpx.AsyncClient:
        """Return an httpx client that is signed in as this partner or administrator."""
        url = f"http://127.0.0.1:{self.port}"
        return httpx.AsyncClient(base_url=url, auth=self, timeout=30.0, **options)  # type: ignore[arg-type]

    async def _renew(self) -> None:
        wire = Wire(self.port)
        try:
            answer = await self._ask(wire)
        finally:
            wire.close()
        if answer.status != httpx.codes.OK:
            raise RuntimeError(f"no token for {self.client_id}: {answer.status} {answer.body!r}")
        granted = json.loads(answer.body)
        self._token = granted["access_token"]
        self._good_until = time.monotonic() + granted["expires_in"] - EARLY_S

    async def _ask(self, wire: Wire) -> Answer:
        basic = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
        form = urlencode({"grant_type": "client_credentials"}).encode()
        return await wire.request("POST", "/oauth/token", headers, form)
