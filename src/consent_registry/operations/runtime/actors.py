"""The actors of a network: a partner's system, the network's administration, or an operator at the command line."""

import msgspec

from consent_registry.domain.catalogue import Catalogue, Network
from consent_registry.domain.errors import NotAuthentic

# The administration of a network is not a partner; in row-level security and in the log's columns it is number 0.
ADMINISTRATION = 0
_ADMINISTRATION_SLUG = "administration"


class Actor(msgspec.Struct, frozen=True):
    """Who acts and what it may do, from a verified token or the command line.

    `partner_id` and `slug` are the partner's, or number 0 and "administration". `client_id` is the credential; an
    operator has none. `scopes` are those that the HTTP doors require. `expires_at` is the token's end in seconds since
    1970. `payer` names the quota to which a request is charged: the partner's, or that of a single credential.
    """

    network: Network
    partner_id: int
    slug: str
    client_id: str = ""
    scopes: frozenset[str] = frozenset()
    expires_at: int = 0
    payer: str = ""

    @property
    def log_name(self) -> tuple[int, str]:
        """Number and slug by which the log names this actor."""
        return (self.partner_id, self.slug)

    @property
    def is_administration(self) -> bool:
        """Whether this is the network's administration or an operator, not a partner."""
        return self.partner_id == ADMINISTRATION

    @property
    def turn_key(self) -> str:
        """The key under which this actor's requests wait for each other (`operations/runtime/turns.py`)."""
        return f"{self.network.slug}/{self.payer}"


def operator(network: Network) -> Actor:
    """The actor for a person at the command line, who acts as the network's administration."""
    return Actor(network, ADMINISTRATION, _ADMINISTRATION_SLUG)


def require_standing(actor: Actor, catalogue: Catalogue, *, may_be_suspended: bool = False) -> None:
    """Raise NotAuthentic for an actor that was suspended, or whose secret was revoked, since its token was issued.

    `may_be_suspended` lets a partner pass that is suspended for other reasons than security: it can still record that a
    client withdraws, and nothing else.
    """
    if not is_standing(catalogue, actor.client_id, actor.partner_id, may_be_suspended=may_be_suspended):
        raise NotAuthentic("This caller is suspended or its secret was revoked.", reason="suspended")


def is_standing(catalogue: Catalogue, client_id: str, partner_id: int, *, may_be_suspended: bool = False) -> bool:
    """Whether this credential exists and was not revoked, and its partner is not suspended; with `may_be_suspended`, or
    is suspended for other reasons than security.
    """
    credential = catalogue.credentials.get(client_id)
    if credential is None or credential.revoked:
        return False
    partner = catalogue.partner_by_id.get(partner_id)
    if partner is None or not partner.suspended:
        return True
    return may_be_suspended and partner.may_record_withdrawals
