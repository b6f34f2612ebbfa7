"""Change notices: entries in the change feeds of the partners that take part in a grant (Art. 19 DSGVO)."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from consent_registry.domain.grants import Grant
from consent_registry.operations.runtime.commands import Command, new_id
from consent_registry.storage.consents.withdrawals import ChangeRow, add_changes

# A recipient says within two weeks what became of data it may no longer use.
ACKNOWLEDGE_WITHIN = timedelta(days=14)


class ChangeNotice(msgspec.Struct, frozen=True):
    """The content of an entry in a change feed.

    `acknowledge`: the recipient must report what it did with the data. `use_ban`: the recipient may not use the data
    any more (§ 78 Abs. 1 SGB X).
    """

    kind: str
    acknowledge: bool = False
    use_ban: bool = False


async def notify_parties(
    command: Command,
    notice: ChangeNotice,
    grants: Sequence[tuple[Grant, datetime]],
    now: datetime,
    *,
    except_partner_id: int | None = None,
) -> None:
    """Notify senders and recipients of changed grants: one entry for each partner and consent.

    `grants` gives each grant with the instant from which it is changed. The partner `except_partner_id` gets no entry.
    """
    concerned: defaultdict[tuple[int, str], list[tuple[Grant, datetime]]] = defaultdict(list)
    for grant, since in grants:
        for partner_id in {grant.sender_id, grant.recipient_id} - {except_partner_id}:
            concerned[partner_id, grant.consent_id].append((grant, since))
    client_ids = {grant.consent_id: grant.client_id for grant, _ in grants}
    rows = []
    for (partner_id, consent_id), changed in concerned.items():
        receives = any(grant.recipient_id == partner_id for grant, _ in changed)
        rows.append(
            ChangeRow(
                partner_id=partner_id,
                change_id=new_id(now),
                kind=notice.kind,
                consent_id=consent_id,
                client_id=client_ids[consent_id],
                grant_ids=tuple(grant.grant_id for grant, _ in changed),
                effective_from=min(since for _, since in changed),
                acknowledge_by=now + ACKNOWLEDGE_WITHIN if notice.acknowledge and receives else None,
                use_ban=notice.use_ban and receives,
                recorded_at=now,
            )
        )
    await add_changes(command.connection, command.network.network_id, rows)


async def notify_of_new_consent(command: Command, grants: Sequence[Grant], now: datetime) -> None:
    """Notify the partners of a consent that was just recorded.

    A given grant is announced to its other party. A requested grant is announced to its sender, which may confirm it.
    """
    concerned: defaultdict[int, list[Grant]] = defaultdict(list)
    for grant in grants:
        if grant.answer == "given":
            for partner_id in {grant.sender_id, grant.recipient_id} - {command.actor.partner_id}:
                concerned[partner_id].append(grant)
        elif grant.answer == "requested":
            concerned[grant.sender_id].append(grant)
    rows = [
        ChangeRow(
            partner_id=partner_id,
            change_id=new_id(now),
            kind="consent_given" if any(grant.answer == "given" for grant in shown) else "consent_requested",
            consent_id=shown[0].consent_id,
            client_id=shown[0].client_id,
            grant_ids=tuple(grant.grant_id for grant in shown),
            effective_from=min(grant.valid_from for grant in shown),
            acknowledge_by=None,
            use_ban=False,
            recorded_at=now,
        )
        for partner_id, shown in concerned.items()
    ]
    await add_changes(command.connection, command.network.network_id, rows)
