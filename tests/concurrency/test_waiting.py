"""Outcomes of work on another thread."""

from __future__ import annotations

import pytest

from chatnb.concurrency.waiting import Ok, Promise


def test_a_callback_that_fails_keeps_no_other_waiting() -> None:
    """A waiter is told of a promise's outcome, though another callback raises."""
    promise, ended = Promise[int](), list[Promise[int]]()

    def fail(_: Promise[int]) -> None:
        raise IndexError("no")

    promise.add_done_callback(fail)
    promise.add_done_callback(ended.append)
    with pytest.raises(IndexError, match="no"):
        promise.set(Ok(1))
    assert ended == [promise]
