"""An error's message is its own detail, or its kind's docstring."""

import msgspec

from consent_registry.domain.errors import Fault, Malformed, NotFound, TooMany


def test_without_words_of_its_own_an_error_has_those_of_its_kind() -> None:
    """An error's message is the docstring of its class unless it has a detail."""
    plain, own = NotFound(), Malformed("no such member")
    assert (plain.detail, str(plain)) == (NotFound.__doc__, NotFound.__doc__)
    assert (own.detail, str(own)) == ("no such member", "no such member")
    assert (plain.faults, plain.retry_after) == ((), None)


def test_an_error_carries_its_faults_and_when_to_ask_again() -> None:
    """An error holds its faults and the seconds to wait, for the answer."""
    fault = Fault("/client", "is missing")
    assert Malformed("x", faults=(fault,)).faults == (fault,)
    assert msgspec.to_builtins(fault) == {"pointer": "/client", "detail": "is missing"}
    assert TooMany(retry_after=7).retry_after == 7


def test_a_kind_without_words_says_nothing() -> None:
    """An error class without a docstring has an empty message, not the word None."""

    class Mute(NotFound):
        pass

    Mute.__doc__ = None
    assert Mute().detail == ""
