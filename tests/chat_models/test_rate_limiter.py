from __future__ import annotations

import asyncio
import signal
import threading

import pytest

from chatnb.chat_models.rate_limiter import RateLimiter


class Clock:
    def __init__(self) -> None:
        self.now = 64.0

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
    clock.now += 100
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


def test_a_call_that_was_cancelled_gives_back_its_own_place() -> None:
    """The next call takes the place that is free, and not one that another call waits for."""
    clock = Clock()
    limiter = RateLimiter(0.01, clock=clock)

    async def cancel_the_second() -> list[float]:
        first, second, third = (asyncio.create_task(limiter.aacquire()) for _ in range(3))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        places = [limiter.reserve(), limiter.reserve()]
        for task in (first, third):
            task.cancel()
        await asyncio.gather(first, third, return_exceptions=True)
        return places

    limiter.reserve()
    assert asyncio.run(cancel_the_second()) == [200, 400]
    clock.now += 350
    assert [limiter.reserve(), limiter.reserve()] == [150, 250]


def test_an_interrupted_wait_gives_its_place_back() -> None:
    """Ctrl-C while a call waits for its place leaves the place to the next call."""
    limiter = RateLimiter(0.01, clock=Clock())
    limiter.reserve()
    main = threading.main_thread().ident or 0
    threading.Timer(0.05, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        limiter.acquire()
    assert limiter.reserve() == 100
