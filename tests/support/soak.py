"""Everything at once, for a while: streams, batches, panels, drafts, interrupts and exits.

Run as a program, with the seconds and a seed. It ends with an error if a call hangs, a reply is
lost, or a thread, a task or a file is left.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import psutil

from chatnb import Conversation
from chatnb.chat_models import ScriptedChatModel
from chatnb.concurrency.portal import package_portal
from chatnb.concurrency.waiting import await_done
from chatnb.runnables import RunnableGenerator, RunnableLambda, RunnableParallel
from chatnb.schema import AIMessageChunk, HumanMessage
from chatnb.store import Store
from tests.support.panel_controllers import PanelDriver

_ROOT = Path(__file__).parents[2]
WORDS = [f"word{n} " for n in range(12)]
TEXT = "".join(WORDS)
# A call that takes so long hangs, on the busiest machine.
CALL_SECONDS = 120.0
THREADS = 3
TASKS = 6


class Halt(BaseException):
    """Not an Exception, like `pytest.fail`'s."""


class Failed(Exception):
    """Raised by the code that uses chatnb."""


def model(delay: float = 0.0005) -> ScriptedChatModel:
    return ScriptedChatModel([WORDS], delay=delay)


async def growing(chunks: AsyncIterator[Any]) -> AsyncGenerator[str, None]:
    """An asynchronous step, which a synchronous caller runs on the portal."""
    async for _ in chunks:
        for word in WORDS:
            async with asyncio.timeout(CALL_SECONDS):
                await asyncio.sleep(0.0005)
            yield word


async def leaving(_: object) -> str:
    sys.exit(2)


async def halting(number: int) -> int:
    await asyncio.sleep(0.001 * (number % 3))
    if number == 5:
        raise Halt
    return number


async def cancelled(_: object) -> AsyncGenerator[str, None]:
    yield "a"
    raise asyncio.CancelledError


class SyncCalls:
    """Calls of code that blocks; an interrupt may end any of them."""

    def __init__(self, replies: Replies) -> None:
        self._replies = replies

    def abandon_a_stream(self, chance: random.Random) -> None:
        """Keep the generator in a cycle, for the collector to close on whatever thread it runs."""
        try:
            for count, _ in enumerate(RunnableGenerator(growing).stream("x")):
                if count == chance.randrange(len(WORDS)):
                    raise Failed
        except Failed as error:
            error.args = (error,)

    def stream_to_the_end(self, _: random.Random) -> None:
        assert "".join(RunnableGenerator(growing).stream("x")) == TEXT
        assert "".join(chunk.text for chunk in model().stream("x")) == TEXT

    def batch(self, _: random.Random) -> None:
        def half(number: int) -> int:
            time.sleep(0.0005)
            if number % 7 == 6:
                raise ValueError(number)
            return number

        results = RunnableLambda(half).batch(
            range(40), {"max_concurrency": 8}, return_exceptions=True, progress=False
        )
        assert [n for n, result in enumerate(results) if n == result] == [
            n for n in range(40) if n % 7 != 6
        ]

    def exit_in_a_function(self, _: random.Random) -> None:
        with suppress(SystemExit):
            RunnableLambda(leaving).invoke("x")
            raise AssertionError("sys.exit in a function had no effect")
        assert RunnableLambda(halting).invoke(1) == 1

    def halt_in_a_batch(self, _: random.Random) -> None:
        with suppress(Halt):
            RunnableLambda(halting).batch(range(10), progress=False)
            raise AssertionError("a BaseException in a batch had no effect")

    def stream_branches(self, chance: random.Random) -> None:
        branches = RunnableParallel(a=model(), b=RunnableGenerator(growing), c=lambda _: "c")
        stream = branches.stream("x")
        for _ in range(chance.randrange(6)):
            next(stream)
        stream.close()  # pyright: ignore[reportAttributeAccessIssue]

    def read_a_log(self, chance: random.Random) -> None:
        chain = RunnableParallel(a=model(), b=RunnableGenerator(growing))
        for count, _ in enumerate(chain.stream_log("x")):
            if count == chance.randrange(60):
                break

    def write_a_reply(self, chance: random.Random) -> None:
        self._replies.write(chance)

    def collect(self, _: random.Random) -> None:
        gc.collect()


class AsyncCalls:
    """Calls of an event loop; each may be cancelled."""

    def __init__(self) -> None:
        self._panels = 0

    async def astream_to_the_end(self, _: random.Random) -> None:
        assert "".join([chunk.text async for chunk in model().astream("x")]) == TEXT

    async def halt_in_an_abatch(self, _: random.Random) -> None:
        with suppress(Halt):
            await RunnableLambda(halting).abatch(list(range(10)), progress=False)
            raise AssertionError("a BaseException in a batch had no effect")

    async def cancel_a_branch(self, _: random.Random) -> None:
        branches = RunnableParallel(a=model(), b=RunnableGenerator(cancelled))
        with suppress(asyncio.CancelledError):
            async for _chunk in branches.astream("x"):
                pass
            raise AssertionError("a cancelled branch had no effect")

    async def run_out_of_time(self, chance: random.Random) -> None:
        chain = model(0.002) | RunnableGenerator(growing)
        with suppress(TimeoutError):
            await asyncio.wait_for(chain.ainvoke("x"), chance.random() * 0.03)

    async def read_an_alog(self, chance: random.Random) -> None:
        log = RunnableParallel(a=model(), b=model()).astream_log("x")
        async for _ in log:
            if chance.random() < 0.05:
                break
        await log.aclose()  # pyright: ignore[reportAttributeAccessIssue]

    async def chat_in_a_panel(self, chance: random.Random) -> None:
        # As in a notebook: a panel lives on the package's loop, which a function may try to exit.
        promise = package_portal.submit(self._chat_in_a_panel(chance))
        await await_done(promise, promise.cancel)

    async def _chat_in_a_panel(self, chance: random.Random) -> None:
        self._panels += 1
        answers = [model(), leaving, RunnableLambda(halting), RunnableGenerator(growing)]
        driver = PanelDriver(chance.choice(answers), f"panel {self._panels}")
        for _ in range(3):
            await driver.send({"type": "send", "text": "Hi"})
            await asyncio.sleep(chance.random() * 0.01)
            if chance.random() < 0.5:
                await driver.send({"type": "stop"})
        await driver.controller.wait_idle()
        assert not driver.browser.state["running"]
        assert all(item["status"] != "streaming" for item in driver.browser.items)


class Replies:
    """Replies that were written, noted outside the measured memory, to be found at the end."""

    def __init__(self, store: Store, notes: Path) -> None:
        self._store = store
        self._notes = notes

    def write(self, chance: random.Random) -> None:
        conversation = Conversation(self._store.begin("chat"), store=self._store)
        conversation.add(HumanMessage("Hi"))
        status = chance.choice(["done", "failed", "stopped"])
        text, draft = "", conversation.replying()
        try:
            with draft:
                for word in WORDS[: chance.randrange(1, len(WORDS))]:
                    draft.append(AIMessageChunk(word))
                    text += word
                if status == "failed":
                    raise Failed
                if status == "stopped":
                    raise Halt
        except (Failed, Halt):
            pass
        with self._notes.open("a", encoding="utf-8") as notes:
            notes.write(f"{json.dumps([conversation.name, draft.node_id, status, text])}\n")

    def check(self, file: Path) -> int:
        """Find every reply in the file, as another process would."""
        store, expected = Store(file), self._notes.read_text(encoding="utf-8").splitlines()
        for name, node_id, status, text in map(json.loads, expected):
            node = Conversation(name, store=store).node(node_id)
            assert (node.status, node.message.text) == (status, text)
        for summary in store.summaries():
            nodes = Conversation(summary.name, store=store).nodes()
            assert all(node.status != "streaming" for node in nodes), summary.name
        store.close()
        return len(expected)


class Soak:
    """One run of everything.

    Args:
        seconds: The time to start calls for.
        seed: Decides which calls are made.
        folder: Where the conversations go.
    """

    def __init__(self, seconds: float, seed: int, folder: Path) -> None:
        self._begun = time.monotonic()
        self._deadline = self._begun + seconds
        self._seed = seed
        self.memory = list[float]()  # In MB, once a fifth of the time has passed and at the end.
        self._file = folder / "conversations.db"
        os.environ["CHATNB_STORE"] = str(self._file)
        self._sync_names = _methods(SyncCalls)
        self._async_names = _methods(AsyncCalls)
        self.made = Counter(dict.fromkeys([*self._sync_names, *self._async_names, "interrupts"], 0))
        self._failures = list[BaseException]()

    def run(self) -> int:
        """Run the calls, check what is left, and return how many replies were kept."""
        store = Store(self._file)
        replies = Replies(store, self._file.with_name("replies.jsonl"))
        sync_calls = SyncCalls(replies)
        self._call_in_turn(sync_calls)  # What is opened once and kept.
        before = _open_files()
        with _other_writer(self._file):
            threads = [
                threading.Thread(target=self._work, args=[sync_calls, number])
                for number in range(THREADS)
            ]
            threads.append(threading.Thread(target=lambda: asyncio.run(self._work_in_tasks())))
            for thread in threads:
                thread.start()
            self._work_under_interrupts(sync_calls)
            for thread in threads:
                thread.join()
        self.memory.append(_memory())
        if self._failures:
            raise self._failures[0]
        _wait_until(lambda: not _busy_threads(), lambda: f"threads are left: {_stacks()}")
        _wait_until(lambda: not _unfinished_tasks(), lambda: f"tasks: {_unfinished_tasks()}")
        store.close()
        _wait_until(lambda: not _open_files() - before, lambda: f"{_open_files() - before} left")
        return replies.check(self._file)

    def _call_in_turn(self, calls: SyncCalls) -> None:
        for name in self._sync_names:
            getattr(calls, name)(random.Random(self._seed))

    def _goes_on(self) -> bool:
        """Return whether to start another call: each kind has one, however slow the machine is."""
        now = time.monotonic()
        if not self.memory and now - self._begun > 0.2 * (self._deadline - self._begun):
            self.memory.append(_memory())
        late = now >= self._deadline and all(self.made.values())
        return not late and not self._failures

    def _work(self, calls: SyncCalls, number: int) -> None:
        chance = random.Random(self._seed * 100 + number)
        while self._goes_on():
            name = chance.choice(self._sync_names)
            try:
                getattr(calls, name)(chance)
            except BaseException as error:
                self._failures.append(error)
                error.add_note(f"in {name}")
            self.made[name] += 1

    async def _work_in_tasks(self) -> None:
        calls = AsyncCalls()
        async with asyncio.TaskGroup() as group:
            for number in range(TASKS):
                group.create_task(self._work_in_task(calls, number))

    async def _work_in_task(self, calls: AsyncCalls, number: int) -> None:
        chance = random.Random(self._seed * 1000 + number)
        while self._goes_on():
            name = chance.choice(self._async_names)
            task = asyncio.create_task(getattr(calls, name)(chance))
            if chance.random() < 0.3:
                await asyncio.sleep(chance.random() * 0.01)
                task.cancel()
            try:
                await asyncio.wait_for(asyncio.shield(task), CALL_SECONDS)
            except asyncio.CancelledError:
                pass
            except BaseException as error:
                self._failures.append(error)
                error.add_note(f"in async {name}")
            self.made[name] += 1

    def _work_under_interrupts(self, calls: SyncCalls) -> None:
        chance = random.Random(self._seed)
        while self._goes_on():
            name = chance.choice(self._sync_names)
            try:
                with _interrupt_after(chance.uniform(0.001, 0.05)):
                    getattr(calls, name)(chance)
            except KeyboardInterrupt:
                self.made["interrupts"] += 1
            except BaseException as error:
                self._failures.append(error)
                error.add_note(f"in {name}, with interrupts")
            self.made[name] += 1


def _methods(calls: type) -> list[str]:
    return [name for name in vars(calls) if not name.startswith("_")]


@contextmanager
def _interrupt_after(seconds: float) -> Iterator[None]:
    """Interrupt the block as a kernel does, if it takes longer."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, unless it would be lost or break Python's own code."""
    # `threading` and `weakref` do not survive an interrupt between two of their lines.
    if frame is not None and not frame.f_code.co_filename.startswith(str(_ROOT)):
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        return
    raise KeyboardInterrupt


_WRITER = """
import random, sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=120, isolation_level=None)
while True:
    connection.execute("BEGIN IMMEDIATE")
    time.sleep(random.choice([0.001, 0.02, 0.3]))
    connection.execute("COMMIT")
    time.sleep(0.1)
"""


@contextmanager
def _other_writer(file: Path) -> Iterator[None]:
    """Another process that keeps the file to itself, now and then."""
    process = subprocess.Popen([sys.executable, "-c", _WRITER, str(file)])
    try:
        yield
        assert process.poll() is None, "the other process ended by itself"
    finally:
        process.terminate()
        process.wait()


def _wait_until(happened: Callable[[], object], problem: Callable[[], str]) -> None:
    deadline = time.monotonic() + CALL_SECONDS
    while not happened():
        gc.collect()
        if time.monotonic() > deadline:
            raise AssertionError(problem())
        time.sleep(0.02)


def _busy_threads() -> list[str]:
    """The threads besides this one, the portal's, the finalizers' and the store's."""
    kept = Counter({"MainThread": 1, "chatnb": 1, "chatnb-finalizer": 1, "chatnb-store": 2})
    names = Counter(thread.name for thread in threading.enumerate())
    return sorted((names - kept).elements())


def _stacks() -> str:
    """The stacks of all threads, by name."""
    frames = sys._current_frames()
    return "\n\n".join(
        f"{thread.name}\n{''.join(traceback.format_stack(frames[thread.ident]))}"
        for thread in threading.enumerate()
        if thread.ident in frames
    )


def _unfinished_tasks() -> list[str]:
    tasks = [item for item in gc.get_objects() if isinstance(item, asyncio.Task)]
    return [repr(task) for task in tasks if not task.done()]


def _open_files() -> set[str]:
    return {file.path for file in psutil.Process().open_files()}


def _memory() -> float:
    gc.collect()
    return psutil.Process().memory_info().rss / 1e6


def main() -> None:
    seconds, seed = float(sys.argv[1]), int(sys.argv[2])
    faulthandler.dump_traceback_later(seconds + 2 * CALL_SECONDS, exit=True)
    signal.signal(signal.SIGALRM, _interrupt)
    sys.setswitchinterval(1e-5)
    with TemporaryDirectory() as folder:
        soak = Soak(seconds, seed, Path(folder))
        kept = soak.run()
    begun, ended = round(soak.memory[0]), round(soak.memory[-1])
    memory = {"MB after a fifth of the time": begun, "MB at the end": ended}
    print(json.dumps({"replies kept": kept, **memory, **soak.made}, indent=1))


if __name__ == "__main__":
    main()
