"""Batches whose inputs are run by the workers of an executor."""

from __future__ import annotations

import pickle
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
)
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from struct import Struct
from typing import Any, cast
from uuid import uuid4

from chatnb.concurrency.pickling import dumps
from chatnb.concurrency.waiting import Failed, Outcome, take
from chatnb.errors import ChatnbError, ConfigurationError, error_line
from chatnb.runnables.batches.backoff import Pace
from chatnb.runnables.batches.batch import BatchOptions, Pair
from chatnb.runnables.batches.checkpoint import SharedCheckpoint
from chatnb.runnables.batches.input_streams import Inputs, StreamedBatch
from chatnb.runnables.batches.worker import STOP, Answer, Home, Part, Report, Work, run_part
from chatnb.runnables.batches.worker_events import replay
from chatnb.runnables.config import RunnableConfig, effective_config
from chatnb.runnables.tracing import has_handlers
from chatnb.schema.model_call import ModelCall
from chatnb.tracing.usage_tracking import Budget, current_trackers

_PARTS_PER_WORKER = 2  # One runs, one waits.
_MAX_DEATHS = 3
_INPUTS_PER_CALL = 4  # So that a worker need not wait for the slowest of them.
_WAIT_SECONDS = 0.2
_CONNECT_SECONDS = 5.0
_EVENT = Struct("=HI")  # Of a monitor of ZeroMQ: its number and a value.
_IMPORT_ERRORS = {"AttributeError", "ImportError", "ModuleNotFoundError", "PicklingError"}
_NOT_SENT = ("callbacks", "parent_run", "deadline")

Method = Callable[..., Any]
OnCalls = Callable[[int, list[ModelCall]], object]


@dataclass(frozen=True)
class Workers:
    """The workers of a batch.

    Args:
        executor: Any `concurrent.futures.Executor`.
        send_keys: Whether API keys travel to the workers, which else have their own.
    """

    executor: Executor
    send_keys: bool = False

    def __post_init__(self) -> None:
        if not hasattr(self.executor, "submit"):
            raise TypeError(
                "executor= takes a concurrent.futures.Executor, such as ProcessPoolExecutor(), "
                "client.get_executor() of dask, or client.executor() of ipyparallel, "
                f"not {self.executor!r}"
            )

    def lost_server(self) -> str | None:
        """Return the name of the server that the executor has lost for good, if it has."""
        # Futures of Dask and of ipyparallel would be waited for without end.
        executor: Any = self.executor
        if getattr(getattr(executor, "_client", None), "status", "running") == "closed":
            return "scheduler"
        view: Any = getattr(executor, "view", None)
        client = getattr(view, "client", None)
        if client is not None and (client._closed or _is_refused(view._socket.socket)):
            return "controller"
        return None

    @property
    def count(self) -> int:
        """The number of parts that run at a time."""
        executor: Any = self.executor
        client = getattr(executor, "_client", None)
        if client is not None and hasattr(client, "nthreads"):  # Of dask.
            return max(1, sum(client.nthreads().values()))
        return max(1, getattr(executor, "_max_workers", None) or 1)


def executor_completed(
    method: Method,
    inputs: Inputs,
    config: RunnableConfig | None,
    kwargs: dict[str, Any],
    options: BatchOptions,
    workers: Workers,
    *,
    in_order: bool,
    on_calls: OnCalls = lambda index, calls: None,
) -> Generator[Pair]:
    """Run a method with each input on workers, and yield each index and output as it ends."""
    batch = StreamedBatch(inputs, options, in_order=in_order)
    total = len(inputs) if isinstance(inputs, Sequence) else None
    with batch.running(), closing(Home.open()) as home:
        driver = _Driver(batch, method, config, kwargs, options, workers, total, on_calls, home)
        try:
            while driver.submit_parts():
                for index in driver.next_ended():
                    batch.save_replies()
                    yield from batch.outputs(index)
                batch.tick()
        finally:
            driver.close()
    batch.raise_failures()


class _SentPart:
    """A part, and what became of it."""

    def __init__(self, inputs: list[tuple[int, bytes]]) -> None:
        self.id = uuid4().hex
        self.inputs = inputs
        self.deaths = 0
        self.budget: tuple[float | None, int | None] | None = None


class _Driver:
    """Hands out the parts of a batch to workers, and receives their reports."""

    def __init__(
        self,
        batch: StreamedBatch,
        method: Method,
        config: RunnableConfig | None,
        kwargs: dict[str, Any],
        options: BatchOptions,
        workers: Workers,
        total: int | None,
        on_calls: OnCalls,
        home: Home,
    ) -> None:
        self._batch = batch
        self._pace = batch.pace or Pace()
        self._config = effective_config(config)
        self._on_calls = on_calls
        self._workers = workers
        self._executor, self._count = workers.executor, workers.count
        batch.progress.workers = self._count
        self._own_executor: Executor | None = None
        self._ended = SimpleQueue[Future[bytes]]()
        self._running = dict[Future[bytes], _SentPart]()
        self._again = deque[_SentPart]()
        self._ended_here = deque[int]()
        self._part_size = _part_size(total, batch.limit, self._count)
        batch.capacity = (_PARTS_PER_WORKER * self._count + 1) * self._part_size
        self._home = home
        self._work = self._pickle(method, kwargs, options, workers)
        if batch.checkpoint is not None:
            SharedCheckpoint.begin(batch.checkpoint)

    def submit_parts(self) -> bool:
        """Give the workers what they can take now, and return whether anything is under way."""
        while not self._batch.progress.ended and self._has_room():
            if (part := self._next_part()) is None or not self._submit(part):
                break
        waiting = self._again and not self._batch.progress.ended
        return bool(self._running or waiting or self._ended_here)

    def next_ended(self) -> Iterator[int]:
        """Wait for a report, and yield the inputs that have ended."""
        if not self._ended_here:
            try:
                future = take(self._ended, _WAIT_SECONDS, meanwhile=self._batch.tick)
            except Empty:
                self._check_connection()
                return
            part = self._running.pop(future)
            error = CancelledError() if future.cancelled() else future.exception()
            if error is None:
                self._receive(part, pickle.loads(future.result()))
            else:
                self._lose(part, error)
        while self._ended_here:
            yield self._ended_here.popleft()
        if self._batch.progress.ended:
            Path(self._home.folder, STOP).touch()

    def _check_connection(self) -> None:
        if server := self._workers.lost_server():
            raise ChatnbError(
                f"The connection to the {server} of the executor is lost. With a checkpoint=, the "
                "same call on another executor requests only what is missing."
            )

    def close(self) -> None:
        """End what the workers still do, and remove what this batch left."""
        self._home.close()
        # An executor without its scheduler has nobody to tell, and would log an error for each.
        if self._running and self._workers.lost_server() is None:
            for future in self._running:
                future.cancel()
        if self._own_executor is not None:
            self._own_executor.shutdown(wait=False, cancel_futures=True)
        # Workers that still run write replies, which they note.
        if self._batch.checkpoint is not None and not self._running:
            SharedCheckpoint.end(self._batch.checkpoint)

    def _pickle(
        self, method: Method, kwargs: dict[str, Any], options: BatchOptions, workers: Workers
    ) -> bytes:
        sent: Any = {k: v for k, v in (self._config or {}).items() if k not in _NOT_SENT}
        deadline: Any = (self._config or {}).get("deadline")
        if deadline is not None:
            sent["deadline"] = getattr(deadline, "left", deadline)
        work = Work(
            method=method,
            config=sent or None,
            kwargs=kwargs,
            limit=options.max_concurrency,
            has_handlers=has_handlers(self._config),
            checkpoint=str(Path(options.checkpoint).absolute()) if options.checkpoint else None,
            home=self._home,
        )
        try:
            return dumps(work, send_keys=workers.send_keys)
        except Exception as error:
            raise ConfigurationError(
                f"{method!r} cannot be sent to other processes: {error_line(error)}. Define its "
                "functions in a module, or pip install cloudpickle for those of a notebook."
            ) from error

    def _has_room(self) -> bool:
        # A part whose workers have died twice is run alone, so that the next death is its own.
        alone = any(part.deaths > 1 for part in self._running.values())
        full = len(self._running) >= _PARTS_PER_WORKER * self._count
        return not (alone or full or self._pace.seconds_held)

    def _next_part(self) -> _SentPart | None:
        if self._again:
            alone = self._again[0].deaths > 1
            return None if alone and self._running else self._again.popleft()
        inputs = list[tuple[int, bytes]]()
        for index, input in islice(self._batch.take_inputs(), self._part_size):
            try:
                inputs.append((index, dumps(input)))
            except Exception as error:
                text = f"The input cannot be sent to another process: {error_line(error)}"
                self._record(index, Failed(ConfigurationError(text)))
        return _SentPart(inputs) if inputs else None

    def _submit(self, part: _SentPart) -> bool:
        """Give a part to a worker, unless its calls may not be made, or not yet."""
        try:
            part.budget = self._share_of_budget()
        except Exception as error:
            self._fail(part.inputs, error)
            return False
        if part.budget is not None and not all(share is None or share > 0 for share in part.budget):
            self._again.appendleft(part)
            return False
        sent = dumps(Part(part.id, part.inputs, self._pace.interval * self._count, part.budget))
        try:
            future = self._executor.submit(run_part, self._work, sent)
        except BrokenExecutor as error:
            self._replace_executor(error)
            future = self._executor.submit(run_part, self._work, sent)
        except Exception:
            self._check_connection()
            raise
        self._running[future] = part
        future.add_done_callback(self._ended.put)
        return True

    def _share_of_budget(self) -> tuple[float | None, int | None] | None:
        """Return a part's share of what is left of budgets; raise an error if that is nothing."""
        free = _PARTS_PER_WORKER * self._count - len(self._running)
        given = [part.budget for part in self._running.values() if part.budget is not None]
        dollars, tokens = list[float](), list[int]()
        for tracker in self._batch.context.run(current_trackers):
            tracker.admit()
            if isinstance(tracker, Budget) and tracker.usd is not None:
                left = tracker.usd - tracker.spent_usd - sum(share[0] or 0.0 for share in given)
                dollars.append(left / free)
            if isinstance(tracker, Budget) and tracker.tokens is not None:
                left = tracker.tokens - tracker.spent_tokens - sum(s[1] or 0 for s in given)
                tokens.append(-(-left // free))
        if not dollars and not tokens:
            return None
        return min(dollars, default=None), min(tokens, default=None)

    def _replace_executor(self, error: BrokenExecutor) -> None:
        executor: Any = self._executor
        if not isinstance(executor, ProcessPoolExecutor):
            raise ConfigurationError(f"The executor is broken: {error_line(error)}") from error
        # A pool of which one process has died takes no more work.
        pool: Any = executor
        self._executor = self._own_executor = ProcessPoolExecutor(
            pool._max_workers,
            mp_context=pool._mp_context,
            initializer=pool._initializer,
            initargs=pool._initargs,
        )

    def _receive(self, part: _SentPart, report: Report) -> None:
        if report.problem:
            raise ConfigurationError(f"The workers cannot run this batch: {report.problem}")
        if self._batch.checkpoint is not None:
            for key, text in report.replies:
                self._batch.checkpoint.append(key, text)
        replay(report.events, self._config)
        inputs, again = dict(part.inputs), list[tuple[int, bytes]]()
        for answer in cast("list[Answer]", map(pickle.loads, report.answers)):
            self._record_calls(answer)
            if answer.outcome is None:
                again.append((answer.index, inputs[answer.index]))
            else:
                self._pace.record_success()
                self._record(answer.index, answer.outcome)
        gives_up = report.limited and not self._pace.should_retry(report.limited[0])
        if gives_up:
            self._fail(again, report.limited[0])
        elif again:
            self._again.append(_SentPart(again))

    def _record_calls(self, answer: Answer) -> None:
        trackers = self._batch.context.run(current_trackers)
        for number, call in enumerate(answer.calls):
            call.position = (*self._batch.position, answer.index, number)
            for tracker in trackers:
                tracker.record(call)
        self._on_calls(answer.index, answer.calls)

    def _lose(self, part: _SentPart, error: BaseException) -> None:
        """Have a part run again whose worker has died."""
        name = getattr(error, "ename", type(error).__name__)  # Of ipyparallel's remote errors.
        if name in _IMPORT_ERRORS:
            raise ConfigurationError(
                f"The workers cannot run chatnb: {error_line(error)}. Install the same version of "
                "it in their environment."
            ) from error
        part.deaths += 1
        if part.deaths < _MAX_DEATHS:
            self._again.append(part)
            return
        text = f"{part.deaths} workers died while they ran this part: {error_line(error)}"
        self._fail(part.inputs, ChatnbError(text))

    def _fail(self, inputs: Iterable[tuple[int, bytes]], error: Exception) -> None:
        for index, _ in inputs:
            self._record(index, Failed(error))

    def _record(self, index: int, outcome: Outcome[Any]) -> None:
        self._batch.progress.record(index, outcome)
        self._ended_here.append(index)


def _is_refused(zmq_socket: Any) -> bool:
    """Return whether nobody listens any more where a socket of ZeroMQ is connected to."""
    # ZeroMQ itself tries to connect again for ever, and tells only a monitor. A socket of Python
    # would be a call to the network, which tests of notebooks refuse.
    zmq: Any = import_module("zmq")
    failures, deadline = 0, time.monotonic() + _CONNECT_SECONDS
    with zmq_socket.context.socket(zmq.DEALER) as probe:
        probe.linger = 0
        with probe.get_monitor_socket(zmq.EVENT_CONNECTED | zmq.EVENT_CLOSED) as monitor:
            probe.connect(zmq_socket.last_endpoint.rstrip(b"\0").decode())
            while (left := deadline - time.monotonic()) > 0 and monitor.poll(1000 * left):
                event, _ = _EVENT.unpack(monitor.recv_multipart()[0])
                if event == zmq.EVENT_CONNECTED:
                    return False
                failures += 1
            probe.disable_monitor()
    return failures > 0  # An address that does not answer may do so again.


def _part_size(total: int | None, limit: int, workers: int) -> int:
    """Return the number of inputs of a part: enough to keep a worker's calls under way."""
    most = _INPUTS_PER_CALL * limit
    return most if total is None else max(1, min(most, -(-total // (_PARTS_PER_WORKER * workers))))
