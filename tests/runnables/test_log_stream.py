"""The log of a run, as it is written while it is read."""

from __future__ import annotations

import _thread
import asyncio
import gc
import logging
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import jsonpatch
import pytest

from chatnb.chat_models import ChatOpenAI, ScriptedChatModel
from chatnb.concurrency.portal import package_portal
from chatnb.output_parsers import StrOutputParser
from chatnb.runnables import Runnable, RunnableLambda, RunnableParallel, RunnablePassthrough
from chatnb.runnables.log_stream import MAX_UNREAD
from chatnb.schema import AIMessageChunk, RunLog, RunLogPatch
from chatnb.tracing import Run
from chatnb.tracing.log_writer import LogWriter, Selection
from tests.support.hangs import ends, is_waiting
from tests.support.loopback import LoopbackServer, endless
from tests.support.recording_handler import Recorder, until

USAGE: Any = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}


def astream_log(runnable: Any, value: Any, config: Any = None, **selected: Any) -> list[Any]:
    async def read() -> list[Any]:
        async with aclosing(runnable.astream_log(value, config, **selected)) as patches:
            return [patch async for patch in patches]

    return asyncio.run(read())


def stream_log(runnable: Any, value: Any, config: Any = None, **selected: Any) -> list[Any]:
    return list(runnable.stream_log(value, config, **selected))


def stream_log_in_a_loop(
    runnable: Any, value: Any, config: Any = None, **selected: Any
) -> list[Any]:
    async def cell() -> list[Any]:
        return stream_log(runnable, value, config, **selected)

    return asyncio.run(cell())


each_way = pytest.mark.parametrize("log", [astream_log, stream_log, stream_log_in_a_loop])


def paths(patches: list[RunLogPatch]) -> list[tuple[str, ...]]:
    return [tuple(f"{op['op']} {op['path']}" for op in patch.ops) for patch in patches]


def state(patches: list[RunLogPatch]) -> Any:
    log: Any = sum(patches, RunLog())
    return log.state


def chat(*responses: Any) -> ScriptedChatModel:
    return ScriptedChatModel(list(responses) or [["Hel", "lo."]], usage=[USAGE])


class Step(Runnable[Any, Any]):
    """A passthrough, on the loop or on a thread as it is called."""

    in_place = True

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        return input


CHAIN_OPS = [
    ("replace ",),
    ("add /logs/ScriptedChatModel",),
    ("add /logs/ScriptedChatModel/streamed_output_str/-",),
    ("add /logs/StrOutputParser",),
    ("add /streamed_output/-",),
    ("add /logs/ScriptedChatModel/streamed_output_str/-",),
    ("add /streamed_output/-",),
]


@each_way
def test_the_log_of_a_model(log: Any) -> None:
    """The patches carry its state, chunks and result; other metadata is beside them."""
    first, *chunks, last = log(chat(["Hel", "lo."]), "Hi", {"tags": ["t"], "run_name": "mine"})
    assert first.ops[0]["path"] == ""
    empty = {"streamed_output": [], "final_output": None, "logs": {}}
    assert {**first.ops[0]["value"], "id": None} == {"id": None, **empty}
    assert first.root["name"] == "mine"
    assert (first.root["type"], first.root["tags"], first.root["inputs"]) == ("llm", ["t"], "Hi")
    assert {op["path"] for chunk in chunks for op in chunk.ops} == {"/streamed_output/-"}
    assert "".join(c.ops[0]["value"].text for c in chunks) == "Hello."
    assert [op["path"] for op in last.ops] == ["/final_output"]
    assert last.ops[0]["value"]["generations"][0][0]["text"] == "Hello."
    assert last.root["usage_metadata"] == USAGE
    assert last.root["first_token_time"] <= last.root["end_time"]
    assert first.time <= chunks[0].time <= last.time


@each_way
def test_the_log_of_a_chain(log: Any) -> None:
    """Entries when runs start, tokens and chunks as they come, ends from the first to the last."""
    patches = log(chat() | StrOutputParser(), "Hi", {"metadata": {"k": 1}})
    assert paths(patches)[:7] == CHAIN_OPS
    model_end, parser_end, end = [p for p in paths(patches) if "final_output" in p[0]]
    model = "add /logs/ScriptedChatModel/"
    assert model_end == tuple(
        model + name for name in ("final_output", "end_time", "first_token_time", "usage_metadata")
    )
    assert parser_end[:2] == (
        "add /logs/StrOutputParser/final_output", "add /logs/StrOutputParser/end_time",
    )  # fmt: skip
    assert end == ("replace /final_output",)
    logged = state(patches)
    entry = logged["logs"]["ScriptedChatModel"]
    assert list(entry)[:9] == [
        "id", "name", "type", "tags", "metadata", "start_time", "streamed_output_str",
        "final_output", "end_time",
    ]  # fmt: skip
    assert entry["parent_id"] == logged["id"]
    assert (entry["inputs"], entry["metadata"]["k"], entry["type"]) == ("Hi", 1, "llm")
    assert "".join(entry["streamed_output_str"]) == "Hello."
    assert "".join(logged["streamed_output"]) == "Hello."
    assert logged["final_output"] == {"output": "Hello."}
    assert logged["logs"]["StrOutputParser"]["inputs"].text == "Hello."


@each_way
def test_states_are_the_sums_of_the_patches(log: Any) -> None:
    """diff=False yields the sums of the patches, and no state changes after it was yielded."""
    seen = list[Any]()
    chain = chat() | StrOutputParser()
    fixed = {"run_id": "r"}
    for given in log(chain, "Hi", fixed, diff=False):
        seen.append((given, len(given.state["streamed_output"]), len(given.state["logs"])))
    assert [
        (len(given.state["streamed_output"]), len(given.state["logs"])) for given, _, _ in seen
    ] == [(chunks, entries) for _, chunks, entries in seen]
    patches = log(chain, "Hi", fixed)
    sums = [sum(patches[: n + 1], RunLog()) for n in range(len(patches))]
    assert [shape(each.state) for each in sums] == [shape(given.state) for given, _, _ in seen]


def shape(logged: Any) -> Any:
    """Return a state without times and ids."""
    entries = {
        key: {k: v for k, v in entry.items() if k != "id" and not k.endswith("time")}
        for key, entry in logged["logs"].items()
    }
    return {**logged, "logs": entries}


@each_way
def test_the_reference_applies_the_patches_alike(log: Any) -> None:
    """jsonpatch arrives at the same state, odd names and repeated ones included."""
    odd = Step("a/b~c") | Step("~1") | Step("a/b~c") | Step("") | Step("a/b~c:2") | Step("a/b~c")
    patches = log(odd | RunnableParallel(x=Step("x"), y=chat()), "Hi")
    doc: Any = None
    for patch in patches:
        doc = jsonpatch.apply_patch(doc, patch.ops)
    assert doc == state(patches)
    names = [key for key in doc["logs"] if key.startswith("a/b~c")]
    assert names == ["a/b~c", "a/b~c:2", "a/b~c:2:2", "a/b~c:3"]


EVERY = {"out", "middle", "RunnableSequence", "low", "ScriptedChatModel"}
NESTED = Step("out") | RunnableLambda(lambda _: Step("low") | chat(), name="middle")


@each_way
@pytest.mark.parametrize(
    ("selected", "kept"),
    [
        ({"include_names": ["low"]}, {"low"}),
        ({"include_types": ["llm"]}, {"ScriptedChatModel"}),
        ({"include_types": ["llm"], "include_names": ["out"]}, {"ScriptedChatModel", "out"}),
        (
            {"include_tags": ["t"]},
            {"out", "middle", "RunnableSequence", "low", "ScriptedChatModel"},
        ),
        ({"include_tags": ["u"]}, set[str]()),
        ({"exclude_names": ["middle", "RunnableSequence"]}, {"out", "low", "ScriptedChatModel"}),
        ({"exclude_types": ["chain"]}, {"ScriptedChatModel"}),
        ({"exclude_tags": ["t"]}, set[str]()),
        ({"include_names": ["out", "low"], "exclude_names": ["out"]}, {"low"}),
    ],
)
def test_runs_are_selected(log: Any, selected: Any, kept: set[str]) -> None:
    """Names, types and tags select; the parent is the nearest selected run."""
    logged = state(log(NESTED, "x", {"tags": ["t"]}, **selected))
    assert set(logged["logs"]) == kept
    above = {"out": ["root"], "middle": ["root"], "RunnableSequence": ["middle", "root"]}
    ids = {"root": logged["id"], **{key: entry["id"] for key, entry in logged["logs"].items()}}
    for key, entry in logged["logs"].items():
        ancestors = above.get(key, ["RunnableSequence", "middle", "root"])
        nearest = next(name for name in ancestors if name in ids)
        assert entry["parent_id"] == ids[nearest]
        assert entry["end_time"]


@each_way
def test_the_attempts_are_in_the_log(log: Any) -> None:
    """Each has its own entry; the failure of the first is in it."""
    chain = chat(ValueError("busy"), "Hello.").with_retry(wait_exponential_jitter=False)
    logged = state(log(chain | StrOutputParser(), "Hi"))["logs"]
    assert [key for key in logged if key.startswith("Scripted")] == [
        "ScriptedChatModel", "ScriptedChatModel:2",
    ]  # fmt: skip
    failed = logged["ScriptedChatModel"]
    assert failed["parent_id"] == logged["RunnableRetry"]["id"]
    assert (failed["error"]["message"], failed["error"]["stopped"]) == ("busy", False)
    assert logged["ScriptedChatModel:2"]["error"] is None


@pytest.mark.parametrize("in_loop", [None, False, True])
def test_a_failure_ends_the_log_and_is_raised(in_loop: bool | None) -> None:
    """The output so far is in the entry and in the root, which is the last patch."""
    chain = chat(["Hel", "lo", ValueError("torn")]) | StrOutputParser()
    patches = list[Any]()

    async def aread() -> None:
        async for patch in chain.astream_log("Hi"):
            patches.append(patch)

    def read() -> None:
        for patch in chain.stream_log("Hi"):
            patches.append(patch)

    async def cell() -> None:
        read()

    ways: dict[Any, Any] = {None: lambda: asyncio.run(aread()), False: read}
    with pytest.raises(ValueError, match="torn"):
        ways.get(in_loop, lambda: asyncio.run(cell()))()
    logged = state(patches)
    assert logged["final_output"] == {"output": "Hello"}
    assert (logged["error"]["type"], logged["error"]["stopped"]) == ("ValueError", False)
    model = logged["logs"]["ScriptedChatModel"]
    assert model["final_output"]["generations"][0][0]["text"] == "Hello"
    assert model["error"]["message"] == "torn"
    assert paths(patches)[-1] == ("replace /final_output", "add /error")


@each_way
def test_the_config_of_the_caller_is_untouched(log: Any) -> None:
    """Its lists included."""
    told = Recorder()
    config: Any = {"callbacks": [told], "tags": ["t"], "metadata": {}}
    log(chat() | StrOutputParser(), "Hi", config)
    assert config == {"callbacks": [told], "tags": ["t"], "metadata": {}}
    assert told.ends_each_run_once()


def within(work: Callable[[], Any], seconds: float = 20) -> Any:
    """Return what `work` returns on a thread, or fail if that takes too long."""
    done = list[Any]()
    thread = threading.Thread(target=lambda: done.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert done, "it hangs"
    return done[0]


class Gated:
    """A source that counts its chunks."""

    def __init__(self) -> None:
        self.produced = 0


def run_ahead(kind: str, gated: Gated, total: int) -> Runnable[Any, Any]:
    class OnThread(Runnable[Any, Any]):
        def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[Any]:
            for _ in range(total):
                gated.produced += 1
                yield "a"

    class OnLoop(Runnable[Any, Any]):
        async def astream(
            self, input: Any, config: Any = None, **kwargs: Any
        ) -> AsyncGenerator[Any, None]:
            for _ in range(total):
                gated.produced += 1
                yield "a"

    class Model(ScriptedChatModel):
        def _stream(self, *args: Any, **kwargs: Any) -> Any:
            for _ in range(total):
                gated.produced += 1
                yield AIMessageChunk("a")

    kinds: dict[str, Any] = {
        "thread": OnThread(),
        "loop": OnLoop(),
        "model": RunnableLambda(lambda _: Model(["a"]).invoke("x")),
        "function": RunnableLambda(lambda _: [*OnThread().stream("x")]) | Step(),
        "tokens": RunnableLambda(lambda _: len([*Model(["a"]).stream("x")])),
    }
    return kinds[kind]


async def until_it_waits(gated: Gated) -> None:
    """Wait until the source is ahead of its reader and stands still."""
    await until(lambda: gated.produced > MAX_UNREAD // 2)
    before = 0
    while before != gated.produced:
        before = gated.produced
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("kind", ["thread", "loop"])
def test_a_slow_reader_slows_the_run(kind: str) -> None:
    """The unread patches are limited, and the reader gets all of them."""
    gated, total = Gated(), 5 * MAX_UNREAD

    async def read() -> int:
        patches, ahead = 0, 0
        async for _ in run_ahead(kind, gated, total).astream_log("x"):
            patches += 1
            if patches == 1:
                await until_it_waits(gated)
            ahead = max(ahead, gated.produced - patches)
        assert patches >= total
        return ahead

    assert MAX_UNREAD // 2 < asyncio.run(read()) < 2 * MAX_UNREAD


def test_unread_tokens_of_a_run_are_joined() -> None:
    """A model within the run ends while nobody reads; its tokens come in few patches, all there."""
    gated, total = Gated(), 5 * MAX_UNREAD

    async def read() -> list[RunLogPatch]:
        patches = list[RunLogPatch]()
        async for patch in run_ahead("tokens", gated, total).astream_log("x"):
            patches.append(patch)
            if len(patches) == 1:
                await until(lambda: gated.produced == total)
        return patches

    patches = asyncio.run(read())
    assert len(patches) < MAX_UNREAD + 8
    [model] = [e for e in state(patches)["logs"].values() if e["type"] == "llm"]
    assert "".join(model["streamed_output_str"]) == "a" * total
    assert model["final_output"]["generations"][0][0]["text"] == "a" * total


def test_a_branch_never_waits_for_the_reader_under_a_lock() -> None:
    """A model that runs under a lock ends, though the reader waits for that lock."""
    lock, begun = threading.Lock(), threading.Event()
    tokens = run_ahead("tokens", Gated(), 3 * MAX_UNREAD)

    def locked(_: str) -> int:
        with lock:
            begun.set()
            return tokens.invoke("x")

    def read() -> Any:
        patches = list[RunLogPatch]()
        for patch in RunnableParallel(a=locked, b=Step()).stream_log("x"):
            patches.append(patch)
            assert begun.wait(60)
            with lock:
                pass
        return state(patches)["final_output"]

    assert within(read) == {"output": {"a": 3 * MAX_UNREAD, "b": "x"}}


def test_the_end_of_the_root_is_last_when_the_reader_is_slow() -> None:
    """Patches of branches that outlive the logged run do not come after its end."""
    told, gated, failing = Recorder(), Gated(), threading.Event()

    def goes_on(_: str) -> int:
        return run_ahead("tokens", gated, 2 * MAX_UNREAD).invoke("x")

    def fail(_: str) -> None:
        failing.wait(60)
        raise ValueError("no")

    async def read() -> None:
        branches = RunnableParallel(a=goes_on, b=goes_on, c=goes_on, d=fail)
        chain = RunnableLambda(branches.invoke)
        async for patch in chain.astream_log("x", {"callbacks": [told]}):
            patches.append(patch)
            if len(patches) == 1:
                await until_it_waits(gated)
                failing.set()
                await until(lambda: ("error", "fail") in told.events())
                await until_it_waits(gated)
            await asyncio.sleep(0)

    patches = list[RunLogPatch]()
    with pytest.raises(ValueError, match="no"):
        asyncio.run(read())
    assert paths(patches)[-1] == ("replace /final_output", "add /error")
    assert told.wait_until_ended()


def test_many_runs_of_one_name_cost_no_more_each() -> None:
    """The name of the last of ten thousand runs is found as fast as that of the first."""

    class CountedName(str):
        """A name that counts how often others are made of it."""

        __slots__ = ()
        made = 0

        def __format__(self, spec: str) -> str:
            CountedName.made += 1
            return str(self)

    writer, start = LogWriter("r", Selection()), datetime.now(UTC)
    for number in range(1_000):
        writer.start(Run(str(number), CountedName("same"), "chain", start))
    assert CountedName.made < 2_000


def test_synchronous_code_on_the_loop_of_the_reader_goes_on() -> None:
    """It and the threads it waits for must not wait for the reader, which could not run."""
    total = 2 * MAX_UNREAD

    async def steps(_: str) -> int:
        return len([Step().invoke(number) for number in range(total)])

    async def threads(_: str) -> int:
        return len(chat("a").batch(["x"] * total))

    async def other_loop(_: str) -> int:
        class Tokens(Runnable[Any, Any]):
            async def ainvoke(self, input: Any, config: Any = None, **kwargs: Any) -> int:
                return len([await Step().ainvoke(number) for number in range(total)])

        return Tokens().invoke("x")

    for func in (steps, threads, other_loop):
        logged = state(astream_log(RunnableLambda(func), "x"))
        assert logged["final_output"] == {"output": total}
        assert len(logged["logs"]) >= total


def test_break_closes_the_connection(loopback: LoopbackServer) -> None:
    """At once, with a bare break; no task and no thread is left, and the runs end as stopped."""
    loopback.plays(endless())
    told = Recorder()
    model = ChatOpenAI(base_url=loopback.base_url, api_key="k", model="m")
    chain = model | StrOutputParser() | RunnablePassthrough()
    threads = threading.active_count()

    async def read() -> None:
        async for patch in chain.astream_log("Hi", {"callbacks": [told]}):
            if patch.ops[0]["path"] == "/streamed_output/-":
                break
        await until(lambda: len(asyncio.all_tasks()) == 1)
        assert await asyncio.to_thread(loopback.exchanges[0].closed.wait, 60)
        await asyncio.get_running_loop().shutdown_default_executor()

    asyncio.run(read())
    assert threading.active_count() == threads
    assert told.ends_each_run_once()
    assert all(run.error and run.error["stopped"] for run in told.runs())


@pytest.mark.parametrize("in_loop", [False, True])
def test_closing_stream_log_closes_the_connection(loopback: LoopbackServer, in_loop: bool) -> None:
    """In plain code and inside a running loop."""
    loopback.plays(endless())
    told = Recorder()
    model = ChatOpenAI(base_url=loopback.base_url, api_key="k", model="m")

    def read() -> None:
        patches: Any = (model | StrOutputParser()).stream_log("Hi", {"callbacks": [told]})
        for patch in patches:
            if patch.ops[0]["path"] == "/streamed_output/-":
                break
        patches.close()
        assert loopback.exchanges[0].closed.wait(60)

    async def cell() -> None:
        read()

    asyncio.run(cell()) if in_loop else read()
    assert told.ends_each_run_once()
    assert all(run.error and run.error["stopped"] for run in told.runs())


@pytest.mark.parametrize("diff", [True, False])
def test_an_interrupt_is_raised_after_the_last_patches(diff: bool) -> None:
    """A synchronous reader of a log gets the end of each run that Ctrl-C stops."""
    waiting, main = threading.Event(), threading.get_ident()

    class Endless(ScriptedChatModel):
        async def _astream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
            yield AIMessageChunk("Half")
            waiting.set()
            await asyncio.Event().wait()

    def interrupt() -> None:
        assert waiting.wait(60)
        while len(read) < len(CHAIN_OPS[:5]) or not is_waiting(sys._current_frames()[main]):
            time.sleep(0.001)
        _thread.interrupt_main()

    def read_all() -> None:
        for each in (Endless(["x"]) | StrOutputParser()).stream_log("Hi", diff=diff):
            read.append(each)

    read = list[Any]()
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        read_all()
    logged = state(read) if diff else read[-1].state
    assert logged["error"]["stopped"] is True
    assert logged["final_output"] == {"output": "Half"}
    assert [entry["error"]["stopped"] for entry in logged["logs"].values()] == [True, True]


def test_an_interrupt_may_come_before_the_run_begins() -> None:
    """The log ends though its run never began, and the interrupt is raised."""

    def interrupt(_frame: object, event: str, called: Any) -> None:
        if event == "c_call" and getattr(called, "__name__", "") == "get" and waits():
            sys.setprofile(None)
            raise KeyboardInterrupt

    def waits() -> bool:
        return is_waiting(sys._getframe(2))

    def read() -> None:
        log = RunnableLambda(len).stream_log("abc")
        package_portal.run(block())
        sys.setprofile(interrupt)  # Of this thread.
        try:
            list(log)
        finally:
            sys.setprofile(None)

    async def block() -> None:
        asyncio.get_running_loop().call_soon(time.sleep, 0.05)

    with pytest.raises(KeyboardInterrupt):
        ends(read)


def test_a_run_on_a_thread_ends_when_the_reader_stops() -> None:
    """The thread is gone once its step is over, though the buffer was full."""
    told, gated = Recorder(), Gated()
    threads = threading.active_count()

    async def read() -> None:
        source = run_ahead("thread", gated, 10**9)
        async with aclosing(source.astream_log("x", {"callbacks": [told]})) as patches:
            await anext(patches)
            await until_it_waits(gated)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(read())
    assert told.wait_until_ended()
    assert told.ends_each_run_once()
    for thread in threading.enumerate():
        if thread.name == "chatnb-call":
            thread.join(60)
    assert threading.active_count() <= threads


def test_who_stops_reading_a_run_that_failed_hears_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """asyncio does not complain of a failure that was never retrieved."""

    async def fail(_: str) -> str:
        raise ValueError("no")

    async def read() -> None:
        async with aclosing(RunnableLambda(fail).astream_log("x")) as patches:
            await anext(patches)
            await until(lambda: len(asyncio.all_tasks()) == 1)

    with caplog.at_level(logging.ERROR, "asyncio"):
        asyncio.run(read())
        gc.collect()
    assert caplog.text == ""


def test_a_reader_who_is_cancelled_ends_the_run() -> None:
    """Cancelling the reader is as good as closing."""
    told = Recorder()

    async def read() -> None:
        started = asyncio.Event()

        async def wait(_: str) -> None:
            started.set()
            await asyncio.Event().wait()

        async def reader() -> None:
            async for _ in RunnableLambda(wait).astream_log("x", {"callbacks": [told]}):
                pass

        task = asyncio.create_task(reader())
        await started.wait()
        task.cancel()
        await asyncio.wait([task])
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(read())
    [run] = told.runs()
    assert told.ends_each_run_once()
    assert run.error is not None
    assert run.error["stopped"] is True


def test_two_logs_at_once_do_not_mix() -> None:
    """Each has its own runs only."""

    async def read() -> list[Any]:
        async def one(word: str) -> Any:
            chain = Step(word) | chat([word] * 20) | StrOutputParser()
            return state([patch async for patch in chain.astream_log(word)])

        return await asyncio.gather(*(one(word) for word in "abcdefgh"))

    for word, logged in zip("abcdefgh", asyncio.run(read()), strict=True):
        assert set(logged["logs"]) == {word, "ScriptedChatModel", "StrOutputParser"}
        assert logged["final_output"] == {"output": word * 20}
        assert "".join(logged["logs"]["ScriptedChatModel"]["streamed_output_str"]) == word * 20


def test_a_log_within_a_logged_run() -> None:
    """Both are complete: the inner run is an entry of the outer log, and a log by itself."""
    inner = list[Any]()

    async def nested(value: str) -> str:
        async for patch in (Step("low") | chat()).astream_log(value):
            inner.append(patch)
        return "done"

    logged = state(astream_log(Step("top") | RunnableLambda(nested), "x"))
    assert set(state(inner)["logs"]) == {"low", "ScriptedChatModel"}
    assert set(logged["logs"]) == {
        "top", "nested", "RunnableSequence", "low", "ScriptedChatModel",
    }  # fmt: skip
    assert logged["logs"]["RunnableSequence"]["id"] == state(inner)["id"]
    assert logged["logs"]["RunnableSequence"]["parent_id"] == logged["logs"]["nested"]["id"]
    assert all(entry["end_time"] for entry in logged["logs"].values())
    assert state(inner)["logs"]["low"]["parent_id"] == state(inner)["id"]


def test_the_root_ends_the_log() -> None:
    """Nothing comes after the end of the root, also where a branch on a thread outlives it."""
    told, free = Recorder(), threading.Event()

    def late(_: str) -> None:
        free.wait(60)
        Step("later").invoke("x")

    def fail(_: str) -> None:
        raise ValueError("no")

    async def read() -> list[RunLogPatch]:
        both = RunnableLambda(lambda x: RunnableParallel(a=late, b=fail).invoke(x), name="both")
        patches = list[RunLogPatch]()
        chain = both.with_fallbacks([Step("instead")])
        async for patch in chain.astream_log("x", {"callbacks": [told]}):
            patches.append(patch)
            if patch.ops[0]["path"] == "/final_output":
                free.set()
                await until(lambda: ("end", "late") in told.events())
        return patches

    patches = asyncio.run(read())
    assert paths(patches)[-1] == ("replace /final_output",)
    assert state(patches)["logs"]["late"]["end_time"] is None
    assert told.ends_each_run_once()


@pytest.mark.parametrize("runnable", ["model", "function", "parallel", "sequence"])
@pytest.mark.parametrize("method", ["astream", "astream_log"])
def test_a_stream_that_is_half_read_as_the_loop_ends_is_closed_silently(
    runnable: str, method: str
) -> None:
    """asyncio.run closes all generators at once, in any order, those within others too."""

    async def words(_: str) -> AsyncGenerator[str, None]:
        open_streams.append(1)
        try:
            while True:
                yield "word "
                await asyncio.sleep(0)
        finally:
            open_streams.pop()

    open_streams, complaints, kept = list[int](), list[Any](), list[Any]()
    chains: dict[str, Any] = {
        "model": ScriptedChatModel(["word " * 1000], delay=0.001),
        "function": RunnableLambda(words),
        "parallel": RunnableParallel(a=words, b=words),
        "sequence": RunnablePassthrough() | RunnableLambda(words),
    }

    async def read() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, error: complaints.append(error))
        kept.append(getattr(chains[runnable], method)("x"))
        await anext(kept[-1])

    for _ in range(20):
        asyncio.run(read())
    assert not complaints
    assert not open_streams
