"""The releases from professional secrecy (§ 203 StGB) of a consent that is being recorded: its own, and those that it
inherits from the consent that it renews.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET

from consent_registry.domain.commitments import Committed
from consent_registry.domain.events.consents import LoggedRelease
from consent_registry.domain.grants import Grant
from consent_registry.domain.instants import format_instant
from consent_registry.domain.law.proposed import ProposedRelease
from consent_registry.domain.releases import RecordedRelease
from consent_registry.domain.secrecy import Release
from consent_registry.operations.runtime.commands import Command
from consent_registry.storage.consents import consents as storage


async def inherited_releases(command: Command, earlier: Sequence[Grant]) -> list[RecordedRelease]:
    """The releases in force that serve the grants which a consent renews. They serve the renewing grants too."""
    ids = sorted({release_id for grant in earlier for release_id in grant.release_ids})
    if not ids:
        return []
    found = await storage.find_releases(command.connection, command.network.network_id, [], ids)
    return [release for release in found if release.live]


def with_releases(
    grants: Sequence[Grant], own: Mapping[str, ProposedRelease], inherited: Sequence[RecordedRelease]
) -> list[Grant]:
    """The grants with the ids of the releases that serve them. `own` are the consent's releases by their new ids."""
    releases = {release_id: release.of_flow() for release_id, release in own.items()}
    releases |= {release.release_id: release.of_flow() for release in inherited}
    return [
        msgspec.structs.replace(
            grant,
            release_ids=tuple(release_id for release_id, release in releases.items() if _serves(release, grant)),
        )
        for grant in grants
    ]


def _serves(release: Release, grant: Grant) -> bool:
    """Whether a release is about the grant's flow. Its other limits are judged when somebody asks."""
    of_purpose = release.purpose_ids is None or grant.purpose_id in release.purpose_ids
    return of_purpose and (release.holder_id, release.towards_id) == grant.flow[:2]


async def add_releases(
    command: Command, own: Mapping[str, ProposedRelease], grants: Sequence[Grant]
) -> list[LoggedRelease]:
    """Add the consent's own releases; returns them as the event names them.

    A release is visible to its recorder and to the readers of the grants from its holder to the released side.
    """
    consent_id, client_id = grants[0].consent_id, grants[0].client_id
    rows = []
    for release_id, release in own.items():
        flow_part = release.of_flow()
        sides = (flow_part.holder_id, flow_part.towards_id)
        seen_by = {command.actor.partner_id, *readers_of_grants([grant for grant in grants if grant.flow[:2] == sides])}
        function = release.function
        rows.append(
            (
                *(release_id, consent_id, client_id, sorted(seen_by), *sides),
                None if function is None else command.encrypt("releases.function_sealed", release_id, function),
                release.person,
                None if flow_part.purpose_ids is None else sorted(flow_part.purpose_ids),
                None if flow_part.category_ids is None else sorted(flow_part.category_ids),
                release.valid_until,
            )
        )
    await storage.add_releases(command.connection, command.network.network_id, rows)
    return [_logged(release_id, release) for release_id, release in own.items()]


def readers_of_grants(grants: Sequence[Grant]) -> list[int]:
    """The partners that may read any of these grants."""
    return sorted({partner_id for grant in grants for partner_id in grant.readers})


def _logged(release_id: str, release: ProposedRelease) -> LoggedRelease:
    function, purposes, categories = release.function, release.purposes, release.categories
    return LoggedRelease(
        release=release_id,
        holder=release.holder.slug,
        towards=release.towards.slug,
        person=release.person,
        function_commitment=None if function is None else Committed(f"function {release_id}", function.encode()),
        purposes=UNSET if purposes is None else sorted(purpose.slug for purpose in purposes),
        categories=UNSET if categories is None else sorted(category.slug for category in categories),
        valid_until=UNSET if release.valid_until is None else format_instant(release.valid_until),
    )
