from __future__ import annotations

import asyncio
import pickle
import signal
import threading
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import pytest

from chatnb.chat_models import BaseChatModel
from chatnb.errors import ChatnbError, RateLimitError
from chatnb.runnables import (
    BatchError,
    BatchInterrupted,
    Runnable,
    RunnableConfig,
    RunnableLambda,
    ensure_config,
)
from chatnb.schema import AIMessage, BaseMessage
from tests.support.hangs import ends

Batch = Callable[..., list[Any]]


def sync_batch(runnable: Runnable[Any, Any], *args: Any, **kwargs: Any) -> list[Any]:
    return runnable.batch(*args, **kwargs)


def async_batch(runnable: Runnable[Any, Any], *args: Any, **kwargs: Any) -> list[Any]:
    return asyncio.run(runnable.abatch(*args, **kwargs))


both = pytest.mark.parametrize("batch", [sync_batch, async_batch])


def fail_at(*bad: int) -> Callable[[int], int]:
    def double(n: int) -> int:
        if n in bad:
            raise ValueError(f"not {n}")
        return n * 2

    return double


@both
def test_order_is_kept(batch: Batch) -> None:
    """Outputs have the order of their inputs, whichever came first."""
    last = threading.Event()

    def wait_for_the_last(n: int) -> int:
        assert n == 3 or last.wait(60)
        last.set()
        return n * 2

    assert batch(RunnableLambda(wait_for_the_last), [0, 1, 2, 3]) == [0, 2, 4, 6]


@both
def test_many_run_at_a_time(batch: Batch) -> None:
    """Calls that only wait do not wait for one another: forty meet at one barrier."""
    barrier = threading.Barrier(40)
    outputs = batch(RunnableLambda(lambda _: barrier.wait(60)), list(range(40)))
    assert sorted(outputs) == list(range(40))


@both
@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_run_at_a_time_than_allowed(batch: Batch, limit: int) -> None:
    """`max_concurrency` is the most that ever run together."""
    lock, running, most = threading.Lock(), [0], [0]

    def count(_: int) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        with lock:
            running[0] -= 1

    batch(RunnableLambda(count), list(range(20)), {"max_concurrency": limit})
    assert 1 <= most[0] <= limit


@both
def test_keywords_of_a_config_are_those_of_the_batch(batch: Batch) -> None:
    """A model takes `max_concurrency=` and `tags=` in place of a config, and beside one."""

    class Counting(BaseChatModel):
        model_name = "counting"

        def __init__(self) -> None:
            self.most = self.running = 0
            self.lock = threading.Lock()

        def _generate(self, messages: list[BaseMessage], **_: Any) -> AIMessage:
            with self.lock:
                self.running += 1
                self.most = max(self.most, self.running)
            time.sleep(0)  # Another thread runs, if there is one.
            with self.lock:
                self.running -= 1
            return AIMessage("ok")

    for config in (None, {"metadata": {"a": 1}}, [{"metadata": {"a": n}} for n in range(20)]):
        chat = Counting()
        assert len(batch(chat, ["Hi"] * 20, config, max_concurrency=1, tags=["t"])) == 20
        assert chat.most == 1


@both
def test_one_error_keeps_what_finished(batch: Batch) -> None:
    """The error is of the failure's class too, with results, failures and remaining inputs."""
    with pytest.raises(ValueError, match="input 1: ValueError: not 1") as caught:
        batch(RunnableLambda(fail_at(1)), [0, 1, 2, 3], {"max_concurrency": 1})
    error = caught.value
    assert isinstance(error, BatchError)
    assert isinstance(error, ChatnbError)
    assert error.results == {0: 0}
    assert [str(failure) for failure in error.failures.values()] == ["not 1"]
    assert error.remaining == [2, 3]
    assert error.__cause__ is error.failures[1]


@both
def test_what_is_running_at_a_failure_is_kept(batch: Batch) -> None:
    """A call that was paid for is not thrown away because another failed."""
    all_started, failed = threading.Barrier(3), threading.Event()

    def work(n: int) -> int:
        all_started.wait(60)
        if n == 0:
            failed.set()
            raise ValueError("no")
        assert failed.wait(60)
        return n

    with pytest.raises(BatchError) as caught:
        batch(RunnableLambda(work), [0, 1, 2])
    assert caught.value.results == {1: 1, 2: 2}


@both
def test_errors_may_be_results(batch: Batch) -> None:
    """With `return_exceptions` each failure is at the index of its input."""
    outputs = batch(RunnableLambda(fail_at(1)), [0, 1, 2], return_exceptions=True)
    assert (outputs[0], str(outputs[1]), outputs[2]) == (0, "not 1", 4)


def test_the_error_has_what_the_failure_has() -> None:
    """Attributes of the first failure can be read on the error of the batch, also unpickled."""

    def limited(_: int) -> None:
        raise RateLimitError("Slow down.", retry_after=0.02)

    with pytest.raises(RateLimitError) as caught:
        RunnableLambda(limited).batch([1])
    assert caught.value.retry_after == 0.02
    again = BatchError.of({0: "a"}, {1: ValueError("no")}, [2])
    copied = pickle.loads(pickle.dumps(again))
    assert isinstance(copied, ValueError)
    assert (str(copied), copied.results) == (str(again), {0: "a"})


def test_outputs_are_handed_out_as_they_come() -> None:
    """The first to finish is the first out; failures are raised after all that finished."""
    second_seen = threading.Event()

    def work(n: int) -> int:
        assert n == 1 or second_seen.wait(60)
        if n == 2:
            raise ValueError("no")
        return n

    pairs = RunnableLambda(work).batch_as_completed([0, 1, 2])
    assert next(pairs) == (1, 1)
    second_seen.set()
    assert next(pairs) == (0, 0)
    with pytest.raises(BatchError):
        next(pairs)


def test_leaving_early_starts_no_more() -> None:
    """Closing the iterator starts no more inputs."""
    started = list[int]()
    pairs = RunnableLambda(started.append).batch_as_completed([0, 1, 2], {"max_concurrency": 1})
    next(pairs)
    pairs.close()  # type: ignore[attr-defined]
    assert started == [0]


def test_leaving_early_cancels_tasks() -> None:
    """In a loop the running calls are cancelled and awaited."""
    ended = list[int]()

    async def work(n: int) -> int:
        try:
            await asyncio.sleep(0 if n == 0 else 60)
        finally:
            ended.append(n)
        return n

    async def run() -> None:
        pairs = RunnableLambda(work).abatch_as_completed([0, 1])
        assert await anext(pairs) == (0, 0)
        await pairs.aclose()
        assert ended == [0, 1]

    asyncio.run(run())


def test_an_interrupt_keeps_what_finished() -> None:
    """Interrupting a batch is a KeyboardInterrupt with the results so far."""
    two_started, let_go = threading.Event(), threading.Event()
    main = threading.main_thread().ident or 0

    def work(n: int) -> int:
        if n == 0:
            return n
        if n == 1:
            assert two_started.wait(60)
            signal.pthread_kill(main, signal.SIGINT)
        else:
            two_started.set()
        let_go.wait(60)
        return n

    with pytest.raises(KeyboardInterrupt) as caught:
        RunnableLambda(work).batch([0, 1, 2, 3], {"max_concurrency": 2})
    let_go.set()
    assert isinstance(caught.value, BatchInterrupted)
    assert (caught.value.results, caught.value.remaining) == ({0: 0}, [1, 2, 3])


def test_an_interrupt_inside_a_call_keeps_what_finished() -> None:
    """Likewise when inputs run one by one, on the caller's own thread."""

    def work(n: int) -> int:
        if n == 1:
            signal.raise_signal(signal.SIGINT)
        return n

    with pytest.raises(BatchInterrupted, match="1 inputs finished, 2 did not") as caught:
        RunnableLambda(work).batch([0, 1, 2], {"max_concurrency": 1})
    assert (caught.value.results, caught.value.remaining) == ({0: 0}, [1, 2])


@both
def test_a_failing_exit_is_not_collected(batch: Batch) -> None:
    """SystemExit is no failure of an input."""

    def leave(_: int) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        batch(RunnableLambda(leave), [1, 2], return_exceptions=True)


@both
def test_nothing_gives_nothing(batch: Batch) -> None:
    """An empty list of inputs has an empty list of outputs."""
    assert batch(RunnableLambda(len), []) == []


@both
def test_each_input_may_have_its_config(batch: Batch) -> None:
    """A list of configs is one for each input."""
    configs: list[RunnableConfig] = [{"tags": ["a"]}, {"tags": ["b"]}]
    assert batch(RunnableLambda(lambda _: ensure_config()), [1, 2], configs) == configs


@both
@pytest.mark.parametrize("inputs", ["text", b"text", {"a": 1}, 3, None])
def test_one_input_is_no_batch(batch: Batch, inputs: Any) -> None:
    """Its characters or keys are not taken for inputs."""
    with pytest.raises(TypeError, match="A batch takes a list of inputs, not"):
        batch(RunnableLambda(len), inputs)


@both
@pytest.mark.parametrize(
    ("config", "message"),
    [
        ([{}], "2 inputs were given and 1 configs"),
        ({"run_id": "1"}, "run_id is the id of one run"),
        ({"max_concurrency": -1}, "max_concurrency must be 1 or more"),
    ],
)
def test_configs_fit_the_inputs(batch: Batch, config: Any, message: str) -> None:
    """Configs that do not fit the inputs raise before any run starts."""
    with pytest.raises(ValueError, match=message):
        batch(RunnableLambda(len), ["a", "b"], config)


def test_a_call_that_is_cancelled_by_itself_ends_the_batch() -> None:
    """Its exception is raised with the results so far, and nothing waits forever."""

    async def cancelled_at_one(n: int) -> int:
        if n == 1:
            raise asyncio.CancelledError
        return n

    async def asked() -> Any:
        batch = RunnableLambda(cancelled_at_one).abatch([0, 1], {"max_concurrency": 1})
        return await asyncio.wait_for(batch, 60)

    with pytest.raises(asyncio.CancelledError) as raised:
        asyncio.run(asked())
    assert vars(raised.value)["results"] == {0: 0}
    assert vars(raised.value)["remaining"] == [1]


def test_nothing_is_asked_again_once_nobody_waits() -> None:
    """A rate-limited call that waits to be repeated is not made after an interrupt."""
    asked, refused = list[int](), threading.Event()
    threads = dict[int, threading.Thread]()

    def busy(n: int) -> int:
        asked.append(n)
        threads[n] = threading.current_thread()
        if n == 0:
            refused.wait(60)
            raise KeyboardInterrupt
        refused.set()
        raise RateLimitError("Slow down.", retry_after=0.3)

    with pytest.raises(BatchInterrupted):
        RunnableLambda(busy).batch([0, 1], {"max_concurrency": 2}, progress=False)
    threads[1].join(60)
    assert not threads[1].is_alive()
    assert sorted(asked) == [0, 1]


@pytest.mark.parametrize("method", ["abatch", "abatch_as_completed"])
def test_a_base_exception_of_an_item_ends_the_batch(method: str) -> None:
    """A BaseException, such as the failure of a test, is raised; no other task stays."""
    cancelled = list[int]()

    async def fail_at_one(n: int) -> int:
        if n == 1:
            pytest.fail("no")
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(n)
        return n

    async def run() -> None:
        batch, before = RunnableLambda(fail_at_one), asyncio.all_tasks()
        try:
            if method == "abatch":
                await batch.abatch([0, 1, 2], return_exceptions=True)
            else:
                async for _ in batch.abatch_as_completed([0, 1, 2]):
                    pass
        finally:
            assert asyncio.all_tasks() == before

    with pytest.raises(pytest.fail.Exception):
        ends(lambda: asyncio.run(run()))
    assert sorted(cancelled) == [0, 2]


@both
def test_a_returned_exception_is_a_value(batch: Batch) -> None:
    """Only what is raised is a failure, however errors are to be handled."""
    errors = [ValueError("a"), RateLimitError("b"), KeyboardInterrupt("c")]
    identity = RunnableLambda[Any, Any](lambda n: errors[n])
    for return_exceptions in (False, True):
        outputs = batch(identity, [0, 1, 2], return_exceptions=return_exceptions)
        assert [output is error for output, error in zip(outputs, errors, strict=True)] == [
            True
        ] * 3
    assert batch(identity, [0], {"max_concurrency": 1}) == errors[:1]


def test_a_slow_reader_does_not_hold_up_the_calls() -> None:
    """In a loop as on threads, the next call starts when one has ended, whoever reads."""

    async def run() -> None:
        last = asyncio.Event()

        async def work(n: int) -> int:
            if n == 5:
                last.set()
            return n

        pairs = RunnableLambda(work).abatch_as_completed(range(6), {"max_concurrency": 2})
        async with aclosing(pairs):
            await anext(pairs)
            await asyncio.wait_for(last.wait(), 60)

    asyncio.run(run())
