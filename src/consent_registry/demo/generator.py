"""Generates request bodies for a demonstration network: who may send what to whom, and the consents for it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from consent_registry.demo import acts
from consent_registry.demo.acts import JSON
from consent_registry.demo.documents import (
    read_catalogue,
    read_network,
)
from consent_registry.operations.catalogue.network_document import (
    DeclaredFlow,
    DeclaredPartner,
)

# The DSG-EKD's form rules begin on 1 May 2025; none are known for earlier acts. A further day allows for time zones.
DSG_EKD_SINCE = datetime(2025, 5, 2, tzinfo=UTC)
# Clients strike out a category only if a flow has more categories than this.
FEW_CATEGORIES = 3

PREFIXES = {
    "kreis-herford-kim": "KIM",
    "kreis-herford-soziale-dienste": "SD",
    "jobcenter-herford": "JCH",
    "awo-paderborn": "AWO",
    "caritas-bueren": "CBUE",
    "caritas-paderborn": "CPB",
    "diakonie-paderborn-hoexter": "DIA",
    "in-via-paderborn": "INVIA",
    "jobcenter-kreis-paderborn": "JCP",
    "kreis-wesel-kim": "KW",
    "stadt-dinslaken-case-management": "DIN",
    "stadt-kamp-lintfort-case-management": "KL",
    "stadt-moers-case-management": "MOE",
    "stadt-wesel-case-management": "WES",
    "stadt-xanten-case-management": "XAN",
    "herne-kommunales-integrationszentrum": "KI",
    "herne-case-management": "CM",
    "herne-schule-weiterbildung": "SW",
    "herne-soziales": "SOZ",
    "herne-jugendamt": "JA",
}


class ExamplePartner(msgspec.Struct, frozen=True):
    """A partner with flows to two recipients for two common purposes. Its first client has agreed to all four flows.

    For the first purpose the client struck out the categories `not_given`, so that `partial` can be tried as well.
    """

    partner: str
    recipients: tuple[str, str]
    purposes: tuple[str, str]
    not_given: tuple[str, ...]


EXAMPLES = {
    "kreis-herford": ExamplePartner(
        partner="kreis-herford-kim",
        recipients=("jobcenter-herford", "kreis-herford-soziale-dienste"),
        purposes=("subsistence", "appointment"),
        not_given=("family", "housing"),
    ),
    "paderborn": ExamplePartner(
        partner="awo-paderborn",
        recipients=("jobcenter-kreis-paderborn", "in-via-paderborn"),
        purposes=("employment", "language-support"),
        not_given=("language-level", "qualifications"),
    ),
    "kreis-wesel": ExamplePartner(
        partner="stadt-xanten-case-management",
        recipients=("stadt-moers-case-management", "stadt-wesel-case-management"),
        purposes=("housing", "language-support"),
        not_given=("family", "finances"),
    ),
    "herne": ExamplePartner(
        partner="herne-case-management",
        recipients=("herne-schule-weiterbildung", "herne-kommunales-integrationszentrum"),
        purposes=("language-support", "recognition"),
        not_given=("language-level",),
    ),
}


class ActDetails(msgspec.Struct, frozen=True, kw_only=True):
    """The details of an act. `ordinal` is its number and rotates all other choices."""

    reference: str
    given_at: datetime
    language: str
    method: str
    ordinal: int
    valid_until: datetime | None = None
    # Whether the client gives another consent too: then as an adult, because ages only rise with time.
    for_adult: bool = False


class NetworkGenerator(msgspec.Struct, frozen=True):
    """A network's partners, its consent flows by sender, its special categories, and the functions bound to secrecy."""

    network: str
    text_version: str
    interpreter_required: bool
    partners: Mapping[str, DeclaredPartner]
    flows: Mapping[str, Sequence[DeclaredFlow]]
    special: Collection[str]
    secrecy: Collection[str]
    about_others: Collection[str]

    def choose(self, sender: str, ordinal: int, *, for_adult: bool = False) -> list[DeclaredFlow]:
        """Choose one to three of the sender's flows, the same for the same number `ordinal`. A flow for a child's
        school stays alone: a parent decides about it, and no adult.
        """
        flows = self.flows[sender]
        turned = [flows[(ordinal + step) % len(flows)] for step in range(len(flows))]
        if turned[0].purpose == "school" and not for_adult:
            return turned[:1]
        return [flow for flow in turned if flow.purpose != "school"][: 1 + ordinal % 3]

    def grant(self, flow: DeclaredFlow, *, narrowed: bool = False, without: Collection[str] = ()) -> JSON:
        """The body of a grant for this flow. With `narrowed` the last of many categories is struck out, unless one is
        special.
        """
        special = bool(set(self.special).intersection(flow.categories))
        struck = set(without)
        if narrowed and not special and len(flow.categories) > FEW_CATEGORIES:
            struck.add(flow.categories[-1])
        categories = [category for category in flow.categories if category not in struck]
        # No other person is in these data: nobody can agree for another adult.
        others: JSON = {"third_parties": "none"} if set(self.about_others).intersection(categories) else {}
        return {
            "sender": flow.sender,
            "recipient": flow.recipient,
            "purpose": flow.purpose,
            "categories": categories,
            "explicit": special,
            "answer": "given",
            **others,
        }

    def consent_body(self, flows: Sequence[DeclaredFlow], grants: Sequence[JSON], details: ActDetails) -> JSON:
        """The body that records a consent, with the text's version instead of its id."""
        special = self.any_special(flows)
        interpreted_by = acts.interpreter(
            details.language, special=special, required=self.interpreter_required, ordinal=details.ordinal
        )
        evidence_of = f"{self.network}/{details.reference}/{acts.instant(details.given_at)}"
        body: JSON = {
            "client": details.reference,
            "text": {"id": self.text_version, "language": details.language},
            "grants": list(grants),
            "releases": self._releases(flows),
            "giver": acts.giver(
                details.given_at,
                for_child=all(flow.purpose == "school" for flow in flows),
                for_adult=details.for_adult,
                ordinal=details.ordinal,
            ),
            "act": acts.act(details.method, details.given_at, evidence_of),
            "information": acts.information(details.method, details.language, interpreted_by, details.ordinal),
        }
        if details.valid_until is not None:
            body["valid_until"] = acts.instant(details.valid_until)
        return body

    def _releases(self, flows: Sequence[DeclaredFlow]) -> list[JSON]:
        """A release of each sender bound to secrecy (§ 203 StGB), by its first such function, for all recipients."""
        towards = {flow.recipient: flow.sender for flow in flows if self._bound(flow.sender)}
        return [
            {"holder": sender, "towards": recipient, "function": self._bound(sender)[0], "person": None}
            for recipient, sender in towards.items()
        ]

    def _bound(self, partner: str) -> list[str]:
        """The partner's functions that are bound to secrecy."""
        return [function for function in self.partners[partner].functions if function in self.secrecy]

    def regimes(self, flows: Sequence[DeclaredFlow]) -> set[str | None]:
        """The data-protection regimes of all senders and recipients of these flows. The strictest of them governs the
        act.
        """
        return {self.partners[side].regime for flow in flows for side in (flow.sender, flow.recipient)}

    def any_special(self, flows: Sequence[DeclaredFlow]) -> bool:
        """Whether any flow has a special category (Art. 9 DSGVO)."""
        return any(set(self.special).intersection(flow.categories) for flow in flows)

    def earliest(self, flows: Sequence[DeclaredFlow]) -> datetime | None:
        """The instant before which no form rule is known for these flows."""
        return DSG_EKD_SINCE if "dsg_ekd" in self.regimes(flows) else None

    def other_partner(self, sender: str, ordinal: int) -> str:
        """A partner other than the sender, and not isolated, at which a client can use a receipt code."""
        slugs = [partner.slug for partner in self.partners.values() if partner.slug != sender and not partner.isolated]
        return slugs[ordinal % len(slugs)]

    def recipients(self, body: JSON) -> list[str]:
        """The recipients named in a recorded body, each once."""
        grants = body["grants"]
        return list(dict.fromkeys(grant["recipient"] for grant in grants)) if isinstance(grants, list) else []


def read_generator(network_slug: str) -> NetworkGenerator:
    """The generator of a network with at least one agreement and one text."""
    document = read_network(network_slug)
    catalogue = read_catalogue(document)
    flows: dict[str, list[DeclaredFlow]] = {}
    for agreement in document.agreements:
        for flow in agreement.flows:
            if flow.basis == "consent":
                flows.setdefault(flow.sender, []).append(flow)
    return NetworkGenerator(
        network=network_slug,
        text_version=document.texts[-1].version,
        interpreter_required=document.network.policies.interpreter_required,
        partners={partner.slug: partner for partner in document.partners},
        flows=flows,
        special={category.slug for category in catalogue.data_categories if category.special},
        secrecy={function.slug for function in catalogue.functions if function.secrecy_norm is not None},
        about_others={category.slug for category in catalogue.data_categories if category.flags.third_party_data},
    )
