"""What a history of links, unlinkings and decisions must never show; pure, it sends nothing.

One reference is linked and unlinked again and again while it is asked about; another partner's consent permits exactly
while it is linked. Times are the loader's own clock: before the first byte is sent, after the last one arrived.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True)
class Turn:
    """An acknowledged link (`linked`) or unlinking."""

    linked: bool
    started: float
    answered: float


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about the reference and whether it was permitted."""

    permitted: bool
    started: float
    answered: float


def faults(turns: Sequence[Turn], questions: Iterable[Asked]) -> list[str]:
    """Return every answer that no order explains: `stale` permits while surely unlinked, `lost` while surely linked."""
    found = []
    for asked in questions:
        for turn, following in pairwise(turns):
            if turn.answered < asked.started and asked.answered < following.started and asked.permitted != turn.linked:
                found.append(f"{'stale' if asked.permitted else 'lost'}: asked {asked.started:.6f}, {turn}")
    return found


def log_faults(events: Sequence[dict[str, Any]], consents: dict[str, str]) -> list[str]:
    """Return where the log reads "unlinking, permit": a permit by a consent of a client that is not in the group of the
    one asked about. `consents` names each grant's client.
    """
    group: dict[str, str] = {}
    found = []
    for event in events:
        if event["kind"] == "link":
            group[event["client"]] = event["group"]
        elif event["kind"] == "unlinking":
            group[event["client"]] = event["id"]
        elif event["kind"] == "decision":
            about = event["client"]
            used = {consents[grant] for grant in event["grants"] if grant in consents} - {about}
            if any(group.get(client, client) != group.get(about, about) for client in used):
                found.append(f"index {event['index']} permits by the consent of somebody else")
    return found
