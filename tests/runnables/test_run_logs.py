"""The log of a run, as it is written while it is read."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import jsonpatch
import pytest

from chatnb.chat_models import ChatOpenAI, ScriptedChatModel
from chatnb.output_parsers import StrOutputParser
from chatnb.runnables import Runnable, RunnableLambda, RunnableParallel, RunnablePassthrough
from chatnb.runnables.run_logs import MOST_UNREAD
from chatnb.schema import AIMessageChunk, RunLog, RunLogPatch
from tests.loopback import LoopbackServer, endless
from tests.tracing.recording import Recorder, until

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
    """Hands on what it gets, on the loop or on a thread as it is called."""

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
    """Its state, its chunks, its result; what else is known of it travels beside."""
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
    """diff=False gives what the patches add up to, and no state changes once it was given."""
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
    """A state but for its times and ids."""
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
    """By names, kinds and tags; the parent of what is kept is the nearest run that is kept."""
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
    """Each with its own entry; the failure of the first is told in it."""
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
    """With what was reached, in the entry and in the root, which is the last patch."""
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


class Gated:
    """Counts how far a source has come."""

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


@pytest.mark.parametrize("kind", ["thread", "loop", "tokens"])
def test_a_slow_reader_slows_the_run(kind: str) -> None:
    """What is not read yet is bounded, and the reader gets all of it nevertheless."""
    gated, total = Gated(), 5 * MOST_UNREAD

    async def read() -> int:
        patches, ahead = 0, 0
        async for _ in run_ahead(kind, gated, total).astream_log("x"):
            patches += 1
            if patches < MOST_UNREAD // 4:
                await asyncio.sleep(0.01)
                ahead = max(ahead, gated.produced)
        assert patches >= total
        return ahead

    assert MOST_UNREAD // 2 < asyncio.run(read()) < 2 * MOST_UNREAD


def test_synchronous_code_on_the_loop_of_the_reader_goes_on() -> None:
    """It and the threads it waits for cannot wait for the reader, who could not come to read."""
    total = 2 * MOST_UNREAD

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
        assert await asyncio.to_thread(loopback.exchanges[0].closed.wait, 10)
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
        assert loopback.exchanges[0].closed.wait(10)

    async def cell() -> None:
        read()

    asyncio.run(cell()) if in_loop else read()
    assert told.ends_each_run_once()
    assert all(run.error and run.error["stopped"] for run in told.runs())


def test_a_run_on_a_thread_ends_when_the_reader_stops() -> None:
    """The thread is gone once its step is over, though the buffer was full."""
    told, gated = Recorder(), Gated()
    threads = threading.active_count()

    async def read() -> None:
        source = run_ahead("thread", gated, 10**9)
        async with aclosing(source.astream_log("x", {"callbacks": [told]})) as patches:
            await anext(patches)
            await asyncio.sleep(0.05)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(read())
    assert told.wait_until_ended()
    assert told.ends_each_run_once()
    for thread in threading.enumerate():
        if thread.name == "chatnb-call":
            thread.join(10)
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
    """Cancelling who reads is as good as closing."""
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
    """Both are whole: the inner run is an entry of the outer log, and a log by itself."""
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
        free.wait(10)
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
