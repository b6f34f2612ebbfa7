"""What partners and the load balancer may see while the log cannot be written, and how soon it is over."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.campaigns.crash.workload import CONFLICT, OK, UNAVAILABLE, Heard

UNREADY_WITHIN_S = 5.0
BACK_WITHIN_S = 5.0
GOOD = range(200, 300)


@dataclass(frozen=True, slots=True)
class Blockade:
    """A span in which nothing could be logged, and everything heard before, in and after it.

    `ready` are the answers of `/ready`. `leaky` means that single writes may still have succeeded in the span, as on
    a full disk whose last pages have room; the ledger then shows whether each released answer was recorded.
    """

    began_at: float
    ended_at: float
    heard: Sequence[Heard]
    ready: Sequence[Heard]
    leaky: bool = False

    def inside(self) -> list[Heard]:
        """Return the attempts that began and ended inside."""
        return [each for each in self.heard if each.began_at >= self.began_at and each.ended_at <= self.ended_at]

    def released(self) -> int:
        """Count the answers given inside."""
        return sum(each.status in GOOD for each in self.inside() if each.status is not None)

    def unready_after_s(self) -> float | None:
        """Return the seconds until `/ready` said 503."""
        return _first(self.ready, self.began_at, UNAVAILABLE)

    def ready_again_after_s(self) -> float | None:
        """Return the seconds from the end until `/ready` said 200."""
        return _first(self.ready, self.ended_at, OK)

    def answers_again_after_s(self) -> float | None:
        """Return the seconds from the end until the first answer."""
        good = [each.ended_at for each in self.heard if each.status in GOOD and each.ended_at > self.ended_at]
        return min(good) - self.ended_at if good else None


def _first(heard: Sequence[Heard], since: float, status: int) -> float | None:
    ends = [each.ended_at for each in heard if each.began_at >= since and each.status == status]
    return min(ends) - since if ends else None


def judge(blockade: Blockade) -> list[str]:
    """Return every promise that was broken."""
    broken = [*_refusals(blockade), *_readiness(blockade)]
    back_s = blockade.answers_again_after_s()
    if back_s is None or back_s > BACK_WITHIN_S:
        broken.append(f"answers again after {back_s} s")
    return broken


def _refusals(blockade: Blockade) -> list[str]:
    inside = blockade.inside()
    broken = []
    if blockade.released() and not blockade.leaky:
        broken.append(f"{blockade.released()} answers released while nothing could be logged")
    if not any(each.status == UNAVAILABLE for each in inside):
        broken.append("nothing was refused: the log was not blocked")
    for each in inside:
        proper = each.status in (UNAVAILABLE, CONFLICT) and each.retry_after
        if each.status not in GOOD and not proper:
            broken.append(f"{each.ended_at - blockade.began_at:.1f} s in: {each}")
    return broken


def _readiness(blockade: Blockade) -> list[str]:
    broken = []
    unready_s, ready_s = blockade.unready_after_s(), blockade.ready_again_after_s()
    if unready_s is None or unready_s > UNREADY_WITHIN_S:
        broken.append(f"/ready 503 after {unready_s} s")
    elif not blockade.leaky:
        since, until = blockade.began_at + unready_s, blockade.ended_at
        lies = [
            each for each in blockade.ready if each.status == OK and each.began_at >= since and each.ended_at <= until
        ]
        broken += [f"/ready 200 {each.ended_at - blockade.began_at:.1f} s in" for each in lies[:3]]
    if ready_s is None or ready_s > BACK_WITHIN_S:
        broken.append(f"/ready 200 again after {ready_s} s")
    return broken
