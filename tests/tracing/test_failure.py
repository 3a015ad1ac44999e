from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from chatnb.runnables import RunnableLambda
from chatnb.tracing.failure import failure_of


def unlucky(_: object) -> str:
    try:
        raise LookupError("No such city.")
    except LookupError as error:
        raise ValueError("The tool failed.") from error


def test_a_traceback_shows_the_users_steps_alone() -> None:
    """Neither this package's steps nor the folders of the machine are in a log."""
    with pytest.raises(ValueError, match="failed") as raised:
        RunnableLambda(unlucky).invoke("", {"callbacks": [object()]})
    told = failure_of(raised.value)["traceback"]
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
    assert failure_of(exception)["stopped"] is stopped
