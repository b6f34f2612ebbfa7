"""The blocked-log campaign's judge must find what it is there to find."""

from dataclasses import replace

from tests.campaigns.crash.blockade import Blockade, judge
from tests.campaigns.crash.workload import Heard


def heard(at: float, status: int | None, *, retry_after: bool = True) -> Heard:
    """Make an attempt that took a tenth of a second."""
    return Heard(at, at + 0.1, status, retry_after and status == 503)


HONEST = Blockade(
    began_at=100.0,
    ended_at=130.0,
    heard=[heard(99, 200), *(heard(100 + n, 503) for n in range(30)), heard(130.5, 503), heard(131, 201)],
    ready=[heard(99, 200), heard(101, 200), *(heard(102 + n, 503) for n in range(28)), heard(132, 200)],
)


def test_an_honest_blockade_breaks_nothing() -> None:
    """Refused inside with Retry-After, unready after two seconds, back after two."""
    assert judge(HONEST) == []
    assert HONEST.released() == 0


def test_a_released_answer_is_found() -> None:
    """One 200 that began and ended inside; where writes may succeed it is the ledger's to judge."""
    leaking = replace(HONEST, heard=[*HONEST.heard, heard(110, 200)])
    assert any("released" in each for each in judge(leaking))
    assert judge(replace(leaking, leaky=True)) == []


def test_an_answer_under_way_when_it_began_is_none() -> None:
    """A request that began before the blockade may have been committed before it."""
    assert judge(replace(HONEST, heard=[*HONEST.heard, heard(99.95, 200)])) == []


def test_other_failures_are_found() -> None:
    """A 500, a lost connection, and a 503 without Retry-After."""
    for wrong in (heard(110, 500), heard(110, None), heard(110, 503, retry_after=False)):
        assert any("10.1 s in" in each for each in judge(replace(HONEST, heard=[*HONEST.heard, wrong])))


def test_a_blockade_that_blocks_nothing_is_found() -> None:
    """Without a refusal nothing was tried."""
    idle = [each for each in HONEST.heard if each.status != 503]
    assert any("not blocked" in each for each in judge(replace(HONEST, heard=idle)))


def test_a_late_or_lying_ready_is_found() -> None:
    """Never 503, 503 too late, 200 in between, and back too late."""
    always = [heard(99 + n, 200) for n in range(40)]
    late = [heard(101, 200), heard(106, 503), heard(132, 200)]
    lying = [*HONEST.ready, heard(115, 200)]
    slow = [heard(102, 503), heard(136, 200)]
    for ready in (always, late, lying, slow):
        assert any("/ready" in each for each in judge(replace(HONEST, ready=ready)))


def test_a_late_return_is_found() -> None:
    """The first answer more than five seconds after the end, or none."""
    refused = [each for each in HONEST.heard if each.status == 503]
    assert any("answers again" in each for each in judge(replace(HONEST, heard=refused)))
    assert any("answers again" in each for each in judge(replace(HONEST, heard=[*refused, heard(136, 200)])))
