"""What can be done to the files of a log, in a database's export or on the web server that serves it."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from consent_registry.tlog.checkpoint import Checkpoint, sign_checkpoint
from consent_registry.tlog.cosignature import cosign
from consent_registry.tlog.event_bundle import OpenedEvent
from consent_registry.tlog.note import SignedNote, SignerKey
from consent_registry.tlog.policy import Policy
from consent_registry.tlog.verify import VerifierInputs, verify_log
from tests.campaigns.tampering.harness import Finding, Tally, findings_of

Files = Mapping[str, bytes]
ENTRIES = frozenset({"root", "entry_hash", "entry_shape", "bundle_malformed", "bundle_missing"})
TILES = frozenset({"tile_differs", "tile_missing", "tile_malformed"})
CHECKPOINT = frozenset({"checkpoint_refused", "checkpoint_missing", "quorum"})
OLDER = frozenset({"kept_larger"})
EVENTS = frozenset({"events_malformed", "events_order", "event_not_opened", "event_missing", "event_beyond"})


@dataclass(frozen=True, slots=True)
class Change:
    """Files that are other ones, or none; and the codes of which one must be named."""

    kind: str
    what: str
    codes: frozenset[str]
    files: Mapping[str, bytes | None] = field(default_factory=dict)
    lines: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True)
class Auditor:
    """What a data-protection officer has beside the files: her policy, what she kept, receipts, events."""

    policy: Policy
    kept: tuple[tuple[str, bytes], ...] = ()
    receipts: tuple[tuple[str, bytes], ...] = ()
    events: tuple[bytes, ...] | None = None

    def judge(self, read: Callable[[str], bytes | None], lines: tuple[bytes, ...] | None = None) -> list[Finding]:
        """Verify, as the verb does."""
        given = VerifierInputs(
            policy=self.policy, kept=self.kept, receipts=self.receipts, events=self.events if lines is None else lines
        )
        return findings_of(verify_log(read, given))


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return every file of an export by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def try_files(auditor: Auditor, files: Files, changes: Iterator[Change], number: int, tally: Tally) -> None:
    """Let verify judge so many changes of these files, each alone."""
    before = tally.made.total()
    for change in changes:
        if tally.made.total() - before >= number:
            return
        altered = {path: data for path, data in change.files.items() if files.get(path) != data}
        if (altered or change.lines not in {None, auditor.events}) and tally.is_new(change.what):
            # Every cut and every bit has its own words; what changed nothing was left out.
            seen = auditor.judge(lambda path, new=altered: new[path] if path in new else files.get(path), change.lines)  # type: ignore[misc]
            tally.count(change.kind, change.what, seen, named=any(code in change.codes for code, _ in seen))


def _codes(path: str) -> frozenset[str]:
    return CHECKPOINT if path == "checkpoint" else ENTRIES if path.startswith("tile/entries/") else TILES


def _kind(path: str) -> str:
    if path == "checkpoint":
        return path
    level = path.split("/")[1]
    return f"{'bundle' if level == 'entries' else f'tile of level {level}'}{', partial' if '.p/' in path else ''}"


def file_changes(rng: random.Random, files: Files) -> Iterator[Change]:
    """Of every file in turn: a bit turned, cut, lengthened, gone, another's content, hashes or entries exchanged."""
    paths = sorted(path for path in files if path != "vkeys")
    for path in paths:
        yield Change(f"{_kind(path)} removed", f"{path} removed", _codes(path), {path: None})
        for source in paths:
            if source != path:
                content = files[source]
                yield Change(f"{_kind(path)} replaced", f"{path} is {source}", _codes(path), {path: content})
    while True:
        for path in paths:
            yield from _in_one(rng, path, files[path])


def _in_one(rng: random.Random, path: str, data: bytes) -> Iterator[Change]:
    codes, kind = _codes(path), _kind(path)
    at, bit = rng.randrange(len(data)), 1 << rng.randrange(8)
    turned = data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]
    yield Change(f"{kind}: bit turned", f"{path} byte {at} bit {bit}", codes, {path: turned})
    if path == "checkpoint":
        return
    cut = rng.randrange(len(data))
    yield Change(f"{kind}: cut", f"{path} cut to {cut}", codes, {path: data[:cut]})
    more = rng.randbytes(rng.randint(1, 40))
    yield Change(f"{kind}: lengthened", f"{path} and {more.hex()}", codes, {path: data + more})
    head, width = (2, 35) if path.startswith("tile/entries/") else (0, 32)
    count = len(data) // width
    if count > 1:
        left, right = sorted(rng.sample(range(count), 2))
        parts = [data[place * width : (place + 1) * width] for place in range(count)]
        parts[left], parts[right] = parts[right], parts[left]
        exchanged = b"".join(parts)
        yield Change(f"{kind}: exchanged", f"{path} {left} and {right}", codes, {path: exchanged})
        parts = [data[place * width : (place + 1) * width] for place in range(count)]
        parts[left] = parts[left][:head] + parts[right][head:]
        yield Change(f"{kind}: doubled", f"{path} {right} at {left}", codes, {path: b"".join(parts)})


def checkpoint_changes(
    rng: random.Random, files: Files, keys: tuple[SignerKey, SignerKey], older: Mapping[str, bytes]
) -> Iterator[Change]:
    """Checkpoints of an earlier month, of other roots and sizes; by a stranger, by the log, by all its keys."""
    log, witness = keys
    now = Checkpoint.parse(SignedNote.parse(files["checkpoint"]).text)
    for name, kept in older.items():
        yield Change("checkpoint: an older one", name, OLDER, {"checkpoint": kept})
    stranger = SignerKey.of_seed(log.name, rng.randbytes(32))
    while True:
        size = rng.randrange(1, now.size + 40)
        checkpoint = Checkpoint(now.origin, size, rng.randbytes(32))
        for signer, who, codes in ((stranger, "a stranger", CHECKPOINT), (log, "the log's key", CHECKPOINT)):
            note = sign_checkpoint(checkpoint, (signer,))
            what = f"{size} {checkpoint.root.hex()} by {who}"
            yield Change(f"checkpoint: another by {who}", what, codes, {"checkpoint": note.format()})
        # A superuser with all keys signs anything: then it does not fit the entries, or what was kept.
        note = sign_checkpoint(checkpoint, (log,))
        both = SignedNote(note.text, (*note.signatures, cosign(note.text, witness, 1_800_000_000 + size)))
        codes = ENTRIES | TILES | {"kept_root", "kept_larger", "events_larger"}
        what = f"{size} {checkpoint.root.hex()} by all keys"
        yield Change("checkpoint: another by all keys", what, frozenset(codes), {"checkpoint": both.format()})


def event_changes(rng: random.Random, lines: tuple[bytes, ...]) -> Iterator[Change]:
    """Of a bundle of events: a line altered, gone, doubled, exchanged, with another's event or nonce."""
    head, body = lines[0], list(lines[1:])
    while True:
        left, right = sorted(rng.sample(range(len(body)), 2))
        gone = (head, *body[:left], *body[left + 1 :])
        yield Change("event removed", f"line {left} gone", EVENTS, lines=gone)
        yield Change("event doubled", f"line {left} twice", EVENTS, lines=(head, *body[: left + 1], *body[left:]))
        swapped = list(body)
        swapped[left], swapped[right] = swapped[right], swapped[left]
        yield Change("events exchanged", f"lines {left} and {right}", EVENTS, lines=(head, *swapped))
        yield _line_change(rng, head, body, left)


def _line_change(rng: random.Random, head: bytes, body: list[bytes], number: int) -> Change:
    opened = msgspec.json.decode(body[number], type=OpenedEvent)
    member = rng.choice(("event", "nonce"))
    data = bytearray(getattr(opened, member))
    at, bit = rng.randrange(len(data)), 1 << rng.randrange(8)
    data[at] ^= bit
    altered = msgspec.json.encode(msgspec.structs.replace(opened, **{member: bytes(data)})) + b"\n"
    what = f"line {number} {member} byte {at} bit {bit}"
    return Change(f"{member} edited", what, EVENTS, lines=(head, *body[:number], altered, *body[number + 1 :]))
