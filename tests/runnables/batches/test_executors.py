"""Batches on the workers of executors."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chatnb.chat_models import BaseChatModel, ChatOpenAI, ScriptedChatModel, init_chat_model
from chatnb.errors import (
    BatchError,
    BatchInterrupted,
    BudgetSpentError,
    ChatnbError,
    ConfigurationError,
    MissingKeyError,
)
from chatnb.output_parsers import StrOutputParser
from chatnb.prompts import ChatPromptTemplate
from chatnb.runnables import Runnable, RunnableConfig, RunnableLambda
from chatnb.runnables.batches.worker import Home
from chatnb.runnables.batches.worker_events import EventRecorder, replay
from chatnb.schema import AIMessage, AIMessageChunk, BaseMessage
from chatnb.tracing.usage_tracking import budget, track_usage
from tests.support.hangs import wait_until
from tests.support.killed_driver import PROMPTS
from tests.support.many_workers import Logged, Unreadable, double, oddly, process_id, unportable
from tests.support.recording_handler import Recorder


def new_pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    """Two processes that outlive a test, unlike those that tests kill."""
    with new_pool() as executor:
        yield executor


@pytest.mark.process
def test_every_method_takes_an_executor(pool: Executor) -> None:
    """The results are those of this process, in the same order, from two others."""
    numbers, runnable = list(range(50)), RunnableLambda(double)
    expected = [2 * number for number in numbers]
    assert runnable.batch(numbers, executor=pool) == expected
    assert list(runnable.map(iter(numbers), executor=pool)) == expected
    pairs = runnable.batch_as_completed((n for n in numbers), executor=pool)
    assert dict(pairs) == dict(enumerate(expected))
    assert runnable.batch([], executor=pool) == []
    where = set(RunnableLambda(process_id).batch(numbers, {"max_concurrency": 2}, executor=pool))
    assert os.getpid() not in where
    assert len(where) == 2
    with ThreadPoolExecutor(2) as threads:
        assert runnable.batch(numbers, executor=threads) == expected


@pytest.mark.process
def test_a_chain_of_a_notebook_travels(pool: Executor) -> None:
    """Functions without a module, and templates, arrive by value."""
    chain = ChatPromptTemplate.from_template("{x}") | (lambda prompt: prompt.to_string())
    found = chain.batch([{"x": "a"}, {"x": "b"}], executor=pool)
    assert [text.removeprefix("Human: ") for text in found] == ["a", "b"]


@pytest.mark.process
def test_classes_of_a_notebook_travel(pool: Executor) -> None:
    """Chat models, parsers and other runnables without a module arrive by value."""

    class Whole(BaseChatModel):
        model_name = "whole"

        def _generate(self, messages: list[BaseMessage], **_: Any) -> AIMessage:
            return AIMessage(f"whole {messages[-1].text}")

    class Streaming(Whole):
        def _stream(self, messages: list[BaseMessage], **_: Any) -> Iterator[AIMessageChunk]:
            yield AIMessageChunk(f"streamed {messages[-1].text}")

    class Shout(StrOutputParser):
        def parse(self, text: str) -> str:
            return text.upper()

    class Longer(Runnable[str, str]):
        def __init__(self, end: str) -> None:
            self.end = end

        def invoke(self, input: str, config: Any = None, **_: Any) -> str:
            return input + self.end

    class Own(ChatOpenAI):
        def __init__(self, prefix: str) -> None:
            super().__init__("m", api_key="k")
            self.prefix = prefix

        def invoke(self, input: Any, config: Any = None, **_: Any) -> AIMessage:
            return AIMessage(f"{self.prefix} {input}")

    found = (Whole() | Shout() | Longer("!")).batch(["a"], executor=pool)
    assert found == ["WHOLE A!"]
    assert [reply.text for reply in Streaming().batch(["a"], executor=pool)] == ["whole a"]
    result = Streaming().generate([["a"]], executor=pool)
    assert result.generations[0][0].text == "whole a"
    assert [reply.text for reply in Own("own").batch(["a"], executor=pool)] == ["own a"]


@pytest.mark.process
def test_failures_come_home(pool: Executor) -> None:
    """They are in the list or in the error of the batch, which keeps the other results."""
    runnable = RunnableLambda(double)
    found = runnable.batch([1, -1, 3], executor=pool, return_exceptions=True)
    assert found[0::2] == [2, 6]
    assert isinstance(found[1], ValueError)
    with pytest.raises(ValueError, match="-1 is negative") as raised:
        runnable.batch([1, 2, -1], {"max_concurrency": 1}, executor=pool)
    error = raised.value
    assert isinstance(error, BatchError)
    assert {*error.results, *error.failures, *error.remaining} == {0, 1, 2}
    assert list(error.failures) == [2]


@pytest.mark.process
def test_what_cannot_travel_is_an_error_of_its_input(pool: Executor) -> None:
    """Neither an output nor an exception that cannot be pickled fails the others."""
    found = RunnableLambda(unportable).batch([0, 1, 2], executor=pool, return_exceptions=True)
    assert found[0] == 0
    assert all(isinstance(error, ConfigurationError) for error in found[1:])
    [error] = RunnableLambda(oddly).batch([3], executor=pool, return_exceptions=True)
    assert "3: odd" in str(error)


@pytest.mark.process
def test_what_cannot_be_sent_is_refused(pool: Executor) -> None:
    """The error says what to do, before any worker runs."""
    lock = threading.Lock()
    with pytest.raises(ConfigurationError, match="cannot be sent to other processes"):
        RunnableLambda(lambda _: lock).batch([1], executor=pool)
    with pytest.raises(TypeError, match=r"executor= takes a concurrent\.futures\.Executor"):
        RunnableLambda(double).batch([1], executor="dask")  # pyright: ignore[reportCallIssue, reportArgumentType]
    with pytest.raises(TypeError, match="one config for all"):
        RunnableLambda(double).batch([1, 2], [{}, {}], executor=pool)


@pytest.mark.parametrize("refuses", [False, True])
def test_an_executor_whose_scheduler_is_gone_is_not_waited_for(refuses: bool) -> None:
    """The futures of Dask stay as they are once its client has given up, and it takes no more; a
    cancellation of one would only log the error that nobody is there to be told."""
    futures = list[Future[Any]]()

    class Lost(Executor):
        _client = SimpleNamespace(status="closed", nthreads=lambda: {"worker": 2})

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            if refuses:
                raise RuntimeError("Client is closed.")
            futures.append(Future())
            return futures[-1]

    with pytest.raises(ChatnbError, match="connection to the scheduler of the executor is lost"):
        RunnableLambda(double).batch([1, 2], executor=Lost())
    assert not any(future.cancelled() for future in futures)


@pytest.mark.process
def test_usage_and_results_come_home(pool: Executor, tmp_path: Path) -> None:
    """The calls of workers count here, in the order of the inputs; `generate` has its table."""
    chat = Logged(tmp_path / "log")
    with track_usage() as tracker:
        chat.batch(["b", "a", "c"], executor=pool)
    assert [call.prompt for call in tracker.calls] == ["b", "a", "c"]
    result = chat.generate([["a"], ["b"]], executor=pool)
    assert [some[0].text for some in result.generations] == ["reply to a", "reply to b"]
    assert result.calls is not None
    assert [call.prompt for call in result.calls] == ["a", "b"]
    assert result.llm_output is not None
    assert result.llm_output["token_usage"]["total_tokens"] == 6


@pytest.mark.process
def test_budgets_count_the_calls_of_workers(pool: Executor, tmp_path: Path) -> None:
    """No part is sent once the budget is spent, and a part ends when its share is."""
    prompts, one = [f"p{n}" for n in range(60)], RunnableConfig(max_concurrency=1)
    with budget(tokens=30) as allowed, pytest.raises(BudgetSpentError) as raised:
        Logged(tmp_path / "log").batch(prompts, one, executor=pool)
    assert 30 <= allowed.spent_tokens <= 45
    error = raised.value
    assert isinstance(error, BatchError)
    assert 3 * len(error.results) == allowed.spent_tokens


def test_parts_wait_for_a_share_of_the_budget() -> None:
    """A part is sent once: not while those that run hold the whole budget, to be given back."""

    class Counting(ThreadPoolExecutor):
        parts = 0

        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            self.parts += 1
            return super().submit(fn, *args, **kwargs)

    none: Any = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    model = ScriptedChatModel([AIMessage("free", usage_metadata=none)] * 20, delay=0.02)
    prompts = [f"p{n}" for n in range(20)]
    sent = list[int]()
    for tokens in (1, 1000):
        with Counting(2) as executor, budget(tokens=tokens):
            replies = model.batch(prompts, {"max_concurrency": 1}, executor=executor)
        assert [reply.text for reply in replies] == ["free"] * 20
        sent.append(executor.parts)
    assert sent[0] == sent[1]


@pytest.mark.process
def test_handlers_get_the_events_of_workers(pool: Executor, tmp_path: Path) -> None:
    """Each run starts and ends, below the run that it was part of."""
    handler = Recorder()
    chain = RunnableLambda(double) | RunnableLambda(double)
    config: RunnableConfig = {"callbacks": [handler], "tags": ["t"], "metadata": {"m": 1}}
    chain.batch([1, 2], config, executor=pool)
    starts = [run for event, run, _ in handler.told if event == "start"]
    ends = [run for event, run, _ in handler.told if event == "end"]
    assert Counter(run.name for run in starts) == {"RunnableSequence": 2, "double": 4}
    assert {run.id for run in starts} == {run.id for run in ends}
    assert all("t" in run.tags and run.metadata["m"] == 1 for run in starts)
    assert {run.parent.name for run in starts if run.parent} == {"RunnableSequence"}
    assert sorted(run.output["output"] for run in ends if not run.parent) == [4, 8]


def test_events_of_tokens_do_not_have_the_whole_run() -> None:
    """A run with a long input costs its size once at the start and once at the end."""
    worker, here, prompt = EventRecorder(), Recorder(), "long " * 20_000
    chat = ScriptedChatModel(["One two three four five six seven eight."])
    assert len(list(chat.stream(prompt, {"callbacks": [worker]}))) > 5
    names = [event.name for event in worker.events]
    assert names[0] == "on_start"
    assert names.count("on_token") > 5
    assert sum(len(event.pickled) for event in worker.events) < 3 * len(prompt)
    replay(worker.events, {"callbacks": [here]})
    assert [f"on_{name}" for name, _, _ in here.told] == names
    [run] = {run.id: run for _, run, _ in here.told}.values()
    assert run.first_token_time is not None
    assert prompt in str(run.inputs)


@pytest.mark.process
def test_a_rate_limit_loses_nothing(pool: Executor, tmp_path: Path) -> None:
    """A call that met it is made again, and no other is."""
    chat = Logged(tmp_path / "log")
    prompts = [f"p{n}" for n in range(10)] + ["limit"]
    found = chat.batch(prompts, {"max_concurrency": 2}, executor=pool)
    assert [reply.text for reply in found] == [f"reply to {prompt}" for prompt in prompts]
    assert Counter(chat.log.read_text().split()) == {**dict.fromkeys(prompts, 1), "limit": 2}


@pytest.mark.slow
def test_workers_that_die_cost_their_unfinished_calls(tmp_path: Path) -> None:
    """With a checkpoint the replies that had arrived are not requested again."""
    chat, dying = Logged(tmp_path / "log"), "die 2"
    prompts = [*(f"p{n}" for n in range(12)), dying, "p0", "p0"]
    with new_pool() as pool:
        found = chat.batch(
            prompts, {"max_concurrency": 4}, executor=pool, checkpoint=tmp_path / "run.sqlite"
        )
    assert [reply.text for reply in found] == [f"reply to {prompt}" for prompt in prompts]
    made = Counter(chat.log.read_text().splitlines())
    assert made[dying] == 3
    assert made["p0"] == 3
    assert all(made[prompt] == 1 for prompt in prompts[1:12])


@pytest.mark.slow
def test_an_input_that_kills_every_worker_fails(tmp_path: Path) -> None:
    """It is given up after three of them; other parts get their results."""
    chat = Logged(tmp_path / "log")
    prompts = [*(f"p{n}" for n in range(9)), "die 99"]
    with new_pool() as pool:
        found = chat.batch(prompts, {"max_concurrency": 1}, executor=pool, return_exceptions=True)
    assert "3 workers died" in str(found[-1])
    replies = [reply.text for reply in found if isinstance(reply, AIMessage)]
    assert replies[:3] == ["reply to p0", "reply to p1", "reply to p2"]


@pytest.mark.process
def test_a_checkpoint_serves_all_workers(pool: Executor, tmp_path: Path) -> None:
    """The next attempt takes what any worker had requested; equal prompts stay apart."""
    chat, path = Logged(tmp_path / "log"), tmp_path / "run.sqlite"
    first, second = ["a", "b", "a", "c"], ["a", "b", "a", "a", "c", "d"]
    one: RunnableConfig = {"max_concurrency": 1}
    chat.batch(first, one, executor=pool, checkpoint=path)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM answers").fetchone() == (4,)
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        assert tables.fetchall() == [("answers",)]
    chat.batch(second, one, executor=pool, checkpoint=path)
    assert Counter(chat.log.read_text().split()) == Counter(second)
    found = (chat | StrOutputParser()).batch(second, one, checkpoint=path)
    assert found == [f"reply to {prompt}" for prompt in second]
    assert Counter(chat.log.read_text().split()) == Counter(second)


@pytest.mark.slow
def test_replies_outlive_the_process_that_hands_out_the_inputs(tmp_path: Path) -> None:
    """Its workers keep the replies of the calls that are under way, which are not made again."""
    log, path, workers = (tmp_path / name for name in ("log", "run.sqlite", "workers"))
    command = [sys.executable, "-m", "tests.support.killed_driver", str(tmp_path)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[3], stderr=subprocess.DEVNULL) as run:
        wait_until(lambda: log.exists() and len(log.read_text().splitlines()) >= 5)
        run.kill()
    kept = list[str]()

    def all_are_kept() -> bool:
        kept[:] = log.read_text().splitlines()
        with closing(sqlite3.connect(path)) as database:
            return database.execute("SELECT count(*) FROM answers").fetchone() == (len(kept),)

    wait_until(all_are_kept)
    wait_until(lambda: not folders_of(run.pid))
    for process in workers.read_text().split():
        with suppress(ProcessLookupError):  # Where all replies came before the driver was killed.
            os.kill(int(process), signal.SIGKILL)
    with new_pool() as pool:
        Logged(log).batch(PROMPTS, executor=pool, checkpoint=path)
    made = Counter(log.read_text().splitlines())
    assert set(made) == set(PROMPTS)
    assert all(made[prompt] == 1 for prompt in kept)


@pytest.mark.process
def test_an_interrupt_ends_the_calls_of_workers(tmp_path: Path) -> None:
    """Ctrl-C raises a BatchInterrupted with the results so far, and workers start no more."""
    chat = Logged(tmp_path / "log")
    prompts = ["a", "b", *(f"wait {n}" for n in range(40))]
    noted = threading.Thread(target=lambda: _interrupt_once_waiting(chat.log), daemon=True)
    with new_pool() as pool:
        noted.start()
        with pytest.raises(BatchInterrupted) as raised:
            chat.batch(prompts, {"max_concurrency": 1}, executor=pool)
        processes = list(pool._processes.values())
        noted.join(60)
        before = chat.log.read_text()
        drop_cancelled(pool)
        for process in processes:
            process.kill()
    assert len(raised.value.remaining) >= 40
    assert chat.log.read_text() == before


def folders_of(process: int) -> list[Path]:
    """Return the folders in which a process told its workers to go on or to stop."""
    return [*Path(tempfile.gettempdir()).glob(f"chatnb-batch-*-{process}-*")]


OPEN_FOLDER = "from chatnb.runnables.batches.worker import Home; print(Home.open().folder)"
OF_MACHINE = f"import socket; socket.gethostname = lambda: MACHINE; {OPEN_FOLDER}"


@pytest.mark.slow
@pytest.mark.parametrize("machine", ["elsewhere", f"{socket.gethostname()}-0"])
def test_folders_of_other_machines_are_left_alone(machine: str) -> None:
    """Processes of a machine or container that shares the temporary folder are not seen here."""
    code = f"MACHINE = {machine!r}; {OF_MACHINE}"
    theirs = Path(subprocess.check_output([sys.executable, "-c", code], text=True).strip())
    with closing(Home.open()):
        assert theirs.is_dir()
    theirs.rmdir()


@pytest.mark.process
def test_folders_of_processes_that_died_are_removed(pool: Executor) -> None:
    """By the next batch of any process, where workers died as well; it leaves none of its own."""
    with subprocess.Popen([sys.executable, "-c", OPEN_FOLDER], stdout=subprocess.PIPE) as ended:
        left = Path(ended.communicate()[0].decode().strip())
    assert left.is_dir()
    assert RunnableLambda(double).batch([1], executor=pool) == [2]
    assert not left.exists()
    lock = threading.Lock()
    with pytest.raises(ConfigurationError, match="cannot be sent"):
        RunnableLambda(lambda _: lock).batch([1], executor=pool)
    assert not folders_of(os.getpid())


@pytest.mark.process
def test_an_input_that_cannot_travel_fails_by_itself(pool: Executor) -> None:
    """It fails where it is pickled or read; the other inputs have their outputs."""
    inputs = [1, threading.Lock(), Unreadable(), 4]
    outputs = RunnableLambda(double).batch(inputs, executor=pool, return_exceptions=True)
    assert outputs[0] == 2
    assert outputs[3] == 8
    assert "cannot be sent to another process" in str(outputs[1])
    assert "cannot read the input: LookupError" in str(outputs[2])
    with pytest.raises(ConfigurationError, match="cannot be sent to another process") as raised:
        RunnableLambda(double).batch(inputs[:2], executor=pool)
    assert isinstance(raised.value, BatchError)


def drop_cancelled(pool: ProcessPoolExecutor) -> None:
    """Have a pool forget its cancelled futures: Python 3.11 fails on them once a worker dies."""
    manager: Any = pool._executor_manager_thread
    pool.shutdown(wait=False, cancel_futures=True)

    def are_dropped() -> bool:
        return not any(item.future.cancelled() for item in [*manager.pending_work_items.values()])

    wait_until(are_dropped)


def _interrupt_once_waiting(log: Path) -> None:
    wait_until(lambda: log.exists() and "wait" in log.read_text())
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


@pytest.mark.slow
def test_keys_stay_here_unless_they_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle has no key; the other process has its own, or the error says what to do."""
    from chatnb.concurrency.pickling import dumps

    for chat in (
        ChatOpenAI("m", api_key="sk-very-secret"),
        init_chat_model("anthropic:m", api_key="sk-very-secret"),
        init_chat_model("groq:m", api_key="sk-very-secret"),
        ChatOpenAI("m", api_key="sk-very-secret") | StrOutputParser(),
    ):
        for pickled in (pickle.dumps(chat), dumps(chat)):
            assert b"sk-very-secret" not in pickled
        assert b"sk-very-secret" in dumps(chat, send_keys=True)
    pickled = pickle.dumps(ChatOpenAI("m", api_key="sk-very-secret"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-worker")
    assert pickle.loads(pickled).openai_api_key.get_secret_value() == "sk-of-the-worker"
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(
        MissingKeyError, match=r"leave keys out\. Set OPENAI_API_KEY .* with send_keys"
    ):
        pickle.loads(pickled).invoke("Hi")
