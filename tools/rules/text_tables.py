"""The tables of what a client must be told and of what a text must say, from the dated rows of the law."""

from collections.abc import Iterable, Mapping

from consent_registry.domain.law.checklist import ChecklistRow, TextOccasion
from consent_registry.domain.law.information import InformationRow, Occasion
from consent_registry.domain.law.norms import SEPARATOR
from tools.rules.cells import table

ASKED: Mapping[Occasion, str] = {
    "always": "always",
    "benefit_body": "sender or recipient decides about benefits",
    "isolated_recipient": "the recipient is isolated",
    "holder_sends": "the sender is bound to secrecy",
    "others_data": "a category with data about others (flag `third_party_data`)",
    "if_true": "never: said only where it is true",
    "by_text": "by the text",
}
OF_TEXT: Mapping[TextOccasion, str] = {
    "always": "always",
    "special": "it covers special data, or a flow that is special itself",
    "public_body": "it covers a flow of a public body (`sgb_x`, `dsg_nrw`)",
}


def information_table(rows: Iterable[InformationRow]) -> str:
    """Of what each regime wants the client informed, and when."""
    heads = ("code", "asked", "regimes", "from", "until", "norm", "DPO")
    return table(heads, [_information(row) for row in rows])


def _information(row: InformationRow) -> list[str]:
    regimes = "any" if row.regimes is None else ", ".join(f"`{regime}`" for regime in sorted(row.regimes))
    days = [str(row.since), "" if row.until is None else str(row.until)]
    return [f"`{row.code}`", ASKED[row.occasion], regimes, *days, SEPARATOR.join(row.norms), _confirms(row)]


def checklist_table(rows: Iterable[ChecklistRow]) -> str:
    """What the German text must say."""
    return table(("item", "code", "asked", "from", "norm", "DPO"), [_item(row) for row in rows])


def _item(row: ChecklistRow) -> list[str]:
    code = "" if row.code is None else f"`{row.code}`"
    asked = OF_TEXT[row.occasion] + ("; not of a form from before the registry" if row.of_the_registry else "")
    return [f"`{row.item}`", code, asked, str(row.since), SEPARATOR.join(row.norms), _confirms(row)]


def _confirms(row: InformationRow | ChecklistRow) -> str:
    return "yes" if row.to_be_confirmed else "no"
