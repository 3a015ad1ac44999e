from __future__ import annotations

import asyncio

import pytest

from chatnb.chat_models.rate_limiter import RateLimiter


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_calls_are_spaced_out() -> None:
    """Each call waits for its place, however many come at once."""
    limiter = RateLimiter(4, clock=Clock())
    assert [limiter.reserve() for _ in range(4)] == [0, 0.25, 0.5, 0.75]


def test_a_pause_is_not_saved_up_beyond_the_burst() -> None:
    """After a long pause only as many calls go through at once as the burst allows."""
    clock = Clock()
    limiter = RateLimiter(1, burst=3, clock=clock)
    assert [limiter.reserve() for _ in range(5)] == [0, 0, 0, 1, 2]
    clock.now = 100
    assert [limiter.reserve() for _ in range(4)] == [0, 0, 0, 1]


@pytest.mark.parametrize(
    "numbers", [{"requests_per_second": 0}, {"requests_per_second": 1, "burst": 0}]
)
def test_a_limit_that_lets_nothing_through_is_refused(numbers: dict[str, float]) -> None:
    """Numbers that make no sense are a ValueError that says which do."""
    with pytest.raises(ValueError, match="above 0 and burst from 1"):
        RateLimiter(**numbers)  # type: ignore[arg-type]


def test_a_call_that_was_cancelled_gives_its_place_back() -> None:
    """Those who wait behind it do not wait for nothing."""
    limiter = RateLimiter(0.01, clock=Clock())

    async def cancel_while_waiting() -> None:
        waiting = [asyncio.create_task(limiter.aacquire()) for _ in range(3)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    limiter.reserve()
    asyncio.run(cancel_while_waiting())
    assert limiter.reserve() == 100
