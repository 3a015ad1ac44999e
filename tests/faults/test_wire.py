"""Faults of the wire: a sample of all calls; `make soak` makes them all."""

from __future__ import annotations

import pytest

from tests.faults.wire_runs import METHODS, WireRuns

SHARE = 0.01


@pytest.mark.slow
def test_a_fault_ends_in_the_reply_or_in_an_error_of_ours() -> None:
    """With what came before the fault as its partial; no call hangs, no broken reply passes as
    good, no key is shown, and no connection and no thread is left."""
    runs = WireRuns().run(SHARE)
    assert runs.failures == []
    assert runs.faults > 600
    assert runs.calls > runs.faults * len(METHODS) * SHARE / 2
    assert runs.outcomes["reply"] > 0
