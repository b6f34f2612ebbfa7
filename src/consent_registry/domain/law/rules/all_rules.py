"""All rules, remarks and findings by code, and the norm that each of them cites in a case."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from consent_registry.domain.errors import Fault
from consent_registry.domain.law.norms import SEPARATOR
from consent_registry.domain.law.rules import acts, elsewhere, findings, findings_to_come, flows, givers, remarks, texts
from consent_registry.domain.law.rules.rule import Rule


def _by_code(rules: Iterable[Rule]) -> Mapping[str, Rule]:
    return {rule.code: rule for rule in rules}


RECORDING = _by_code((*acts.RULES, *givers.RULES, *texts.RULES, *flows.RULES))
RULES = {**RECORDING, **_by_code(elsewhere.RULES)}
REMARKS = _by_code(remarks.REMARKS)
FINDINGS = _by_code((*findings.FINDINGS, *findings_to_come.FINDINGS))


def refusal(pointer: str, detail: str, rule: str, at: datetime, *regimes: str | None) -> Fault:
    """The fault of a rule, with its norm at this instant under the regimes of those whose law it cites."""
    return Fault(pointer, detail, rule, RULES[rule].norm(at, regimes))


def finding_norm(kind: str, at: datetime, regime: str | None) -> str:
    """The norm of a kind of finding, by the law of the partner whose data-protection officer reads it."""
    return str(FINDINGS[kind].norm(at, [regime]))


def network_refusal(pointer: str, detail: str, rule: str) -> Fault:
    """The fault of a rule where no partner's law is concerned: of the network's administration or of the interface.

    It cites the articles of the GDPR as they are, whatever the day.
    """
    return Fault(pointer, detail, rule, SEPARATOR.join(RULES[rule].norms) or None)
