"""Checks whether the witnesses that a policy demands have cosigned a checkpoint."""

from consent_registry.tlog.policy import Policy, TrustedCheckpoint
from consent_registry.tlog.report import Report, Verdict


def check_quorum(report: Report, trusted: TrustedCheckpoint, policy: Policy) -> None:
    """Add the check `witnesses` to the report. A policy without witnesses demands nothing."""
    check = report.check("witnesses")
    names = ", ".join(sorted(key.name for key in trusted.cosigned_at)) or "no witness of the policy"
    if not policy.witnesses:
        check.verdict, check.says = Verdict.NOT_ASKED, "no policy with witnesses was given"
    elif policy.is_met_by(trusted.cosigned_at):
        check.says = f"{names} cosigned; the quorum is {policy.quorum}"
    else:
        check.find("quorum", f"{names} cosigned, which is less than the quorum {policy.quorum}")
