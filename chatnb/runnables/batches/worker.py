"""One part of a batch's inputs, run by a worker of an executor."""

from __future__ import annotations

import os
import pickle
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import Any, TypeAlias

from chatnb.concurrency.cancellation import Abandoned, CancelScope
from chatnb.concurrency.locks import Lock
from chatnb.concurrency.pickling import dumps
from chatnb.concurrency.processes import is_running, this_machine
from chatnb.concurrency.waiting import Failed, Ok, Outcome
from chatnb.errors import BudgetSpentError, ConfigurationError, error_line
from chatnb.runnables.batches.backoff import (
    Pace,
    current_pace,
    is_limit_of_rate,
    seconds_to_retry,
)
from chatnb.runnables.batches.batch import BatchOptions, values_of
from chatnb.runnables.batches.checkpoint import (
    Checkpoint,
    CollectedReplies,
    SharedCheckpoint,
    current_checkpoint,
)
from chatnb.runnables.batches.worker_events import Event, EventRecorder
from chatnb.runnables.config import RunnableConfig, merge_configs
from chatnb.schema.model_call import ModelCall
from chatnb.tracing.usage_tracking import Budget, UsageTracker, track_calls_in_context

_WATCH_SECONDS = 0.1
_MAX_LOADED = 2
STOP = "stop"  # The file that ends a batch after the calls that are under way.

Function: TypeAlias = Callable[..., Any]


@dataclass(frozen=True)
class Home:
    """The process that hands out the inputs, as workers of the same machine find it."""

    folder: str  # It exists as long as the results are waited for.
    machine: str = field(default_factory=this_machine)
    process: int = field(default_factory=os.getpid)

    @classmethod
    def open(cls) -> Home:
        """Make a folder for a batch of this process, and remove those of processes that died."""
        # The name of a machine may begin with that of another, which has the same folder of
        # temporary files; a hash cannot.
        prefix = f"chatnb-batch-{sha256(this_machine().encode()).hexdigest()[:12]}-"
        for folder in Path(gettempdir()).glob(f"{prefix}*"):
            process = folder.name.removeprefix(prefix).partition("-")[0]
            if process.isdecimal() and not is_running(int(process)):
                shutil.rmtree(folder, ignore_errors=True)
        return cls(mkdtemp(prefix=f"{prefix}{os.getpid()}-"))

    def close(self) -> None:
        """Remove the folder, so that the workers end."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def close_if_left(self) -> None:
        """Remove the folder, if the process has died."""
        if self.is_here() and not is_running(self.process):
            self.close()

    def is_here(self) -> bool:
        """Return whether this machine is that of the process."""
        return this_machine() == self.machine

    def waits(self) -> bool:
        """Return whether the process still waits for results, as far as can be seen."""
        if not self.is_here():
            return True
        folder = Path(self.folder)
        return folder.exists() and not (folder / STOP).exists() and is_running(self.process)

    def has_cancelled(self) -> bool:
        """Return whether the calls under way are wanted no more."""
        return self.is_here() and is_running(self.process) and not Path(self.folder).exists()


@dataclass(frozen=True)
class Work:
    """The part of a batch that all its inputs share."""

    method: Function
    config: RunnableConfig | None
    kwargs: dict[str, Any]
    limit: int | None
    has_handlers: bool
    checkpoint: str | None
    home: Home


@dataclass
class Part:
    """Some inputs of a batch, for one worker."""

    id: str
    inputs: list[tuple[int, bytes]]  # Each a pickle, so that it fails by itself.
    interval: float = 0.0  # Between two calls of this worker, after a rate limit error.
    budget: tuple[float | None, int | None] | None = None  # Dollars and tokens.


@dataclass
class Answer:
    """The outcome of one input, or None if it is to be run again, and its calls."""

    index: int
    outcome: Outcome[Any] | None
    calls: list[ModelCall] = field(default_factory=list[ModelCall])


@dataclass
class Report:
    """The results of a part."""

    answers: list[bytes] = field(default_factory=list[bytes])
    events: list[Event] = field(default_factory=list[Event])
    limited: tuple[Exception, ...] = ()
    replies: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    problem: str = ""  # Why the worker cannot run any part.


def run_part(work: bytes, part: bytes) -> bytes:
    """Run a part of a batch; both are pickles, as the report is."""
    try:
        loaded = _load(work), pickle.loads(part)
    except Exception as error:
        return pickle.dumps(Report(problem=error_line(error)))
    return pickle.dumps(_RunningPart(*loaded).run())


_loaded = OrderedDict[bytes, Work]()
_loading = Lock()


def _load(pickled: bytes) -> Work:
    # A worker has one model, and so one pool of connections, for all parts of a batch.
    digest = sha256(pickled).digest()
    with _loading:
        if digest not in _loaded:
            _loaded[digest] = pickle.loads(pickled)
            while len(_loaded) > _MAX_LOADED:
                _loaded.popitem(last=False)
        return _loaded[digest]


class _RunningPart:
    """A part that is being run."""

    def __init__(self, work: Work, part: Part) -> None:
        self._work = work
        self._part = part
        self._pace = _PartPace(part.interval)
        self._scope = CancelScope()
        self._limited = list[Exception]()
        self._recorder = EventRecorder() if work.has_handlers else None
        self._checkpoint = self._open_checkpoint()
        self._budget = Budget(usd=part.budget[0], tokens=part.budget[1]) if part.budget else None

    def run(self) -> Report:
        """Run the inputs, and return what became of them."""
        ended = threading.Event()
        threading.Thread(target=self._watch, args=[ended], daemon=True).start()
        try:
            answers = copy_context().run(self._answers)
        except Abandoned:  # Nobody waits for them.
            answers = []
        finally:
            ended.set()
            self._scope.close()
            self._work.home.close_if_left()
        collected = self._checkpoint
        return Report(
            [_portable(answer) for answer in answers],
            self._recorder.events if self._recorder else [],
            tuple(_portable_error(error) for error in self._limited),
            collected.rows if isinstance(collected, CollectedReplies) else [],
        )

    def _answers(self) -> list[Answer]:
        current_pace.set(self._pace)
        if self._checkpoint is not None:
            current_checkpoint.set(self._checkpoint)
        calls = [partial(self._attempt, *item) for item in self._part.inputs]
        options = BatchOptions(self._work.limit, progress=False)
        with self._scope.entered():
            answers = [*values_of(calls, options).values()]
        if self._checkpoint is not None:
            self._checkpoint.flush()
        return answers

    def _attempt(self, index: int, pickled: bytes) -> Answer:
        if self._pace.is_stopped or not self._work.home.waits():
            return Answer(index, None)
        try:
            input = pickle.loads(pickled)
        except Exception as error:
            problem = f"The worker cannot read the input: {error_line(error)}"
            return Answer(index, Failed(ConfigurationError(problem)))
        tracker, context = UsageTracker(), copy_context()
        context.run(track_calls_in_context, tracker)
        if self._budget is not None:
            context.run(track_calls_in_context, self._budget)
        handlers: RunnableConfig = {"callbacks": [self._recorder]} if self._recorder else {}
        config = merge_configs(self._work.config, handlers)
        outcome: Outcome[Any] | None
        try:
            outcome = Ok(context.run(self._work.method, input, config, **self._work.kwargs))
        except BudgetSpentError as error:
            # Its share is spent; the batch may have more.
            self._pace.is_stopped = True
            outcome = None if self._budget is not None else Failed(error)
        except Exception as error:
            outcome = Failed(error)
            if is_limit_of_rate(error):
                self._limited.append(error)
                self._pace.hold(seconds_to_retry(error))
                outcome = None
        return Answer(index, outcome, tracker.calls)

    def _open_checkpoint(self) -> Checkpoint | None:
        path, home = self._work.checkpoint, self._work.home
        if path is None:
            return None
        if home.is_here() and Path(path).exists():
            return SharedCheckpoint(path, self._part.id)
        return CollectedReplies()

    def _watch(self, ended: threading.Event) -> None:
        # The calls of a process that has died end, and are kept in the checkpoint.
        while not ended.wait(_WATCH_SECONDS):
            if not self._work.home.waits():
                self._pace.is_stopped = True
            if self._work.home.has_cancelled():
                self._scope.cancel()
                return


class _PartPace(Pace):
    """The pace of a part, which ends after a rate limit error: the batch decides how to go on."""

    def __init__(self, interval: float) -> None:
        super().__init__()
        self.is_stopped = False
        if interval:
            self._held_until, self._interval = time.monotonic(), interval

    def hold(self, seconds: float | None) -> None:
        super().hold(seconds)
        self.is_stopped = True

    def reserve_start(self) -> float:
        return 0.0 if self.is_stopped else super().reserve_start()


def _portable(answer: Answer) -> bytes:
    """Return the pickle of an answer; what cannot be sent is an error instead."""
    if isinstance(answer.outcome, Failed) and isinstance(answer.outcome.error, Exception):
        answer.outcome = Failed(_portable_error(answer.outcome.error))
    try:
        return dumps(answer)
    except Exception as error:
        problem = f"The output cannot be sent to another process: {error_line(error)}"
        return dumps(Answer(answer.index, Failed(ConfigurationError(problem)), answer.calls))


def _portable_error(error: Exception) -> Exception:
    """Return an error that can be pickled; of another class, if its own cannot."""
    try:
        pickle.loads(dumps(error))
    except Exception:
        return RuntimeError(error_line(error))
    return error
