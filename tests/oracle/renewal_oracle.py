"""Who says the same yes, in the plainest possible words: papers that renew each other, and what is taken back with one.

Written from the rule alone, without a look at ``domain/renewals``: a client who takes back a yes takes it back on every
paper that says it again, whichever paper is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Tick(NamedTuple):
    """One tick on a paper: its id, the paper, the paper that one renews, the flow, and whether it says no."""

    name: str
    paper: str
    renews: str | None
    flow: int
    refused: bool


def touches(left: Tick, right: Tick) -> bool:
    """Whether the paper of one renews that of the other, or the reverse."""
    return left.renews == right.paper or right.renews == left.paper


def papers_of_one_yes(paper: str, ticks: Sequence[Tick]) -> set[str]:
    """Every paper that can be reached from this one by going from renewal to renewal."""
    reached = {paper}
    while True:
        more = set()
        for known in ticks:
            for following in ticks:
                if known.paper in reached and touches(known, following):
                    more.add(following.paper)
        if more <= reached:
            return reached
        reached |= more


def taken_back_with(chosen: Sequence[Tick], ticks: Sequence[Tick]) -> list[str]:
    """The ticks on other papers that fall with the chosen ones."""
    own = {tick.paper for tick in chosen}
    fallen = []
    for tick in ticks:
        if tick.paper in own:
            continue
        for taken in chosen:
            if taken.refused or tick.flow != taken.flow:
                continue
            if tick.paper in papers_of_one_yes(taken.paper, ticks):
                fallen.append(tick.name)
                break
    return fallen
