"""Compares receipts with a log: each promised leaf must be at its index."""

from collections.abc import Sequence

from consent_registry.tlog.encoding import encode_base64
from consent_registry.tlog.note import VerifierKey
from consent_registry.tlog.policy import Policy, TrustedCheckpoint
from consent_registry.tlog.proof import TlogProof
from consent_registry.tlog.receipt import Receipt, open_receipt
from consent_registry.tlog.refusal import TlogRefused
from consent_registry.tlog.report import Check, Report, Verdict
from consent_registry.tlog.tile import TILE_WIDTH
from consent_registry.tlog.verify_quorum import check_quorum

MERGE_DELAY = 60
"""Seconds within which a checkpoint must contain a new leaf. An older receipt whose leaf is missing is a finding."""


class ReceiptCheck:
    """Merges the verifier's receipts with the log's leaves, tile by tile."""

    def __init__(
        self,
        check: Check,
        trusted: TrustedCheckpoint,
        log_keys: Sequence[VerifierKey],
        receipts: Sequence[tuple[str, bytes]],
    ) -> None:
        self.check = check
        self._wanted: dict[int, list[tuple[str, Receipt]]] = {}
        self._unread: list[str] = []
        self._met = 0
        if not receipts:
            check.verdict, check.says = Verdict.NOT_ASKED, "none was given"
        for name, data in receipts:
            try:
                receipt = open_receipt(data.decode("ascii", "replace").strip(), log_keys)
            except TlogRefused as error:
                check.find("receipt_refused", f"{name}: {error}", path=name)
            else:
                self._place(name, receipt, trusted)

    def _place(self, name: str, receipt: Receipt, trusted: TrustedCheckpoint) -> None:
        place, until = receipt.claims.log, receipt.claims.iat + MERGE_DELAY
        if place.origin != trusted.checkpoint.origin:
            self.check.find("receipt_other_log", f"{name} is of the log {place.origin}", path=name)
        elif 0 <= place.index < trusted.checkpoint.size:
            self._wanted.setdefault(place.index, []).append((name, receipt))
        elif place.index < 0 or any(at > until for at in trusted.cosigned_at.values()):
            detail = f"{name} promised leaf {place.index}, and the log ends before it"
            self.check.find("receipt_broken_promise", detail, index=place.index, path=name)
        else:
            self._unread.append(name)

    def compare(self, start: int, leaves: Sequence[bytes] | None) -> None:
        """Compare the leaves from `start` on with the promised ones; `leaves` is None if they cannot be read."""
        for index in sorted(self._wanted.keys() & range(start, start + TILE_WIDTH)):
            for name, receipt in self._wanted.pop(index):
                if leaves is None:
                    self._unread.append(name)
                elif leaves[index - start] != receipt.leaf:
                    detail = f"{name} promised another leaf {index} than the log contains"
                    self.check.find("receipt_leaf", detail, index=index, path=name)
                else:
                    self._met += 1

    def conclude(self) -> None:
        """Write the result of the check as a sentence."""
        if self._unread:
            self.check.untold(f"{', '.join(self._unread)}: the leaf is not under this checkpoint, or cannot be read")
        elif self.check.verdict == Verdict.HOLDS:
            self.check.says = f"all {self._met} are in the log as promised"


def verify_receipt(text: str, proof: bytes, policy: Policy, client: tuple[str, str] | None = None) -> Report:
    """Verify one receipt and the inclusion proof of its record, offline.

    It checks the receipt's signature, then that a checkpoint the policy trusts contains the same leaf at the same index
    of the same log. With `client`, a pair (reference, salt), it also checks that the receipt is about this client.
    """
    report = Report()
    signed = report.check("receipt")
    try:
        receipt = open_receipt(text.strip(), [log.key for log in policy.logs])
    except TlogRefused as error:
        signed.find("receipt_refused", str(error))
        return report
    claims = receipt.claims
    allowed = f"{claims.outcome} of {', '.join(claims.categories) or 'nothing'} for {claims.purpose}"
    signed.says = f"{claims.sender} to {claims.recipient}: {allowed}, decision {claims.jti}"
    included = report.check("inclusion")
    try:
        read = TlogProof.parse(proof)
        trusted = read.verify(receipt.leaf, policy, demand_quorum=False)
    except TlogRefused as error:
        included.find("proof_refused", str(error))
        return report
    checkpoint = trusted.checkpoint
    report.origin, report.size, report.root = checkpoint.origin, checkpoint.size, encode_base64(checkpoint.root)
    if (checkpoint.origin, read.index) != (claims.log.origin, claims.log.index):
        detail = f"the proof is of leaf {read.index} of {checkpoint.origin}, the receipt names leaf {claims.log.index}"
        included.find("proof_other_leaf", detail, index=claims.log.index)
    included.says = f"leaf {read.index} of {checkpoint.size} entries of {checkpoint.origin}"
    check_quorum(report, trusted, policy)
    _check_client(report.check("client"), receipt, client)
    return report


def _check_client(check: Check, receipt: Receipt, client: tuple[str, str] | None) -> None:
    if client is None:
        check.verdict, check.says = Verdict.NOT_ASKED, "no reference was given"
    elif not client[1]:
        check.untold("the salt is missing: give the whole answer to the decision, not the receipt alone")
    elif receipt.is_about(*client):
        check.says = "the receipt is about this reference"
    else:
        check.find("client_other", "the receipt is about another reference, or the salt is not its own")
