"""A quota allows a minute's calls at once, and then as many as the bucket refills."""

import msgspec
import pytest

from consent_registry.domain.quotas import LARGEST, WINDOW, Bucket, Quotas


def taken(bucket: Bucket, times: list[float], quota: int, share: float = 0, cost: int = 1) -> int:
    """How many of the calls at these times are allowed."""
    return sum(bucket.take(at, quota, share or quota, cost) == 0 for at in times)


def test_the_ordinary_quotas() -> None:
    """The default quotas are those of the contract; free calls have none."""
    assert Quotas() == Quotas(60_000, 300_000, 6_000, 6_000, 600)
    assert Quotas().of("writes") == 6_000
    assert Quotas(writes=None).of("writes") is None
    assert Quotas().of("free") is None


@pytest.mark.parametrize("name", Quotas.__struct_fields__)
@pytest.mark.parametrize(
    ("value", "good"),
    [
        (None, True),
        (1, True),
        (LARGEST, True),
        *((wrong, False) for wrong in (0, -1, LARGEST + 1, 1.5, True)),
        ("9", False),
    ],
)
def test_a_quota_is_a_number_or_none(name: str, value: object, good: bool) -> None:
    """A quota is a number from one to ten million, or null."""
    written = msgspec.json.encode({name: value})
    if good:
        assert getattr(msgspec.json.decode(written, type=Quotas), name) == value
    else:
        with pytest.raises(msgspec.ValidationError, match=name):
            msgspec.json.decode(written, type=Quotas)


@pytest.mark.parametrize("quota", [1, 2, 7, 600, 60_000])
@pytest.mark.parametrize("begin", [0.5, 1e3, 1e7])
def test_a_full_bucket_holds_a_minutes_quota(quota: int, begin: float) -> None:
    """A full bucket allows exactly a minute's quota at once, and after a minute again."""
    bucket = Bucket()
    assert taken(bucket, [begin] * (quota + 5), quota) == quota
    assert taken(bucket, [begin + WINDOW * 1.001] * (quota + 5), quota) == quota


@pytest.mark.parametrize("quota", [2, 60, 600])
def test_no_more_flows_in_than_the_quota_says(quota: int) -> None:
    """However often a caller asks, it gets at most its quota at once and its quota for each minute."""
    for minutes in (1, 3):
        times = [number * WINDOW * minutes / (20 * quota) for number in range(20 * quota)]
        assert quota * (1 + minutes) - 2 <= taken(Bucket(), times, quota) <= quota * (1 + minutes)


@pytest.mark.parametrize(("quota", "cost"), [(1, 1), (600, 1), (1000, 1000), (300_000, 1000), (5, 3)])
def test_after_the_wait_it_is_there(quota: int, cost: int) -> None:
    """A caller that waits as long as the answer says is allowed, and not much earlier."""
    bucket, now = Bucket(), 100.0
    while not (wait := bucket.take(now, quota, quota, cost)):
        pass
    assert bucket.take(now + wait * 0.9, quota, quota, cost) > 0
    assert bucket.take(now + wait + 1e-6, quota, quota, cost) == 0


def test_what_is_refused_takes_nothing() -> None:
    """Refused calls take nothing from the bucket, not even a million of them."""
    bucket = Bucket()
    assert taken(bucket, [1.0] * 10, 6) == 6
    first = bucket.take(1.0, 6, 6)
    for _ in range(1000):
        assert bucket.take(1.0, 6, 6) == first


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_workers_share_a_quota(workers: int) -> None:
    """Workers together allow what one would, and each at least one call."""
    buckets = [Bucket() for _ in range(workers)]
    quota = 240
    assert sum(taken(bucket, [1.0] * 300, quota, quota / workers) for bucket in buckets) == quota


def test_a_batch_larger_than_the_share_is_let_through_whole() -> None:
    """With a quota of a thousand a batch of a thousand is allowed from a full bucket, whatever the number of workers,
    and paid for by waiting. A batch above the quota is never allowed.
    """
    bucket = Bucket()
    assert bucket.take(1.0, 1000, 125, 1000) == 0
    assert bucket.take(1.0, 1000, 125, 1) > 7 * WINDOW
    assert bucket.take(2.0 + 8 * WINDOW, 1000, 125, 1000) == 0
    assert Bucket().take(1.0, 1000, 125, 1001) == WINDOW
    assert Bucket().take(1.0, 1000, 1000, 1001) == WINDOW


def test_a_new_quota_counts_what_was_taken() -> None:
    """After a smaller quota what was taken stays taken, at most a minute's worth; after a larger one the rest is
    available.
    """
    bucket = Bucket()
    assert taken(bucket, [1.0] * 60, 600) == 60
    assert taken(bucket, [1.0] * 200, 120) == 60
    assert taken(bucket, [1.0] * 20, 10) == 0
    assert taken(bucket, [1.0 + WINDOW] * 20, 10) == 10
    assert taken(bucket, [1.0 + WINDOW] * 200, 100) == 90
