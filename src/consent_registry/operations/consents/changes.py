"""Telling partners what became of grants they take part in: entries of their change feeds (Art. 19 DSGVO)."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from consent_registry.domain.grants import Grant
from consent_registry.operations.commands import Act, new_id
from consent_registry.storage.consents.withdrawals import ChangeRow, add_changes

# A recipient says within two weeks what became of data it may no longer use.
ACKNOWLEDGE_WITHIN = timedelta(days=14)


class Notice(msgspec.Struct, frozen=True):
    """What is told: the kind of the entry, whether a recipient must say what it did with the data, and whether it may
    not use what it got at all (§ 78 Abs. 1 SGB X).
    """

    kind: str
    acknowledge: bool = False
    use_ban: bool = False


async def tell_parties(
    act: Act,
    notice: Notice,
    grants: Sequence[tuple[Grant, datetime]],
    now: datetime,
    *,
    but: int | None = None,
) -> None:
    """Tell sender and recipient, `but` one, of grants and since when: one entry for each partner and consent."""
    concerned: defaultdict[tuple[int, str], list[tuple[Grant, datetime]]] = defaultdict(list)
    for grant, since in grants:
        for partner_id in {grant.sender_id, grant.recipient_id} - {but}:
            concerned[partner_id, grant.consent_id].append((grant, since))
    homes = {grant.consent_id: grant.client_id for grant, _ in grants}
    rows = []
    for (partner_id, consent_id), several in concerned.items():
        receives = any(grant.recipient_id == partner_id for grant, _ in several)
        rows.append(
            ChangeRow(
                partner_id=partner_id,
                change_id=new_id(now),
                kind=notice.kind,
                consent_id=consent_id,
                client_id=homes[consent_id],
                grant_ids=tuple(grant.grant_id for grant, _ in several),
                effective_from=min(since for _, since in several),
                acknowledge_by=now + ACKNOWLEDGE_WITHIN if notice.acknowledge and receives else None,
                use_ban=notice.use_ban and receives,
                recorded_at=now,
            )
        )
    await add_changes(act.connection, act.network.network_id, rows)
