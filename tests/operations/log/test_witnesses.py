"""Asking witnesses: real ones that are up, down, ahead or restored, and servers that answer anything."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from consent_registry.operations.log.witnesses import BelowQuorum, CollectedCosignatures, Witnesses
from consent_registry.tlog.cosignature import cosign, cosignatures
from consent_registry.tlog.merkle import consistency_ranges, root
from consent_registry.tlog.note import COSIGNATURE, SignedNote, SignerKey, VerifierKey
from consent_registry.tlog.policy import Policy, open_trusted
from tests.cli.test_witness import FORK, LEAVES, LOG, Running, checkpoint, make, start
from tests.process.test_supervisor import free_port

PATIENCE = 1.0
STRANGER = SignerKey.of_seed("stranger.test", bytes([9]) * 32, COSIGNATURE)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Running]]:
    """Two running witnesses that trust the log."""
    folders = [tmp_path_factory.mktemp(f"w{number}") / "state" for number in (1, 2)]
    keys = [make(folder, f"w{number}.test") for number, folder in enumerate(folders, 1)]
    running = [start(folder, key, free_port()) for folder, key in zip(folders, keys, strict=True)]
    yield running
    for witness in running:
        witness.stop()


def policy(quorum: str, *witnesses: tuple[VerifierKey, str]) -> Policy:
    """A policy with the log, these witnesses named by their numbers, and a group of them all."""
    lines = [f"witness W{number} {key} {url}" for number, (key, url) in enumerate(witnesses, 1)]
    members = " ".join(f"W{number}" for number in range(1, len(witnesses) + 1))
    group = [] if quorum == "none" else [f"group g {quorum} {members}"]
    text = [f"log {LOG.verifier}", *lines, *group, f"quorum {'none' if quorum == 'none' else 'g'}", ""]
    return Policy.parse("\n".join(text).encode())


def prover(size: int, leaves: list[bytes] = LEAVES) -> Callable[[int], object]:
    """A function that proves the consistency from an older size to this one."""

    async def prove(old: int) -> Sequence[bytes]:
        assert 0 < old < size
        return [root(leaves[start:end]) for start, end in consistency_ranges(old, size)]

    return prove


async def collect(asked: Witnesses, size: int, leaves: list[bytes] = LEAVES) -> CollectedCosignatures:
    """Collect cosignatures of the log's checkpoint at a size."""
    return await asked.collect(checkpoint(size, leaves), size, prover(size, leaves))  # type: ignore[arg-type]


async def test_two_that_answer(pair: list[Running]) -> None:
    """Both witnesses cosign, from their first checkpoint on, whether or not we know the size they have seen."""
    chosen = policy("all", *((witness.key, witness.url) for witness in pair))
    async with Witnesses(chosen, PATIENCE) as asked:
        for size in (1, 5, 5, 300):
            collected = await collect(asked, size)
            assert collected.quorum_met
            assert collected.failures == {}
            trusted = open_trusted(collected.note, chosen)
            assert trusted.checkpoint.size == size
            assert trusted.cosigned_at == collected.cosigned_at
    # Another sealer, or this one after a restart, knows no size: the witness answers it (409), and gets the proof.
    async with Witnesses(chosen, PATIENCE) as asked:
        assert (await collect(asked, 400)).quorum_met
    # A database restored from an old backup is behind its witnesses; a rewritten one has no valid proof.
    async with Witnesses(chosen, PATIENCE) as asked:
        behind = await collect(asked, 350)
        assert not behind.quorum_met
        assert all("has seen size 400, beyond ours" in reason for reason in behind.failures.values())
        rewritten = await collect(asked, 500, FORK)
        assert all(reason.startswith("answered 422") for reason in rewritten.failures.values())
        with pytest.raises(BelowQuorum, match="has seen size 400"):
            await asked.cosign(checkpoint(350), 350, prover(350))  # type: ignore[arg-type]


async def test_one_down_for_a_while(tmp_path: Path) -> None:
    """With one witness down a quorum of one is met, a quorum of both is not; after its restart it cosigns again."""
    folders = [tmp_path / name for name in ("a", "b")]
    keys = [make(folder, f"{folder.name}.test") for folder in folders]
    ports = [free_port(), free_port()]
    running = [start(*of) for of in zip(folders, keys, ports, strict=True)]
    sides = [(witness.key, witness.url) for witness in running]
    try:
        async with Witnesses(policy("any", *sides), PATIENCE) as either, Witnesses(policy("all", *sides), 0.5) as both:
            assert (await collect(both, 2)).quorum_met
            running[1].stop(signal.SIGKILL)
            collected = await collect(either, 7)
            assert (collected.quorum_met, list(collected.cosigned_at)) == (True, [keys[0]])
            assert "cannot be reached" in collected.failures["W2"]
            with pytest.raises(BelowQuorum, match="W2: cannot be reached"):
                await both.cosign(checkpoint(7), 7, prover(7))  # type: ignore[arg-type]
            running[1] = start(folders[1], keys[1], ports[1])
            note = await both.cosign(checkpoint(9), 9, prover(9))  # type: ignore[arg-type]
            assert set(cosignatures(SignedNote.parse(note), keys)) == set(keys)
    finally:
        for witness in running:
            witness.stop()


@asynccontextmanager
async def stranger(answer: Callable[[bytes], bytes], pause: float = 0, drip: float = 0) -> AsyncIterator[str]:
    """A server that sends `answer(request)` after `pause` seconds, byte by byte with `drip` seconds between them."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            await asyncio.sleep(pause)
            for byte in answer(body) if drip else []:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(drip)
            if not drip:
                writer.write(answer(body))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def http(status: int, body: bytes, more: str = "") -> bytes:
    """An HTTP answer."""
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n".encode() + body


TEXT = SignedNote.parse(checkpoint(5)).text
GOOD = cosign(TEXT, STRANGER, 1_700_000_000).line().encode()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "cannot be reached"),
        (b"nonsense\r\n\r\n", "cannot be reached"),
        (http(200, b""), "not signature lines"),
        (http(200, b"ok\n"), "not a signature line"),
        (http(200, b"\xff\n"), "not UTF-8"),
        (http(200, LOG.sign(TEXT).line().encode()), "without its cosignature"),
        (http(200, cosign(TEXT + "x\n", STRANGER, 1).line().encode()), "does not hold"),
        (http(200, GOOD[:-1]), "not signature lines"),
        (http(200, GOOD * 2000), "more than 65536 bytes"),
        (http(409, b""), "without a size"),
        (http(409, b"-1\n"), "without a size"),
        (http(409, b"0\n"), "refused size 0 and named the same"),
        (http(409, b"6\n"), "has seen size 6, beyond ours"),
        (http(409, b"9" * 60000 + b"\n"), "without a size"),
        (http(500, b"\x1b[31mred\n"), "answered 500: [31mred"),
        (http(301, b"", "Location: http://127.0.0.1:1/\r\n"), "answered 301"),
        (http(404, b"unknown log\n"), "answered 404: unknown log"),
    ],
)
async def test_whatever_a_stranger_answers(answer: bytes, reason: str) -> None:
    """A bad answer does not count and is reported in one printable line; the other witness still counts."""
    async with stranger(lambda _: answer) as bad, stranger(lambda _: http(200, GOOD)) as good:
        lines = [f"witness W1 {SignerKey.of_seed('bad.test', bytes(32), COSIGNATURE).verifier} {bad}"]
        lines += [f"witness W2 {STRANGER.verifier} {good}/", "quorum W2", ""]
        if reason in {"does not hold", "more than 65536 bytes"}:  # only of a known key
            lines = [f"witness W1 {STRANGER.verifier} {bad}", "quorum W1", ""]
        async with Witnesses(Policy.parse("\n".join(lines).encode()), PATIENCE) as asked:
            collected = await collect(asked, 5)
        assert reason in collected.failures["W1"]
        assert collected.failures["W1"].isprintable()
        assert collected.quorum_met == (len(lines) == 4)


async def test_one_that_names_another_size_each_time() -> None:
    """A witness that names another size each time is given up after a few rounds."""
    sizes = iter(range(1, 100))
    async with (
        stranger(lambda _: http(409, f"{next(sizes)}\n".encode())) as url,
        Witnesses(policy("all", (STRANGER.verifier, url)), PATIENCE) as asked,
    ):
        assert (await collect(asked, 500)).failures == {"W1": "named another size each time"}
    assert next(sizes) < 10


@pytest.mark.parametrize(("pause", "drip"), [(30, 0), (0, 0.05)])
async def test_a_slow_one_costs_the_limit_and_no_more(pause: float, drip: float) -> None:
    """A witness that waits, or sends a byte now and then, does not count after the time limit."""
    async with stranger(lambda _: http(200, GOOD), pause, drip) as url:
        async with Witnesses(policy("all", (STRANGER.verifier, url)), 0.3) as asked:
            collected = await collect(asked, 5)
        assert collected.failures == {"W1": "has not answered in time"}
        assert not collected.quorum_met


async def test_nobody_waits_for_those_who_are_not_needed() -> None:
    """Once the quorum is met, also a quorum of none, the other witnesses have only the short grace."""
    async with stranger(lambda _: http(200, GOOD)) as quick, stranger(lambda _: b"", 30) as slow:
        slow_key = SignerKey.of_seed("slow.test", bytes(32), COSIGNATURE).verifier
        for quorum in ("any", "none"):
            chosen = policy(quorum, (STRANGER.verifier, quick), (slow_key, slow))
            async with Witnesses(chosen, 60, 0.3) as asked:
                async with asyncio.timeout(20):
                    collected = await collect(asked, 5)
            assert list(collected.cosigned_at) == [STRANGER.verifier]
            assert collected.failures == {"W2": "has not answered in time"}


async def test_without_an_address() -> None:
    """A witness without an address in the policy is not asked, and does not count for the quorum."""
    chosen = Policy.parse(f"witness W {STRANGER.verifier}\nquorum W\n".encode())
    async with Witnesses(chosen, PATIENCE) as asked:
        with pytest.raises(BelowQuorum, match="W: has no address"):
            await asked.cosign(checkpoint(5), 5, prover(5))  # type: ignore[arg-type]
    async with Witnesses(Policy(), PATIENCE) as asked:
        assert await asked.cosign(checkpoint(5), 5, prover(5)) == checkpoint(5)  # type: ignore[arg-type]
