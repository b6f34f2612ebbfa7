"""`consent-registry verify`: check a log or a receipt offline, with the verifier's own keys."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter, validators

from consent_registry.cli.evidence_files import open_events, read_answer, read_kept, read_policy, read_proof, read_token
from consent_registry.cli.exit_codes import ExitCode, gives_verdict
from consent_registry.cli.log_source import Unreachable, open_log
from consent_registry.cli.reference_file import checked_reference
from consent_registry.cli.report_text import as_text
from consent_registry.tlog.note import VerifierKey
from consent_registry.tlog.policy import Policy, TrustedLog
from consent_registry.tlog.report import Report, Verdict
from consent_registry.tlog.verify import VerifierInputs, verify_log
from consent_registry.tlog.verify_receipts import verify_receipt

OUTCOMES = {
    Verdict.HOLDS: ExitCode.HOLDS,
    Verdict.FAILS: ExitCode.DOES_NOT_HOLD,
    Verdict.UNTOLD: ExitCode.CANNOT_BE_TOLD,
}
# Parameters of both verbs.
TrustedKeys = Annotated[
    list[str] | None,
    Parameter(negative="", help="A verifier key of the log that you trust. It can be repeated during a key rotation."),
]
PolicyFile = Annotated[
    Path | None,
    Parameter(help="A policy (C2SP tlog-policy) with the log's keys, the witnesses and the quorum that you demand."),
]
ReportAsJson = Annotated[bool, Parameter(negative="", help="Write the report as JSON.")]
GivenFiles = Annotated[list[Path] | None, Parameter(negative="")]
MaxAge = Annotated[int, Parameter(validator=validators.Number(gte=0))]

verify = App(name="verify", help="Check a log offline, from an export or a URL: needs no database and no settings.")


@verify.default
@gives_verdict()
def log(
    source: str,
    *,
    vkey: TrustedKeys = None,
    policy: PolicyFile = None,
    kept: GivenFiles = None,
    events: Path | None = None,
    receipt: GivenFiles = None,
    max_age: MaxAge | None = None,
    token_file: Path | None = None,
    save: Path | None = None,
    json: ReportAsJson = False,
) -> ExitCode:
    """Check a whole log: signatures, witnesses, every entry, every tile, and checkpoints that you kept.

    Exit code 0: everything holds. 1: something does not hold. 2: it could not be checked.

    Parameters
    ----------
    source
        An exported folder, or the address of a log: https://registry.example/log/NETWORK.
    kept
        A checkpoint that you kept from an earlier month. It can be repeated.
    events
        A verifiable bundle of events (JSON Lines, also .gz). Every leaf is compared with its event.
    receipt
        A receipt that you have. It can be repeated.
    max_age
        The greatest age in seconds of the latest cosignature.
    token_file
        A file with an access token, for a log that is not public.
    save
        If everything holds, write the log's checkpoint to this file, to keep it for the next check.
    """
    given = VerifierInputs(
        policy=_policy(vkey, policy),
        kept=[read_kept(path) for path in kept or []],
        receipts=[(str(path), read_answer(path).receipt.encode()) for path in receipt or []],
        at_seconds=int(time.time()),
        max_age=max_age,
    )
    return _write_report(_verify(source, token_file, events, given, save), json=json)


@verify.command
@gives_verdict()
def receipt(
    file: Path,
    *,
    proof: Path,
    vkey: TrustedKeys = None,
    policy: PolicyFile = None,
    reference: str | None = None,
    json: ReportAsJson = False,
) -> ExitCode:
    """Check a receipt and the proof that its record is in the log. It needs only files.

    Exit code 0: both hold. 1: one does not hold. 2: it could not be checked.

    Parameters
    ----------
    file
        The receipt, or the whole answer to the decision in JSON.
    proof
        The proof file (.tlog-proof) from /log/NETWORK/proofs/INDEX.
    reference
        The sender's reference for the client, to check whether the receipt is about this client. This needs the salt in
        the whole answer.
    """
    answer = read_answer(file)
    report = verify_receipt(
        answer.receipt,
        read_proof(proof),
        _policy(vkey, policy),
        None if reference is None else (checked_reference(reference), answer.client_salt),
    )
    return _write_report(report, json=json)


def _verify(
    source: str, token_file: Path | None, events: Path | None, given: VerifierInputs, save: Path | None
) -> Report:
    token = None if token_file is None else read_token(token_file)
    with open_log(source, token) as read, open_events(events) as lines, _progress() as progress:
        checkpoint = read("checkpoint")  # read once, so that the verified checkpoint is the saved one

        def reread(path: str) -> bytes | None:
            return checkpoint if path == "checkpoint" else read(path)

        report = verify_log(reread, msgspec.structs.replace(given, events=lines), progress)
    if save is not None and checkpoint is not None and report.verdict == Verdict.HOLDS:
        save.write_bytes(checkpoint)
    return report


def _policy(vkeys: list[str] | None, path: Path | None) -> Policy:
    """The keys that the verifier trusts. Raises Unreachable without any, because a log's own keys prove nothing."""
    policy = Policy() if path is None else read_policy(path)
    logs = (*policy.logs, *(TrustedLog(VerifierKey.parse(text)) for text in vkeys or []))
    if not logs:
        raise Unreachable("give a key that you trust: the log's key with --vkey, or a policy with --policy")
    return Policy(logs, policy.witnesses, policy.groups, policy.quorum)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on standard error if it is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("entries", total=None)
        yield lambda done, every: bar.update(task, completed=done, total=every)


def _write_report(report: Report, *, json: bool) -> ExitCode:
    if json:
        whole = {"verdict": report.verdict, **msgspec.to_builtins(report)}
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(whole)).decode() + "\n")
    else:
        sys.stdout.write(as_text(report))
    return OUTCOMES[report.verdict]
