"""What went wrong says so, in its own words or in those of its kind."""

import msgspec

from consent_registry.domain.errors import Fault, Malformed, NotFound, TooMany


def test_without_words_of_its_own_an_error_has_those_of_its_kind() -> None:
    """The docstring is the public message; a detail takes its place."""
    plain, own = NotFound(), Malformed("no such member")
    assert (plain.detail, str(plain)) == (NotFound.__doc__, NotFound.__doc__)
    assert (own.detail, str(own)) == ("no such member", "no such member")
    assert (plain.faults, plain.retry_after) == ((), None)


def test_an_error_carries_its_faults_and_when_to_ask_again() -> None:
    """What a door needs to name the members, and the seconds to wait."""
    fault = Fault("/client", "is missing")
    assert Malformed("x", faults=(fault,)).faults == (fault,)
    assert msgspec.to_builtins(fault) == {"pointer": "/client", "detail": "is missing"}
    assert TooMany(retry_after=7).retry_after == 7


def test_a_kind_without_words_says_nothing() -> None:
    """An error without a docstring has no message, and not the word None."""

    class Mute(NotFound):
        pass

    Mute.__doc__ = None
    assert Mute().detail == ""
