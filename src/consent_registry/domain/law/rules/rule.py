"""What a rule is: its code, whose law it cites, what it asks for, and what a counsellor or a vendor does about it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from consent_registry.domain.law.norms import SEPARATOR, norms_of

# Whose law a rule cites. `both`: that of the sender and that of the recipient. `partner`: that of the partner whom a
# credential, an approval or an erasure is about. `fixed`: the same norm for everybody. `row`: the dated row that is not
# kept has its own norm. `network`: a rule of the network or of the interface, which has no norm.
RegimeOf = Literal["recorder", "caller", "sender", "recipient", "both", "partner", "fixed", "row", "network"]
# The regimes of the sender and of the recipient of a flow.
Sides = tuple[str | None, str | None]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, remark or finding. `norms` are articles of the GDPR, for which the regime's own norms are cited, or with
    `fixed` the norms themselves. `cites_both`: a norm that a refusal has of its own comes after the rule's, else in its
    place. `dpo_confirms`: a data-protection officer confirms it before a network goes live. `in_use` is False for a row
    that nothing applies yet. `where` is empty for the recording of a consent.
    """

    code: str
    regime_of: RegimeOf
    norms: tuple[str, ...] = ()
    asks_en: str
    asks_de: str
    cure_en: str
    cure_de: str
    dpo_confirms: bool = False
    in_use: bool = True
    cites_both: bool = False
    where: str = ""

    def norm(self, at: datetime, regimes: Sequence[str | None] = ()) -> str | None:
        """The citations for these regimes at an instant, joined by "; "; None where the rule has no norm of its own."""
        if self.regime_of in {"row", "network"}:
            return None
        if self.regime_of == "fixed":
            return SEPARATOR.join(self.norms)
        return norms_of(self.norms, regimes, at)

    def norm_between(self, at: datetime, own: str | None, flows: Iterable[Sides]) -> str | None:
        """The citations for who records or calls (`own`) and for the two sides of each flow."""
        sides: list[str | None] = []
        for sender, recipient in flows:
            sides += [sender] if self.regime_of in {"sender", "both"} else []
            sides += [recipient] if self.regime_of in {"recipient", "both"} else []
        return self.norm(at, sides or [own])
