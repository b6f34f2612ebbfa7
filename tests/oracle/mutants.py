"""Wrong oracles, each by one small mistake, to show that the generated scenarios would notice such a mistake."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from .scenario_format import Answer, Grant, Scenario, Status

HERE = Path(__file__).parent


class Mutant(NamedTuple):
    """A mistake: in the oracle's text, ``right`` (there exactly once) is replaced by ``wrong``."""

    name: str
    right: str
    wrong: str


DECISION_MUTANTS = (
    Mutant("sender may be suspended", 'if sender["suspended"]:', "if False:"),
    Mutant("recipient may be suspended", 'if recipient["suspended"]:', "if False:"),
    Mutant("recipient need not be selectable", 'if not recipient["selectable"]:', "if False:"),
    Mutant("isolation of the sender ignored", 'if sender["isolated"] and', "if False and"),
    Mutant("isolation of the recipient ignored", 'if recipient["isolated"] and', "if False and"),
    Mutant("approvals ignored", "if approves(scenario, approval, grant):", "if False:"),
    Mutant("approval for any purpose", 'if approval["purpose"] is not None and', "if False and"),
    Mutant("approval for any recipient", 'if approval["recipient"] is not None and', "if False and"),
    Mutant("approval for any sender", 'if approval["sender"] is not None and', "if False and"),
    Mutant("approval of anybody", ' or approval["name"] != name:', ":"),
    Mutant("revoked approval", 'if approval["revoked"]:', "if False:"),
    Mutant("approval ends a moment late", 'scenario["now"] >= approval["valid_until"]',
           'scenario["now"] > approval["valid_until"]'),
    Mutant("later approval heals", ' and approval["recorded_at"] <= grant["given_at"]', ""),
    Mutant("approval a moment late", 'approval["recorded_at"] <= grant["given_at"]',
           'approval["recorded_at"] < grant["given_at"]'),
    Mutant("old grants are approved", 'return grant["given_at"] is not None and',
           'return grant["given_at"] is None or'),
    Mutant("purpose needs no approval", "if needs_approval and", "if False and"),
    Mutant("what is never shared is", '[category]["default"] == "not_shareable":', '[category]["default"] == "no":'),
    Mutant("wide way back", "if narrow and category not in ATTENDANCE:", "if False:"),
    Mutant("way back without attendance", "if narrow and category not in ATTENDANCE:", "if narrow:"),
    Mutant("everybody advises", " and asker_advises(scenario)\n", "\n"),
    Mutant("advice of any office", 'if flow["recipient"] != request["sender"]:', "if False:"),
    Mutant("advice for any purpose",
           'if flow["purpose"] != request["purpose"]:\n                continue\n            for',
           "if False:\n                continue\n            for"),
    Mutant("attendance makes an office", "                if category not in ATTENDANCE:\n",
           "                if True:\n"),
    Mutant("off beside others", ' and grant["categories"] != [category]:', " and False:"),
    Mutant("off without a yes", ' or about["default"] == "off"\n', "\n"),
    Mutant("flow says nothing", 'needs_yes = about["special"] or special_flow or', 'needs_yes = about["special"] or'),
    Mutant("others need not agree", 'if grant["third_parties"] != "consented":', "if False:"),
    Mutant("others agree for ever", 'if grant["third_parties"] == "none":',
           'if grant["third_parties"] in ("none", "consented"):'),
    Mutant("unsaid is nobody else", 'if grant["third_parties"] == "none":',
           'if grant["third_parties"] in ("none", "unstated"):'),
    Mutant("others need not be on record", "if agreed is None or not", "if agreed is not None and not"),
    Mutant("others agree to anything", 'if category not in agreed["categories"]:', "if False:"),
    Mutant("others' status ignored", 'if status_from(agreed, agreed["changes"], now) not in ("given", "renewed"):',
           "if False:"),
    Mutant("others' parts ignored", 'if is_withdrawn(category, agreed["changes"]) or', "if"),
    Mutant("others begin at once", ' or now < agreed["valid_from"]:', ":"),
    Mutant("others' restriction ignored", 'return not is_restricted(category, agreed["changes"])', "return True"),
    Mutant("others everywhere", 'if scenario["categories"][category]["third_party"] and', "if"),
    Mutant("ended agreement counts", 'if agreement["ended"]:', "if False:"),
    Mutant("agreement begins a moment late", 'now < agreement["valid_from"]', 'now <= agreement["valid_from"]'),
    Mutant("agreement ends a moment late", 'now >= agreement["valid_until"]', 'now > agreement["valid_until"]'),
    Mutant("flow of any sender", 'if flow["sender"] != request["sender"] or ', "if "),
    Mutant("flow to any recipient", ' or flow["recipient"] != request["recipient"]:', ":"),
    Mutant("flow for any purpose", 'if flow["purpose"] != request["purpose"]:\n            continue\n        if',
           "if False:\n            continue\n        if"),
    Mutant("flow of any category", 'if category in flow["categories"]:', "if True:"),
    Mutant("first agreement only", "        why = obstacle\n    return why", "        return obstacle\n    return why"),
    Mutant("statute outlives its agreement", 'agreement_obstacle(agreement, scenario["now"]) is not None', "False"),
    Mutant("claimed statute is judged", 'if request["basis"] == "statute" or is_statutory', "if is_statutory"),
    Mutant("grant of any sender", 'if grant["sender"] != request["sender"]:', "if False:"),
    Mutant("grant to any recipient", 'if grant["recipient"] != request["recipient"]:', "if False:"),
    Mutant("grant for any purpose", 'if grant["purpose"] != request["purpose"]:', "if False:"),
    Mutant("grant of any category", 'if category not in grant["categories"]:', "if False:"),
    Mutant("renewed does not permit", 'if status not in {"given", "renewed"}:', 'if status != "given":'),
    Mutant("refused permits", 'if grant["answer"] == "refused":', "if False:"),
    Mutant("requested permits", 'if grant["answer"] == "requested" and', "if False and"),
    Mutant("confirmation ignored", ' and not has_kind(changes, "confirmed"):', ":"),
    Mutant("ended permits", 'if has_kind(changes, "ended"):', "if False:"),
    Mutant("invalidated permits", 'if has_kind(changes, "invalidated"):', "if False:"),
    Mutant("withdrawal of the whole ignored", 'if change["categories"] is None or category in change["categories"]:',
           'if change["categories"] is not None and category in change["categories"]:'),
    Mutant("partial withdrawal ignored", 'if change["categories"] is None or category in change["categories"]:',
           'if change["categories"] is None:'),
    Mutant("partial withdrawal takes all", ' is None or category in change["categories"]:', ' != "all of it":'),
    Mutant("future effect waits", 'now, changes = scenario["now"], grant["changes"]', """now = scenario["now"]
    changes = [c for c in grant["changes"] if c["effective_at"] <= now]"""),
    Mutant("record time after now ignored", 'now, changes = scenario["now"], grant["changes"]', """now = scenario["now"]
    changes = [c for c in grant["changes"] if c["recorded_at"] <= now]"""),
    Mutant("grant begins a moment late", 'if now < grant["valid_from"]:', 'if now <= grant["valid_from"]:'),
    Mutant("grant ends a moment late", "at >= end_of_validity(grant, changes)", "at > end_of_validity(grant, changes)"),
    Mutant("renewal moves nothing", 'if renewal is None or renewal["valid_until"] is None:', "if True:"),
    Mutant("first renewal wins", 'change["recorded_at"] > latest["recorded_at"]',
           'change["recorded_at"] < latest["recorded_at"]'),
    Mutant("longest renewal wins", 'change["recorded_at"] > latest["recorded_at"]',
           '(change["valid_until"] or BEFORE_EVERYTHING) > (latest["valid_until"] or BEFORE_EVERYTHING)'),
    Mutant("renewal stretches the old paper", 'if status == "renewed" and now >=', "if False and now >="),
    Mutant("shorter renewal leaves the old paper its end", 'if renewed_until < grant["valid_until"]:', "if False:"),
    Mutant("restriction ignored", "if is_restricted(category, changes):", "if False:"),
    Mutant("lifting ignored", "                lifted = True\n", "                pass\n"),
    Mutant("any lifting lifts", ' or lifting["recorded_at"] <= restriction["recorded_at"]:', ":"),
    Mutant("lifting by effective time", 'lifting["recorded_at"] <= restriction["recorded_at"]',
           'lifting["effective_at"] <= restriction["effective_at"]'),
    Mutant("explicit tick not needed", 'needs_yes = about["special"] or', "needs_yes ="),
    Mutant("release not needed", "if bound and not release_ends(", "if False and not release_ends("),
    Mutant("release needed from everybody", 'bound = scenario["partners"][request["sender"]]["secrecy_holder"]\n',
           "bound = True\n"),
    Mutant("secrecy of the category", 'bound = scenario["partners"]',
           'bound = scenario["categories"][category]["secrecy"] and scenario["partners"]'),
    Mutant("secrecy of the recipient", 'bound = scenario["partners"][request["sender"]]["secrecy_holder"]',
           'bound = scenario["partners"][request["recipient"]]["secrecy_holder"]'),
    Mutant("release of another consent", "if bound and not release_ends(consent, request, category, now):",
           'if bound and not any(release_ends(c, request, category, now) for c in scenario["consents"]):'),
    Mutant("withdrawn release", 'if release["withdrawn"]:', "if False:"),
    Mutant("release for other purposes", 'request["purpose"] not in release["purposes"]', "False"),
    Mutant("release of other categories", 'category not in release["categories"]', "False"),
    Mutant("release that is over", 'elif now < release["valid_until"]:', "else:"),
    Mutant("answer outlasts its release", "end = min(end, max(ends", "end = max(end, max(ends"),
    Mutant("release of any holder", 'if release["holder"] != request["sender"] or ', "if "),
    Mutant("release towards anybody", ' or release["towards"] != request["recipient"]:', ":"),
    Mutant("first grant only", "    return permitting\n", "    return permitting[:1]\n"),
    Mutant("answer ends with the shortest grant", "latest = max(end for", "latest = min(end for"),
    Mutant("five minutes whatever ends", "expires_at = min(expires_at, latest)", "pass"),
    Mutant("mixed with a statute is a permit", "if permitted == asked:",
           "if permitted == [c for c in asked if c not in not_consent_based] != []:"),
    Mutant("partial is a permit", "if permitted == asked:", "if permitted:"),
)  # fmt: skip

STATUS_MUTANTS = (
    Mutant("record time ignored", 'if change["recorded_at"] > known_at:', "if False:"),
    Mutant("known a moment late", 'if change["recorded_at"] > known_at:', 'if change["recorded_at"] >= known_at:'),
    Mutant("past by record time alone", "if at < known_at and", "if False and"),
    Mutant("present by effective time", "if at < known_at and", "if"),
    Mutant("invalidation does not void back", ' and change["kind"] != "invalidated" and', " and"),
    Mutant("effective a moment late", 'change["effective_at"] > at:', 'change["effective_at"] >= at:'),
    Mutant("withdrawn before invalidated", 'if has_kind(changes, "invalidated"):',
           'if has_kind(changes, "invalidated") and not_withdrawn(grant, changes):'),
    Mutant("expired before ended", 'if has_kind(changes, "ended"):',
           'if has_kind(changes, "ended") and at < end_of_validity(grant, changes):'),
    Mutant("parts never withdraw the whole", "if not_withdrawn(grant, changes) == []:",
           'if any(c["kind"] == "withdrawn" and c["categories"] is None for c in changes):'),
    Mutant("requested never expires", "if at >= end_of_validity(grant, changes):",
           'if at >= end_of_validity(grant, changes) and grant["answer"] != "requested":'),
    Mutant("renewal confirms", ' and not has_kind(changes, "confirmed"):',
           ' and not has_kind(changes, "confirmed") and not has_kind(changes, "renewed"):'),
    Mutant("void renewal stands", ' or latest["kind"] == "unrenewed":', ":"),
    Mutant("renewal leaves no trace", 'return "renewed"\n    return "given"', 'return "given"\n    return "given"'),
)  # fmt: skip

CONSENT_MUTANTS = (
    Mutant("consent by its first grant", "    latest = max(entered_at(grant, at, known_at) for grant in grants)\n",
           "    return statuses[0]\n"),
    Mutant("consent by precedence alone", " for grant in grants if entered_at(grant, at, known_at) == latest}",
           " for grant in grants}"),
    Mutant("given is not enough", '    if "given" in statuses:\n', '    if set(statuses) == {"given"}:\n'),
    Mutant("renewed counts as ended", '    if "renewed" in statuses:\n', "    if False:\n"),
)  # fmt: skip


class WrongOracle(NamedTuple):
    """The public functions of a mutated oracle."""

    decide: Callable[[Scenario], Answer]
    grant_status: Callable[..., Status]
    remaining_categories: Callable[..., list[str]]
    consent_status: Callable[[list[Grant], Any, Any], Status]


def oracle_text() -> str:
    """Both halves of the oracle as one module."""
    status, decision = ((HERE / name).read_text(encoding="utf-8") for name in ("status_oracle.py", "oracle.py"))
    imports = decision[decision.index("from .status_oracle") : decision.index("if TYPE_CHECKING")]
    return status + decision.replace(imports, "").replace("from __future__ import annotations\n", "")


def wrong_oracle(mutant: Mutant) -> WrongOracle:
    """The oracle with the mistake in it."""
    text = oracle_text()
    if text.count(mutant.right) != 1:
        message = f"the text to replace is there {text.count(mutant.right)} times: {mutant.right!r}"
        raise LookupError(message)
    names: dict[str, Any] = {"__name__": "wrong_oracle"}
    exec(compile(text.replace(mutant.right, mutant.wrong), mutant.name, "exec"), names)  # noqa: S102 - our own text
    return WrongOracle(*(names[name] for name in WrongOracle._fields))
