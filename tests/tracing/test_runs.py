"""Handlers that are told of runs."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from chatnb.chat_models import ScriptedChatModel
from chatnb.output_parsers import StrOutputParser
from chatnb.prompts import ChatPromptTemplate
from chatnb.runnables import Runnable, RunnableLambda, RunnableParallel, RunnablePassthrough
from chatnb.schema import AIMessage
from chatnb.tools import Tool, ToolLoop, arun_tools, run_tools
from chatnb.tracing import Run, add_handler, handling, remove_handler
from tests.support.call_counting import calls_during
from tests.support.recording_handler import Recorder, until
from tests.support.runnable_methods import CALLS, METHODS

USAGE: Any = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
each_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


class Stated(Runnable[Any, Any]):
    """Implements one method, and fails in it if it is given a failure."""

    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        return said(input)


class AStated(Runnable[Any, Any]):
    async def ainvoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        return said(input)


class Streamed(Runnable[Any, Any]):
    def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[Any]:
        yield "s"
        yield said(input)


class AStreamed(Runnable[Any, Any]):
    async def astream(
        self, input: Any, config: Any = None, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        yield "s"
        yield said(input)


class Transformed(Runnable[Any, Any]):
    def transform(self, input: Iterator[Any], config: Any = None, **kwargs: Any) -> Iterator[Any]:
        yield from map(said, input)


class ATransformed(Runnable[Any, Any]):
    async def atransform(
        self, input: AsyncIterator[Any], config: Any = None, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        async for chunk in input:
            yield said(chunk)


class Inherited(Transformed):
    def transform(self, input: Iterator[Any], config: Any = None, **kwargs: Any) -> Iterator[Any]:
        yield from super().transform(input, config, **kwargs)


KINDS = [Stated, AStated, Streamed, AStreamed, Transformed, ATransformed, Inherited]


def said(value: Any) -> Any:
    if isinstance(value, BaseException):
        raise value
    return value


def one_run(recorder: Recorder) -> Run:
    assert recorder.ends_each_run_once()
    [run] = recorder.runs()
    return run


@each_method
@pytest.mark.parametrize("kind", KINDS)
def test_each_method_is_one_run(kind: Any, method: Any) -> None:
    """Any method that a class implements or that is called makes one run, with the call's facts,
    which ends once with what the method gives."""
    told = Recorder()
    config: Any = {"callbacks": [told], "tags": ["t"], "metadata": {"k": 1}, "run_name": "mine"}
    method(kind(), "a", config)
    run = one_run(told)
    assert (run.name, run.type, run.parent, run.tags, run.metadata) == (
        "mine", "chain", None, ["t"], {"k": 1},
    )  # fmt: skip
    assert run.inputs == "a"
    assert run.output == {"output": "sa" if issubclass(kind, Streamed | AStreamed) else "a"}
    assert run.end_time is not None
    assert run.end_time >= run.start_time
    assert config.keys() == {"callbacks", "tags", "metadata", "run_name"}


@each_method
@pytest.mark.parametrize("kind", KINDS)
def test_each_run_that_fails_ends_once(kind: Any, method: Any) -> None:
    """A failure ends the run once, says why with its traceback, and is raised as it was."""
    told = Recorder()
    with pytest.raises(ValueError, match="no good"):
        method(kind(), ValueError("no good"), {"callbacks": [told]})
    run = one_run(told)
    assert run.error is not None
    assert (run.error["type"], run.error["message"]) == ("ValueError", "no good")
    assert run.error["stopped"] is False
    assert "in said" in run.error["traceback"]
    assert told.events() == [("start", kind.__name__), ("error", kind.__name__)]


@pytest.mark.parametrize("method", [METHODS["invoke"], METHODS["stream"], METHODS["transform"]])
@pytest.mark.parametrize("kind", [Stated, Streamed, Transformed])
def test_an_interrupt_counts_as_stopped(kind: Any, method: Any) -> None:
    """A KeyboardInterrupt ends the run as stopped, not as failed, and is raised."""
    told = Recorder()
    with pytest.raises(KeyboardInterrupt):
        method(kind(), KeyboardInterrupt(), {"callbacks": [told]})
    run = one_run(told)
    assert run.error is not None
    assert run.error["stopped"] is True


@each_method
def test_a_chat_model_is_one_run(method: Any) -> None:
    """A model's run is of kind llm; it gives an LLMResult as a dict, and its usage."""
    told = Recorder()
    chat = ScriptedChatModel(["Hello there."], usage=[USAGE])
    method(chat, "Hi", {"callbacks": [told]})
    run = one_run(told)
    [[generation]] = run.output["generations"]
    assert (run.name, run.type, run.inputs) == ("ScriptedChatModel", "llm", "Hi")
    assert generation["text"] == generation["message"].text == "Hello there."
    assert run.output.keys() == {"generations", "llm_output", "run"}
    assert run.usage_metadata == USAGE


@each_call
def test_the_methods_of_the_page_are_runs(call: Any) -> None:
    """So are generate, predict and the call itself, which take the config's entries by name."""
    told = Recorder()
    chat = ScriptedChatModel(["Hello."], usage=[USAGE])
    more = {"callbacks": [told], "tags": ["t"], "run_name": "mine", "metadata": {"k": 1}}
    call(chat, "Hi", more)
    run = one_run(told)
    assert (run.name, run.type, run.tags) == ("mine", "llm", ["t"])
    who = {"ls_provider": "chatnb", "ls_model_name": "scripted", "ls_model_type": "chat"}
    assert run.metadata == {**who, "k": 1}
    assert run.output["generations"][0][0]["text"] == "Hello."
    assert run.usage_metadata == USAGE


def test_each_prompt_of_a_batch_is_a_run() -> None:
    """Batch and generate are no runs by themselves: each input is one."""
    told, chat = Recorder(), ScriptedChatModel(["Hello."])
    chat.batch(["a", "b"], {"callbacks": [told]})
    chat.generate([[AIMessage("c")], [AIMessage("d")]], callbacks=[told])
    assert told.tree() == [("ScriptedChatModel", "llm", None)] * 4
    assert told.ends_each_run_once()


@pytest.mark.parametrize("method", ["generate", "agenerate"])
def test_an_id_is_of_one_run(method: str) -> None:
    """As in a batch, several prompts cannot share one."""
    chat, prompt = ScriptedChatModel(["Hello."]), [AIMessage("Hi")]

    async def ask() -> None:
        outcome = getattr(chat, method)([prompt, prompt], run_id="r")
        await outcome if method == "agenerate" else None

    with pytest.raises(ValueError, match="run_id is the id of one run"):
        asyncio.run(ask())


@pytest.mark.parametrize("method", [METHODS["stream"], METHODS["astream"]])
def test_tokens_are_told_as_they_come(method: Any) -> None:
    """Each chunk of a model, between its start and its end; the first word's time is kept."""
    told = Recorder()
    chat = ScriptedChatModel([["", "Hel", "lo."]])
    method(chat | StrOutputParser(), "Hi", {"callbacks": [told]})
    tokens = [each for each in told.told if each.event == "token"]
    assert [each.more for each in tokens] == [("",), ("Hel",), ("lo.",)]
    run = tokens[0].run
    assert run.end_time is not None
    assert run.first_token_time is not None
    assert run.start_time <= run.first_token_time <= run.end_time


@each_method
def test_a_chain_tells_of_its_steps(method: Any) -> None:
    """Each step is a run beneath the chain's, of its kind and place; the chain's ends last."""
    told = Recorder()
    chat = ScriptedChatModel(["Hello."])
    chain = ChatPromptTemplate.from_template("{x}") | chat | StrOutputParser()
    method(chain, {"x": "Hi"}, {"callbacks": [told], "tags": ["t"], "run_name": "mine"})
    assert told.tree() == [
        ("mine", "chain", None),
        ("ChatPromptTemplate", "prompt", "mine"),
        ("ScriptedChatModel", "llm", "mine"),
        ("StrOutputParser", "parser", "mine"),
    ]
    assert [run.tags for run in sorted(told.runs(), key=lambda run: run.tags)] == [
        ["seq:step:1", "t"], ["seq:step:2", "t"], ["seq:step:3", "t"], ["t"],
    ]  # fmt: skip
    assert told.ends_each_run_once()
    assert told.children_end_first()
    assert told.runs()[-1].inputs.text == "Hello."


@each_method
def test_branches_are_beneath_their_fork(method: Any) -> None:
    """On threads and in tasks alike."""
    told = Recorder()
    fork = RunnableParallel(a=Stated() | Streamed(), b=AStated(), c=RunnablePassthrough())
    method(fork, "x", {"callbacks": [told]})
    assert set(told.tree()) == {
        ("RunnableParallel", "chain", None),
        ("RunnableSequence", "chain", "RunnableParallel"),
        ("Stated", "chain", "RunnableSequence"),
        ("Streamed", "chain", "RunnableSequence"),
        ("AStated", "chain", "RunnableParallel"),
        ("RunnablePassthrough", "chain", "RunnableParallel"),
    }
    assert told.ends_each_run_once()
    assert told.children_end_first()


@each_method
def test_tags_of_branches_are_those_of_langchain(method: Any) -> None:
    """A branch's run has its key as a tag, also behind a binding; runs below have their own."""
    told = Recorder()
    fork = RunnableParallel(a=Stated() | AStated(), b=Stated().with_config(tags=["bound"]))
    method(fork, "x", {"callbacks": [told], "tags": ["t"]})
    tags = sorted((run.name, *run.tags) for run in told.runs())
    assert tags == [
        ("AStated", "seq:step:2", "t"),
        ("RunnableParallel", "t"),
        ("RunnableSequence", "map:key:a", "t"),
        ("Stated", "map:key:b", "bound", "t"),
        ("Stated", "seq:step:1", "t"),
    ]


def inner_chain(value: str) -> str:
    return (Stated() | AStated()).invoke(value)


async def ainner_chain(value: str) -> str:
    return await (Stated() | AStated()).ainvoke(value)


@each_method
@pytest.mark.parametrize("func", [inner_chain, ainner_chain])
def test_chains_called_inside_are_beneath_their_caller(func: Any, method: Any) -> None:
    """A chain that a function calls without passing anything finds the run that it is part of."""
    told = Recorder()
    method(RunnableLambda(func, name="outer"), "x", {"callbacks": [told], "metadata": {"k": 1}})
    assert told.tree() == [
        ("outer", "chain", None),
        ("RunnableSequence", "chain", "outer"),
        ("Stated", "chain", "RunnableSequence"),
        ("AStated", "chain", "RunnableSequence"),
    ]
    assert all(run.metadata == {"k": 1} for run in told.runs())
    assert told.ends_each_run_once()


def test_a_function_that_calls_itself_is_a_run_each_time() -> None:
    """Also where it passes on the config that it is given."""

    def down(number: int, config: Any) -> int:
        return counting.invoke(number - 1, config) if number else 0

    told, counting = Recorder(), RunnableLambda[int, int](down)
    counting.invoke(2, {"callbacks": [told]})
    assert told.tree() == [("down", "chain", None), *[("down", "chain", "down")] * 2]
    assert told.ends_each_run_once()


@pytest.mark.parametrize("method", [METHODS[v] for v in ("invoke", "ainvoke", "stream", "astream")])
def test_attempts_are_runs_of_their_own(method: Any) -> None:
    """Each attempt is a run beneath the retry's, of which on_retry is told in between."""
    told = Recorder()
    chat = ScriptedChatModel([ValueError("busy"), "Hello."])
    method(chat.with_retry(wait_exponential_jitter=False), "Hi", {"callbacks": [told]})
    kept = [each for each in told.events() if each[0] != "token"]
    assert kept == [
        ("start", "RunnableRetry"),
        ("start", "ScriptedChatModel"),
        ("error", "ScriptedChatModel"),
        ("retry", "RunnableRetry"),
        ("start", "ScriptedChatModel"),
        ("end", "ScriptedChatModel"),
        ("end", "RunnableRetry"),
    ]
    assert next(t.more for t in told.told if t.event == "retry") == (1, "busy", 0.0)
    assert {run.parent and run.parent.name for run in told.runs()} == {None, "RunnableRetry"}


@pytest.mark.parametrize("method", [METHODS[v] for v in ("invoke", "ainvoke", "stream", "astream")])
def test_fallbacks_are_runs_of_their_own(method: Any) -> None:
    """The failed runnable and its fallback are runs beneath the run with fallbacks."""
    told = Recorder()
    chain = ScriptedChatModel([ValueError("down")]).with_fallbacks([Stated()])
    method(chain, "Hi", {"callbacks": [told]})
    assert told.tree() == [
        ("RunnableWithFallbacks", "chain", None),
        ("ScriptedChatModel", "llm", "RunnableWithFallbacks"),
        ("Stated", "chain", "RunnableWithFallbacks"),
    ]
    assert [event for event, _ in told.events()] == [
        "start", "start", "error", "start", "end", "end",
    ]  # fmt: skip


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return Stated().invoke(a) + b


async def aadd(a: int, b: int) -> int:
    """Add two numbers."""
    return await Stated().ainvoke(a) + b


def run_loop(chat: Any, tools: Any, config: Any) -> Any:
    return run_tools(chat, tools, "?", config=config)


def arun_loop(chat: Any, tools: Any, config: Any) -> Any:
    return asyncio.run(arun_tools(chat, tools, "?", config=config))


@pytest.mark.parametrize("run", [run_loop, arun_loop])
@pytest.mark.parametrize("func", [add, aadd])
def test_tools_are_runs_of_the_loop(run: Any, func: Any) -> None:
    """The model's rounds and the tools are beneath the loop, and what a tool calls beneath it."""
    call: Any = {"name": func.__name__, "args": {"a": 1, "b": 2}, "id": "c1"}
    told = Recorder()
    chat = ScriptedChatModel([AIMessage("", tool_calls=[call]), "3"])
    run(chat, [Tool(func)], {"callbacks": [told]})
    assert told.tree() == [
        ("ToolLoop", "chain", None),
        ("ScriptedChatModel", "llm", "ToolLoop"),
        (func.__name__, "tool", "ToolLoop"),
        ("Stated", "chain", func.__name__),
        ("ScriptedChatModel", "llm", "ToolLoop"),
    ]
    assert told.ends_each_run_once()
    assert told.children_end_first()
    assert told.runs()[0].output["output"].text == "3"
    assert told.runs()[2].output["output"].content == "3"
    assert len(told.runs()[1].inputs) == 1


def broken() -> str:
    """Fail."""
    raise ValueError("broken")


@each_method
def test_a_tool_that_fails_is_a_run_that_failed(method: Any) -> None:
    """The loop goes on, for the model is told."""
    call: Any = {"name": "broken", "args": {}, "id": "c1"}
    told = Recorder()
    loop = ToolLoop(ScriptedChatModel([AIMessage("", tool_calls=[call]), "Sorry."]), [broken])
    method(loop, "?", {"callbacks": [told]})
    errors = [each for each in told.events() if each[0] == "error"]
    assert errors == [("error", "broken")]
    assert told.ends_each_run_once()


@each_method
def test_what_stands_before_a_runnable_is_no_run(method: Any) -> None:
    """bind and with_config are part of the run of what they are bound to."""
    told = Recorder()
    bound = Stated().bind(x=1).with_config(run_name="mine", tags=["own"], metadata={"k": 1})
    method(bound, "a", {"callbacks": [told], "tags": ["call"]})
    run = one_run(told)
    assert (run.name, run.metadata) == ("mine", {"k": 1})
    assert run.tags == ["own", "call"]


def test_callbacks_given_in_advance_hear_of_it() -> None:
    """A handler of with_config is told as well as one of the call, each once."""
    own, of_call = Recorder(), Recorder()
    (Stated() | Stated()).with_config(callbacks=[own]).invoke("a", {"callbacks": [of_call]})
    assert own.events() == of_call.events()
    assert len(own.runs()) == 3


STREAMS: list[Any] = [
    Streamed(),
    ScriptedChatModel(["a b c"]),
    ScriptedChatModel(["a b c"]) | StrOutputParser(),
    RunnableParallel(a=ScriptedChatModel(["a b c"]), b=Streamed()),
    AStreamed() | RunnablePassthrough(),
    RunnableLambda(lambda _: ScriptedChatModel(["a b c"])),
]


@pytest.mark.parametrize("runnable", STREAMS)
def test_a_stream_that_is_closed_ends_its_runs(runnable: Any) -> None:
    """Closed after the first chunk, every run ends once, as stopped, with what it had said."""
    told = Recorder()
    chunks = runnable.stream("x", {"callbacks": [told]})
    next(chunks)
    chunks.close()
    assert told.wait_until_ended()
    assert told.ends_each_run_once()
    root = told.runs()[0]
    assert root.error is not None
    assert root.error["stopped"] is True
    assert root.output is not None


@pytest.mark.parametrize("runnable", STREAMS)
def test_an_asynchronous_stream_that_is_closed_ends_its_runs(runnable: Any) -> None:
    """Likewise, and what is beneath ends before what is above."""
    told = Recorder()

    async def first() -> None:
        async with aclosing(runnable.astream("x", {"callbacks": [told]})) as chunks:
            async for _ in chunks:
                return

    asyncio.run(first())
    assert told.wait_until_ended()
    assert told.ends_each_run_once()
    root = told.runs()[0]
    assert root.error is not None
    assert root.error["stopped"] is True


def test_a_closed_chain_ends_from_below() -> None:
    """No run ends before those beneath it when an asynchronous stream is closed."""
    told = Recorder()
    chain = ScriptedChatModel(["a b c"]) | StrOutputParser()

    async def first() -> None:
        async with aclosing(chain.astream("x", {"callbacks": [told]})) as chunks:
            await anext(chunks)

    asyncio.run(first())
    assert told.children_end_first()
    assert told.events()[-1] == ("error", "RunnableSequence")


def test_a_cancelled_run_ends_as_stopped() -> None:
    """Cancelling the task ends every run under way once, and none goes on."""
    told, waits = Recorder(), asyncio.Event()

    async def wait(_: str) -> None:
        waits.set()
        await asyncio.Event().wait()

    async def cancelled() -> None:
        chain = Stated() | RunnableLambda(wait)
        task = asyncio.create_task(chain.ainvoke("x", {"callbacks": [told]}))
        await waits.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(cancelled())
    assert told.ends_each_run_once()
    assert [r.error and r.error["type"] for r in told.runs()] == [
        "CancelledError", None, "CancelledError",
    ]  # fmt: skip


class Slow(Recorder):
    """Does not come back from on_start until it is cancelled."""

    async def on_start(self, run: Run) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().on_start(run)
        await asyncio.Event().wait()


def test_a_run_that_is_cancelled_while_it_is_told_ends_once() -> None:
    """A handler that received the start receives the end, also if another was cancelled at it."""
    before, slow, after = Recorder(), Slow(), Recorder()

    async def cancelled() -> None:
        config: Any = {"callbacks": [before, slow, after]}
        task = asyncio.create_task(AStated().ainvoke("x", config))
        await until(lambda: bool(slow.told))
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(cancelled())
    assert before.ends_each_run_once()
    assert after.ends_each_run_once()


class Interrupted:
    """Is interrupted while it is told of something."""

    def __init__(self, event: str) -> None:
        setattr(self, event, self.interrupt)

    def interrupt(self, run: Run) -> None:
        raise KeyboardInterrupt


@pytest.mark.parametrize("method", [METHODS["invoke"], METHODS["stream"], METHODS["transform"]])
@pytest.mark.parametrize("event", ["on_start", "on_end"])
def test_a_run_that_is_interrupted_while_it_is_told_ends_once(method: Any, event: str) -> None:
    """The interrupt is raised, and each other handler is told of the start and the end."""
    before, after = Recorder(), Recorder()
    with pytest.raises(KeyboardInterrupt):
        method(Stated(), "x", {"callbacks": [before, Interrupted(event), after]})
    one_run(before)
    one_run(after)


class Failing:
    """Fails whatever it is told."""

    def on_start(self, run: Run) -> None:
        raise RuntimeError("a broken handler")

    on_end = on_error = on_start

    async def on_token(self, run: Run, chunk: Any) -> None:
        raise RuntimeError("a broken handler")


@each_method
def test_a_handler_that_fails_is_logged(method: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It does not disturb the run, nor the handlers after it."""
    told = Recorder()
    with caplog.at_level(logging.ERROR, "chatnb.tracing"):
        method(ScriptedChatModel(["Hello."]), "Hi", {"callbacks": [Failing(), told]})
    assert "Failing" in caplog.text
    assert "a broken handler" in caplog.text
    assert "on_start" in caplog.text
    one_run(told)


class Asynchronous(Recorder):
    """Is told in coroutines."""

    async def on_start(self, run: Run) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        await asyncio.sleep(0)
        super().on_start(run)

    async def on_end(self, run: Run) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        await asyncio.sleep(0)
        super().on_end(run)


@each_method
def test_a_handler_may_be_asynchronous(method: Any) -> None:
    """It is awaited in every method, also in synchronous ones."""
    told = Asynchronous()
    method(Stated() | AStated(), "a", {"callbacks": [told]})
    assert [run.name for run in told.runs()] == ["RunnableSequence", "Stated", "AStated"]
    assert told.ends_each_run_once()


def test_a_handler_may_leave_methods_out() -> None:
    """It is told what it has methods for."""

    class Ends:
        def __init__(self) -> None:
            self.names = list[str]()

        def on_end(self, run: Run) -> None:
            self.names.append(run.name)

    ends = Ends()
    (Stated() | Stated()).invoke("a", {"callbacks": [ends]})
    assert ends.names == ["Stated", "Stated", "RunnableSequence"]


@each_method
def test_handlers_everywhere_hear_of_every_run(method: Any) -> None:
    """Without any config, until they are removed."""
    told = Recorder()
    with handling(told):
        method(Stated() | AStated(), "a", None)
    method(Stated(), "a", None)
    assert told.tree() == [
        ("RunnableSequence", "chain", None),
        ("Stated", "chain", "RunnableSequence"),
        ("AStated", "chain", "RunnableSequence"),
    ]
    assert told.ends_each_run_once()


@each_method
def test_a_handler_gets_each_event_once(method: Any) -> None:
    """Also one that was added for all runs, in fact twice, and is in the callbacks of this one."""
    told = Recorder()
    with handling(told), handling(told):
        method(ScriptedChatModel(["Hello."]), "Hi", {"callbacks": [told, told]})
    assert told.ends_each_run_once()
    assert "".join(told.more[0] for told in told.told if told.event == "token") in ("", "Hello.")


class Unprintable(Exception):
    """An exception without a message."""

    def __str__(self) -> str:
        raise RuntimeError("no message")


@each_method
def test_a_run_ends_whatever_it_fails_with(method: Any) -> None:
    """The exception is raised as it is, and handlers get the end with a message in its place."""
    told = Recorder()

    def fail(_: str) -> None:
        raise Unprintable

    with pytest.raises(Unprintable):
        method(RunnableLambda(fail), "x", {"callbacks": [told]})
    [run] = told.runs()
    assert told.ends_each_run_once()
    assert run.error is not None
    assert run.error["message"] == "<no message: RuntimeError in its __str__>"


def test_what_was_not_added_cannot_be_removed() -> None:
    """remove_handler says so."""
    add_handler(told := Recorder())
    remove_handler(told)
    with pytest.raises(ValueError, match="not in list"):
        remove_handler(told)


@each_method
@pytest.mark.parametrize("wrong", ["log", Recorder(), (Recorder(),)])
def test_callbacks_are_a_list(method: Any, wrong: Any) -> None:
    """Anything else is a clear error, for any runnable."""
    for runnable in (Stated(), ScriptedChatModel(["a"]), Stated() | Stated()):
        with pytest.raises(TypeError, match="callbacks is a list of handlers, not"):
            method(runnable, "a", {"callbacks": wrong})


def handle_failure(chunks: Iterator[str]) -> Iterator[str]:
    try:
        yield from chunks
    except ValueError:
        yield "handled"


async def ahandle_failure(chunks: AsyncIterator[str]) -> AsyncIterator[str]:
    try:
        async for chunk in chunks:
            yield chunk
    except ValueError:
        yield "handled"


@pytest.mark.parametrize("handle", [handle_failure, ahandle_failure])
@pytest.mark.parametrize("method", [METHODS["stream"], METHODS["astream"]])
def test_a_step_that_heeds_failures_of_its_input_still_does(method: Any, handle: Any) -> None:
    """Somebody who listens changes nothing about what a chain gives."""
    chain = RunnableLambda[Any, Any](said) | handle
    told = Recorder()
    heard = method(chain, ValueError("no"), {"callbacks": [told]})
    assert heard == method(chain, ValueError("no"), None) == ["handled"]
    assert told.ends_each_run_once()


class Unaddable:
    def __add__(self, other: object) -> Any:
        raise ValueError("These have no sum")


@pytest.mark.parametrize("method", [METHODS["stream"], METHODS["astream"]])
def test_chunks_without_a_sum_do_not_fail_the_run(method: Any) -> None:
    """Then the output of the run is the list of them."""

    class Odd(Runnable[Any, Any]):
        def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[Any]:
            yield from (Unaddable(), Unaddable())

    told = Recorder()
    chunks = method(Odd(), "x", {"callbacks": [told]})
    assert one_run(told).output == {"output": chunks}


@pytest.mark.parametrize("method", [METHODS["stream"], METHODS["astream"]])
def test_snapshots_replace_each_other(method: Any) -> None:
    """In the inputs and the output of what they pass through, too."""

    class Growing(Runnable[Any, Any]):
        chunks_replace = True

        def stream(self, input: Any, config: Any = None, **kwargs: Any) -> Iterator[Any]:
            yield from ([1], [1, 2])

    told = Recorder()
    method(Growing() | RunnablePassthrough(), "x", {"callbacks": [told]})
    passed = told.runs()[-1]
    assert (passed.inputs, passed.output) == ([1, 2], {"output": [1, 2]})


def test_concurrent_runs_do_not_mix() -> None:
    """Of 64 at a time, each run is beneath its own chain."""
    told = Recorder()
    gate = threading.Barrier(64, timeout=60)
    chain = RunnableLambda(lambda x: (gate.wait(), x)[1], name="first") | Stated()
    chain.batch(list(range(64)), {"callbacks": [told]})
    assert told.ends_each_run_once()
    for run in told.runs():
        assert run.parent is None or run.parent.inputs == run.inputs
    assert len(told.runs()) == 3 * 64


def bare(work: Callable[[], object]) -> int:
    work()
    return sum(calls_during(work).values())


def test_nothing_is_paid_when_nobody_listens() -> None:
    """A call takes one more function call for the method it is wrapped in, a chunk takes none."""
    wrapped: Any = Stated.invoke
    plain = bare(lambda: wrapped.__wrapped__(Stated(), "a"))
    assert bare(lambda: Stated().invoke("a")) == plain + 1

    class Many(Runnable[int, str]):
        def stream(self, input: int, config: Any = None, **kwargs: Any) -> Iterator[str]:
            for _ in range(input):
                yield "a"

    fewer, more = (bare(lambda n=n: list(Many().stream(n))) for n in (10, 1010))
    assert more - fewer == 1000


@pytest.mark.parametrize("method", ["invoke", "ainvoke", "stream", "astream"])
def test_a_method_stays_a_function_of_its_kind(method: str) -> None:
    """As a step of a chain it gives chunks or is awaited, as it says."""
    chat = ScriptedChatModel(["Hello there."])
    assert RunnableLambda[Any, Any](getattr(chat, method)).invoke("Hi").text == "Hello there."
