"""Events about clients: references that were registered, linked and unlinked."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import count

from msgspec import UNSET, UnsetType

from consent_registry.domain.commitments import Committed
from consent_registry.domain.events.event import LARGEST_GROUP, Event, EventPart, LoggedInstant
from consent_registry.domain.events.expected_rows import ExpectedRows, Row, at
from consent_registry.domain.events.grant_changes import change_of_grant


class ClientEvent(Event, frozen=True, kw_only=True, tag="client"):
    """A partner registered a reference, and with it a client."""

    number = 2
    retention_class = "state"

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:  # noqa: ARG002
        """The expected rows: the client and the reference."""
        return registration_rows(self)


class LoggedWithdrawnByLink(EventPart, frozen=True, kw_only=True):
    """A grant, or some of its categories, that the client withdrew under a reference with which this one is linked."""

    grant: str
    categories: list[str] | None
    effective_at: LoggedInstant


class LinkEvent(Event, frozen=True, kw_only=True, tag="link"):
    """References were linked: from now on they mean one client. There is an entry for each client number; the actor's
    is the link, named by its group, and says whether the same act registered the reference. The others name it as their
    `act`.

    The code's id is the name of another partner's event, so the log commits to it. The table check puts it in
    `link_code` once the commitment holds; the first links said it. What the client withdrew under one reference is
    withdrawn under the others from then on (`withdrawn`).
    """

    number = 23
    retention_class = "state"

    group: str
    registered: bool | UnsetType = UNSET
    link_code: str | UnsetType | None = UNSET
    link_code_commitment: Committed | UnsetType = UNSET
    withdrawn: list[LoggedWithdrawnByLink] | UnsetType = UNSET

    def entries(self) -> int:
        """The number of the act's log entries: one for each client number that a person can have."""
        return LARGEST_GROUP

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:
        """The expected rows: the client's new group, for the actor's own entry the link and what it registered, and a
        change of each grant that the link withdrew.
        """
        if self.registered is True:
            yield from registration_rows(self)
        yield membership_row(self, expected, self.group)
        if self.id == self.group:
            yield self.row(
                "links",
                link_id=self.id,
                link_code_id=self.link_code,
                client_id=self.client,
                partner_id=self.actor,
            )
        for item in self.withdrawn or ():
            yield from change_of_grant(
                self,
                expected,
                item.grant,
                "withdrawn",
                category_ids=item.categories,
                effective_at=item.effective_at,
            )


class UnlinkingEvent(Event, frozen=True, kw_only=True, tag="unlinking"):
    """A reference was unlinked: from now on it means a client by itself. Which group it left, and since when it was in
    it, is not said: the latest link may be one between others.
    """

    number = 24
    retention_class = "state"

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:
        """The expected rows: the unlinking, with the group that the number left, and the number's new group of one."""
        groups = _memberships(expected, self.client)
        yield self.row(
            "unlinkings",
            unlinking_id=self.id,
            client_id=self.client,
            partner_id=self.actor,
            left_group_id=groups[-1][0] if groups else None,
            linked_at=self._linked_at(expected, groups),
        )
        yield membership_row(self, expected, self.id)

    def _linked_at(self, expected: ExpectedRows, groups: Sequence[tuple[str, datetime]]) -> datetime:
        """When the client was first linked after it had last become a client of its own."""
        since = None
        for group, begun in groups:
            since = None if expected.has("unlinkings", group) else min(since or begun, begun)
        return since or at(self.at)


class LinkCodeEvent(Event, frozen=True, kw_only=True, tag="link_code"):
    """A link code was issued; only `partner` may redeem it, or any partner if that is null."""

    number = 22
    retention_class = "state"

    expires_at: LoggedInstant
    partner: str | None
    digest_key: str
    digest_commitment: Committed

    def rows(self, expected: ExpectedRows) -> Iterable[Row]:
        """The expected row: the link code."""
        yield self.row(
            "link_codes",
            link_code_id=self.id,
            client_id=self.client,
            partner_id=self.actor,
            for_partner_id=self.partner,
            digest=expected.opened("link_code", self.digest_commitment),
        )


def registration_rows(event: Event) -> Iterable[Row]:
    """The expected rows of a registration: a new client, and the actor's reference for it."""
    yield event.row("clients", client_id=event.client)
    yield event.row("client_references", client_id=event.client, partner_id=event.actor)


def membership_row(event: Event, expected: ExpectedRows, group: str) -> Row:
    """The expected row of a client's next group; of all its groups the last one counts."""
    position = 1 + len(_memberships(expected, event.client))
    return event.row("client_memberships", client_id=event.client, position=position, group_id=group)


def _memberships(expected: ExpectedRows, client: str | None) -> Sequence[tuple[str, datetime]]:
    """A client's groups so far, each with the time from which it counts, in their order."""
    table = "client_memberships"
    last = next(number for number in count(1) if not expected.has(table, client, number))
    return [
        (expected.value(table, "group_id", client, number), expected.value(table, "recorded_at", client, number))
        for number in range(1, last)
    ]
