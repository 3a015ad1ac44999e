from __future__ import annotations

import pickle

import pydantic
import pytest

from chatnb.errors import BatchError, BatchInterrupted


class Guarded(Exception):
    """Has a `results` of its own that cannot be set."""

    @property
    def results(self) -> str:
        return "mine"


def failures() -> list[Exception]:
    with pytest.raises(pydantic.ValidationError) as invalid:
        pydantic.TypeAdapter(int).validate_python("x")
    group = ExceptionGroup("several", [ValueError("a")])
    return [invalid.value, group, StopIteration(1), StopAsyncIteration(), Guarded("no"), OSError(2)]


@pytest.mark.parametrize("failure", failures(), ids=lambda failure: type(failure).__name__)
def test_a_batch_error_keeps_everything_whatever_failed(failure: Exception) -> None:
    """Classes that are made in a way of their own are the cause, and nothing is lost."""
    error = BatchError.of({0: "fine"}, {1: failure}, [2])
    assert isinstance(error, BatchError)
    assert error.failures == {1: failure}
    assert error.__cause__ is failure
    assert error.remaining == [2]
    assert error.results == {0: "fine"}


@pytest.mark.parametrize(
    "made", [BatchError.of({0: 1}, {1: ValueError("no")}, []), BatchInterrupted({0: 1}, {}, [1])]
)
def test_what_ended_a_batch_can_be_pickled(made: BatchError | BatchInterrupted) -> None:
    """It comes back from another process with what finished."""
    again = pickle.loads(pickle.dumps(made))
    assert again.results == {0: 1}
    assert type(again).__name__ == type(made).__name__
