"""Verifying a whole log offline, from bytes that the audited party provides.

The verifier trusts only its own inputs: the keys or the policy, the checkpoints it kept, and the receipts it holds.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from consent_registry.tlog.encoding import encode_base64
from consent_registry.tlog.policy import Policy, TrustedCheckpoint, open_trusted
from consent_registry.tlog.refusal import TlogRefused
from consent_registry.tlog.report import Check, Report, Verdict
from consent_registry.tlog.tree_walk import ReadFile, TreeUnreadable, TreeWalk
from consent_registry.tlog.verify_events import EventCheck
from consent_registry.tlog.verify_quorum import check_quorum
from consent_registry.tlog.verify_receipts import ReceiptCheck

CLOCKS_APART = 300
"""Seconds by which a witness's clock may be ahead of the verifier's. Beyond that the freshness check is undecided."""


class VerifierInputs(msgspec.Struct, frozen=True, kw_only=True):
    """The verifier's own inputs. `kept` checkpoints and `receipts` are (name, bytes); `events` are a bundle's lines.

    `at_seconds` is the present as POSIX time. `max_age` is the greatest age in seconds of the latest cosignature; None
    demands none.
    """

    policy: Policy
    kept: Sequence[tuple[str, bytes]] = ()
    receipts: Sequence[tuple[str, bytes]] = ()
    events: Iterable[bytes] | None = None
    at_seconds: int | None = None
    max_age: int | None = None


def verify_log(
    read: ReadFile, given: VerifierInputs, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> Report:
    """Run every check on a log. `progress` is called with the number of leaves checked and of all leaves."""
    report = Report()
    trusted = _open(report, read("checkpoint"), given.policy)
    if trusted is None:
        return report
    check_quorum(report, trusted, given.policy)
    _check_freshness(report, trusted, given)
    entries, tiles = report.check("entries"), report.check("tiles")
    kept = _KeptCheckpoints(report.check("kept checkpoints"), trusted, given)
    receipts = ReceiptCheck(report.check("receipts"), trusted, [log.key for log in given.policy.logs], given.receipts)
    events = EventCheck(report.check("events"), trusted, given.events)
    walk = TreeWalk(read, trusted.checkpoint.size, entries, tiles, kept.sizes)
    try:
        for start, leaves in walk.steps():
            receipts.compare(start, leaves)
            events.compare(start, leaves)
            progress(min(start + 256, trusted.checkpoint.size), trusted.checkpoint.size)
    except TreeUnreadable as error:
        for check in (entries, tiles, kept.check, receipts.check, events.check):
            if check.verdict == Verdict.HOLDS:
                check.untold(str(error))
        return report
    _conclude(entries, tiles, walk, trusted)
    kept.compare(walk)
    receipts.conclude()
    events.conclude()
    return report


def _open(report: Report, data: bytes | None, policy: Policy) -> TrustedCheckpoint | None:
    check = report.check("checkpoint")
    if data is None:
        check.find("checkpoint_missing", "there is no checkpoint", path="checkpoint")
        return None
    try:
        trusted = open_trusted(data, policy, demand_quorum=False)
    except TlogRefused as error:
        check.find("checkpoint_refused", str(error), path="checkpoint")
        return None
    signed = trusted.checkpoint
    report.origin, report.size, report.root = signed.origin, signed.size, encode_base64(signed.root)
    keys = ", ".join(key.key_id.hex() for key in trusted.log_keys)
    check.says = f"{signed.origin} has {signed.size} entries, signed by its key {keys}"
    return trusted


def _check_freshness(report: Report, trusted: TrustedCheckpoint, given: VerifierInputs) -> None:
    fresh = report.check("freshness")
    latest = max(trusted.cosigned_at.values(), default=None)
    if given.at_seconds is None or given.max_age is None:
        fresh.verdict, fresh.says = Verdict.NOT_ASKED, "no greatest age was given"
    elif latest is None:
        fresh.untold("only a witness's cosignature has a time, and there is none")
    elif latest > given.at_seconds + CLOCKS_APART:
        fresh.untold(f"the latest cosignature is {latest - given.at_seconds} s ahead of this machine's clock")
    elif given.at_seconds - latest > given.max_age:
        fresh.find("stale", f"the latest cosignature is {given.at_seconds - latest} s old, more than {given.max_age} s")
    else:
        fresh.says = f"the latest cosignature is {given.at_seconds - latest} s old"


def _conclude(entries: Check, tiles: Check, walk: TreeWalk, trusted: TrustedCheckpoint) -> None:
    size = trusted.checkpoint.size
    if walk.roots[size] != trusted.checkpoint.root:
        entries.find("root", f"the {size} entries do not give the root that was signed")
        for index in walk.differing:
            entries.find("entry_hash", f"entry {index} does not match the hash in its tile", index=index)
    else:
        # The entries are authentic, so the tile is wrong.
        for index in walk.differing:
            tiles.find("tile_differs", f"the tile of leaf {index} has a wrong hash for it", index=index)
    entries.says = f"{size} entries give the root that was signed"
    tiles.says = f"{walk.tiles_read} tiles are those of the tree"


class _KeptCheckpoints:
    """The checkpoints that the verifier kept. The log must still begin with each of their trees."""

    def __init__(self, check: Check, trusted: TrustedCheckpoint, given: VerifierInputs) -> None:
        self.check = check
        self._kept: list[tuple[str, int, bytes]] = []
        if not given.kept:
            check.verdict, check.says = Verdict.NOT_ASKED, "none was given"
        for name, data in given.kept:
            try:
                old = open_trusted(data, given.policy, demand_quorum=False).checkpoint
            except TlogRefused as error:
                check.find("kept_refused", f"{name}: {error}", path=name)
                continue
            if old.origin != trusted.checkpoint.origin:
                check.find("kept_other_log", f"{name} is of the log {old.origin}", path=name)
            elif old.size > trusted.checkpoint.size:
                detail = f"{name} has {old.size} entries, the log now has {trusted.checkpoint.size}: it was cut back"
                check.find("kept_larger", detail, path=name)
            else:
                self._kept.append((name, old.size, old.root))

    @property
    def sizes(self) -> list[int]:
        return [size for _, size, _ in self._kept]

    def compare(self, walk: TreeWalk) -> None:
        for name, size, root in self._kept:
            if walk.roots[size] != root:
                self.check.find(
                    "kept_root", f"the first {size} entries are not those that {name} was signed for", path=name
                )
        if self.check.verdict == Verdict.HOLDS:
            self.check.says = f"the log continues all {len(self._kept)}, sizes {', '.join(map(str, self.sizes))}"
