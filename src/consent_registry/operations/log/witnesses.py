"""Asking witnesses to cosign a checkpoint (C2SP tlog-witness), all at the same time and within one time limit.

A witness may be down, slow, hostile or restored from a backup: whatever it answers, the worst case is that it does not
count. Only a cosignature that verifies under the key in the policy counts.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import httpx
import structlog

from consent_registry.domain.errors import RegistryError
from consent_registry.operations.runtime.outgoing import CannotCall, make_async_client, why_not
from consent_registry.operations.runtime.reasons import reason_of
from consent_registry.tlog.checkpoint import Checkpoint
from consent_registry.tlog.note import NoteRefused, Signature, SignedNote, VerifierKey
from consent_registry.tlog.policy import Policy, TrustedWitness
from consent_registry.tlog.witness import CONFLICT, AddCheckpoint, read_conflict_size, read_cosignatures

Prove = Callable[[int], Awaitable[Sequence[bytes]]]
"""Returns the consistency path from a witness's size (at least 1) to the checkpoint's size, which is larger."""

# In bytes. A cosigned checkpoint needs no more; reading of a longer answer is broken off.
LARGEST_ANSWER = 64 * 1024
# A witness may have a larger size than we know of, and it may grow while we ask.
MOST_ROUNDS = 3
OK = 200

_log = structlog.get_logger(__name__)


class BelowQuorum(RegistryError):
    """Too few witnesses cosigned within the time. The last checkpoint stays published."""


@dataclass(frozen=True, slots=True)
class CollectedCosignatures:
    """The result of asking: the note with every cosignature, when each witness cosigned, and why others did not."""

    note: bytes
    quorum_met: bool
    cosigned_at: Mapping[VerifierKey, int]
    failures: Mapping[str, str]


@dataclass(slots=True)
class Witnesses:
    """The witnesses of a policy, asked over kept connections. `seconds` limits one collection as a whole; once the
    quorum is met, the others have `grace` seconds more.
    """

    policy: Policy
    seconds: float = 5.0
    grace: float = 0.5
    _client: httpx.AsyncClient | None = None
    _seen: dict[tuple[str, str], int] = field(default_factory=dict)
    _failing: dict[str, str] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the kept connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def cosign(self, note: bytes, size: int, prove: Prove) -> bytes:
        """The note with the collected cosignatures; raises BelowQuorum with the failure of each witness."""
        collected = await self.collect(note, size, prove)
        self._log_changes(collected.failures)
        if not collected.quorum_met:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in sorted(collected.failures.items()))
            raise BelowQuorum(f"the quorum {self.policy.quorum} is not met at size {size}: {reasons or 'no witness'}")
        return collected.note

    async def collect(self, note: bytes, size: int, prove: Prove) -> CollectedCosignatures:
        """Ask every witness that has an address; returns when all have answered or the time limit is reached."""
        asked = {
            asyncio.create_task(self._ask(witness, note, size, prove)): witness
            for witness in self.policy.witnesses.values()
            if witness.url
        }
        try:
            await self._wait(asked)
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        signatures: dict[VerifierKey, tuple[Signature, int]] = {}
        failures = {witness.name: "has no address" for witness in self.policy.witnesses.values() if not witness.url}
        for task, witness in asked.items():
            if task.cancelled():
                failures[witness.name] = "has not answered in time"
            elif (error := task.exception()) is not None:
                failures[witness.name] = str(error) if isinstance(error, _Failure) else reason_of(error)
            else:
                signatures[witness.key] = task.result()
        signed = SignedNote.parse(note)
        cosigned = replace(signed, signatures=(*signed.signatures, *(line for line, _ in signatures.values())))
        times = {key: at_seconds for key, (_, at_seconds) in signatures.items()}
        return CollectedCosignatures(cosigned.format(), self.policy.is_met_by(times), times, failures)

    async def _wait(self, asked: Mapping[asyncio.Task[tuple[Signature, int]], TrustedWitness]) -> None:
        """Wait until all have answered: at most `seconds`, and at most `grace` after the quorum is met."""
        in_grace = self.policy.is_met_by(())  # a quorum of none is met from the start
        until = asyncio.get_running_loop().time() + (min(self.grace, self.seconds) if in_grace else self.seconds)
        waiting = set(asked)
        while waiting and (seconds := until - asyncio.get_running_loop().time()) > 0:
            _, waiting = await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            cosigners = [witness.key for task, witness in asked.items() if task.done() and task.exception() is None]
            if not in_grace and self.policy.is_met_by(cosigners):
                in_grace, until = True, min(until, asyncio.get_running_loop().time() + self.grace)

    async def _ask(self, witness: TrustedWitness, note: bytes, size: int, prove: Prove) -> tuple[Signature, int]:
        """Ask one witness for its cosignature; returns the signature and its time, or raises _Failure."""
        text = SignedNote.parse(note).text
        origin = Checkpoint.parse(text).origin
        place = (witness.name, origin)
        for _ in range(MOST_ROUNDS):
            old = min(self._seen.get(place, 0), size)
            path = tuple(await prove(old)) if 0 < old < size else ()
            status, body = await self._post(witness, AddCheckpoint(old, path, note).format())
            try:
                if status == OK:
                    found = read_cosignatures(body, text, [witness.key])
                    if not found:
                        raise _Failure("answered without its cosignature")
                    self._seen[place] = size
                    return found[-1]
                if status != CONFLICT:
                    raise _Failure(f"answered {status}: {_printable(body)}")
                witness_size = read_conflict_size(body)
            except NoteRefused as error:
                raise _Failure(f"answered {status}, but {error}") from error
            if witness_size > size:
                raise _Failure(f"has seen size {witness_size}, beyond ours, {size}: is this an old state of the log?")
            if witness_size == old:
                raise _Failure(f"refused size {old} and named the same")
            self._seen[place] = witness_size
        raise _Failure("named another size each time")

    async def _post(self, witness: TrustedWitness, body: bytes) -> tuple[int, bytes]:
        if self._client is None:
            try:
                self._client = make_async_client(self.seconds)
            except CannotCall as error:
                raise _Failure(str(error)) from error
        try:
            return await _exchange(self._client, f"{(witness.url or '').rstrip('/')}/add-checkpoint", body)
        except _Failure:
            raise
        except Exception as error:
            raise _Failure(f"cannot be reached: {why_not(error)}") from error

    def _log_changes(self, failures: Mapping[str, str]) -> None:
        """Log failures that began or ended since the last time, not the same line several times a second."""
        for name, reason in failures.items():
            if self._failing.get(name) != reason:
                _log.warning("a witness did not cosign", witness=name, reason=reason)
        for name in self._failing.keys() - failures.keys():
            _log.info("a witness cosigns again", witness=name)
        self._failing = dict(failures)


async def _exchange(client: httpx.AsyncClient, url: str, body: bytes) -> tuple[int, bytes]:
    """Status and body of the answer; raises _Failure for an answer that is too long, and any error of the library."""
    async with client.stream("POST", url, content=body) as answer:
        received = bytearray()
        async for chunk in answer.aiter_bytes():
            received += chunk
            if len(received) > LARGEST_ANSWER:
                raise _Failure(f"answered more than {LARGEST_ANSWER} bytes")
        return answer.status_code, bytes(received)


class _Failure(Exception):
    """The reason why one witness does not count this time."""


def _printable(body: bytes) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in body[:120].decode("utf-8", "replace")).strip()
