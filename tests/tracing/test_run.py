from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chatnb.runnables import RunnableLambda
from chatnb.tracing.logging import LoggingHandler
from chatnb.tracing.run import failure_from_exception


def unlucky(_: object) -> str:
    try:
        raise LookupError("No such city.")
    except LookupError as error:
        raise ValueError("The tool failed.") from error


def test_a_traceback_shows_the_users_steps_alone() -> None:
    """Neither this package's steps nor the folders of the machine are in a log."""
    with pytest.raises(ValueError, match="failed") as raised:
        RunnableLambda(unlucky).invoke("", {"callbacks": [LoggingHandler()]})
    told = failure_from_exception(raised.value)["traceback"]
    assert "in unlucky" in told
    assert "LookupError: No such city." in told
    assert "traced.py" not in told
    assert str(Path(__file__).parents[2]) not in told


@pytest.mark.parametrize(
    ("exception", "stopped"),
    [
        (asyncio.CancelledError(), True),
        (KeyboardInterrupt(), True),
        (GeneratorExit(), True),
        (TimeoutError("late"), False),
    ],
)
def test_what_was_stopped_has_not_failed(exception: BaseException, stopped: bool) -> None:
    """A cancellation, an interrupt and a reader that leaves are no failures."""
    assert failure_from_exception(exception)["stopped"] is stopped


def test_no_exception_of_a_group_names_folders() -> None:
    """Those in a group are shown like the one around them, in chains of any length."""
    failures = list[Exception]()
    for _ in range(2):
        with pytest.raises(ValueError, match="failed") as raised:
            unlucky("")
        failures.append(raised.value)
    last = failures[0].__cause__
    for number in range(2_000):
        assert last is not None
        last.__cause__ = LookupError(str(number))
        last = last.__cause__
    told = failure_from_exception(ExceptionGroup("both", failures))["traceback"]
    assert told.count("in unlucky") >= 2
    assert str(Path(__file__).parents[2]) not in told
