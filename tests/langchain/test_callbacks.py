"""LangChain's callback handlers in the config of chatnb's runs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.callbacks import (
    AsyncCallbackHandler,
    BaseCallbackHandler,
    UsageMetadataCallbackHandler,
)
from langchain_core.runnables import RunnableLambda as LangChainLambda
from langchain_core.runnables import RunnableParallel as LangChainParallel

from chatnb.chat_models import ScriptedChatModel
from chatnb.prompts import ChatPromptTemplate
from chatnb.runnables import RunnableLambda, RunnableParallel
from chatnb.schema import AIMessage
from chatnb.tools import ToolLoop
from chatnb.tracing import add_handler, remove_handler

USAGE: Any = {"input_tokens": 2, "output_tokens": 3, "total_tokens": 5}


class Events:
    """Notes each event with the name of its run, and which run is above which."""

    def note(self, event: str, *args: Any, **kwargs: Any) -> None:
        names, events = vars(self).setdefault("names", {}), vars(self).setdefault("events", [])
        names.setdefault(kwargs["run_id"], kwargs.get("name"))
        parent = kwargs["parent_run_id"]
        events.append((event, names[kwargs["run_id"]], names.get(parent, parent)))
        vars(self).setdefault("args", {})[event] = args


class Sync(Events, BaseCallbackHandler):
    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.note("model", *args, **kwargs)

    def on_llm_new_token(self, *args: Any, **kwargs: Any) -> None:
        self.note("token", *args, **kwargs)

    def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        self.note("model end", *args, **kwargs)

    def on_llm_error(self, *args: Any, **kwargs: Any) -> None:
        self.note("model error", *args, **kwargs)

    def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
        self.note("chain", *args, **kwargs)

    def on_chain_end(self, *args: Any, **kwargs: Any) -> None:
        self.note("chain end", *args, **kwargs)

    def on_chain_error(self, *args: Any, **kwargs: Any) -> None:
        self.note("chain error", *args, **kwargs)

    def on_tool_start(self, *args: Any, **kwargs: Any) -> None:
        self.note("tool", *args, **kwargs)

    def on_tool_end(self, *args: Any, **kwargs: Any) -> None:
        self.note("tool end", *args, **kwargs)


class Async(Events, AsyncCallbackHandler):
    async def on_llm_start(self, *args: Any, **kwargs: Any) -> None:
        self.note("text model", *args, **kwargs)

    async def on_llm_new_token(self, *args: Any, **kwargs: Any) -> None:
        self.note("token", *args, **kwargs)

    async def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        self.note("model end", *args, **kwargs)


def collect(runnable: Any, method: str, input: Any, config: Any) -> None:
    async def acollect() -> None:
        if method == "ainvoke":
            await runnable.ainvoke(input, config)
        else:
            async for _ in runnable.astream(input, config):
                pass

    if method.startswith("a"):
        asyncio.run(acollect())
    elif method == "invoke":
        runnable.invoke(input, config)
    else:
        list(runnable.stream(input, config))


@pytest.mark.parametrize("method", ["invoke", "ainvoke", "stream", "astream"])
def test_a_handler_gets_the_events_of_a_chain(method: str) -> None:
    """Starts, tokens and ends, with the run above; given twice it gets each event once."""
    handler = Sync()
    chat = ScriptedChatModel(["Hi there."], usage=[USAGE]).with_config(callbacks=[handler])
    prompt = ChatPromptTemplate.from_messages([("human", "{x}")])
    collect(prompt | chat, method, {"x": "Hello"}, {"callbacks": [handler], "tags": ["t"]})
    tokens = [("token", "ScriptedChatModel", "RunnableSequence")] * (2 * ("stream" in method))
    assert handler.events == [
        ("chain", "RunnableSequence", None),
        ("chain", "ChatPromptTemplate", "RunnableSequence"),
        ("chain end", "ChatPromptTemplate", "RunnableSequence"),
        ("model", "ScriptedChatModel", "RunnableSequence"),
        *tokens,
        ("model end", "ScriptedChatModel", "RunnableSequence"),
        ("chain end", "RunnableSequence", None),
    ]
    [[message]] = handler.args["model"][1]
    assert (type(message).__module__.split(".")[0], message.content) == ("langchain_core", "Hello")
    reply = handler.args["model end"][0].generations[0][0].message
    assert (reply.content, reply.usage_metadata["total_tokens"]) == ("Hi there.", 5)


@pytest.mark.parametrize("method", ["invoke", "astream"])
def test_an_asynchronous_handler_and_one_for_text_models_are_called(method: str) -> None:
    """Without `on_chat_model_start` the conversation comes as text."""
    handler = Async()
    collect(ScriptedChatModel(["Hi."]), method, "Hello", {"callbacks": [handler]})
    assert [event for event, *_ in handler.events if event != "token"] == [
        "text model",
        "model end",
    ]
    assert handler.args["text model"][1] == ["Human: Hello"]


def test_errors_and_tools_have_their_events() -> None:
    """The exception is the one that is raised."""
    handler = Sync()
    with pytest.raises(LookupError) as caught:
        ScriptedChatModel([LookupError("gone")]).invoke("Hi", {"callbacks": [handler]})
    assert handler.args["model error"][0] is caught.value

    def double(n: int) -> int:
        return 2 * n

    call: Any = {"name": "double", "args": {"n": 2}, "id": "c1"}
    chat = ScriptedChatModel([AIMessage("", tool_calls=[call]), "Four."])
    ToolLoop(chat, [double]).invoke("?", {"callbacks": [handler]})
    assert ("tool", "double", "ToolLoop") in handler.events
    assert handler.args["tool end"][0].content == "4"


def test_langchains_own_handlers_count_tokens() -> None:
    """For one run, and for all."""
    chat = ScriptedChatModel(["Hi."], usage=[USAGE], model_name="m")
    handler = UsageMetadataCallbackHandler()
    chat.invoke("Hello", {"callbacks": [handler]})
    add_handler(handler)
    chat.invoke("Hello", {"callbacks": [handler]})
    remove_handler(handler)
    chat.invoke("Hello")
    assert handler.usage_metadata["m"]["total_tokens"] == 10


def test_a_model_inside_a_langchain_run_takes_its_config() -> None:
    """Its handlers see the model's run below the one that called it."""
    handler = Sync()
    chat = ScriptedChatModel(["Hi."])
    outer = LangChainLambda(lambda text, config: chat.invoke(text, config).text)
    assert outer.invoke("Hello", {"callbacks": [handler], "run_name": "outer"}) == "Hi."
    assert ("model", "ScriptedChatModel", "outer") in handler.events


def test_a_handler_that_ignores_runs_gets_no_events_of_them() -> None:
    """As in LangChain."""

    class NoChains(Sync):
        ignore_chain = True

    handler = NoChains()
    (RunnableLambda(str) | ScriptedChatModel(["Hi."])).invoke("", {"callbacks": [handler]})
    assert [event for event, *_ in handler.events] == ["model", "model end"]


class Tags(BaseCallbackHandler):
    """Notes the name and the tags of each chain that starts."""

    def __init__(self) -> None:
        self.noted = list[tuple[str, list[str]]]()

    def on_chain_start(self, *args: Any, name: str = "", tags: Any = None, **kwargs: Any) -> None:
        self.noted.append((name, tags))


@pytest.mark.parametrize("method", ["invoke", "stream"])
def test_runs_have_the_tags_that_langchain_gives_them(method: str) -> None:
    """In the same order: the run's own place, what is bound, what is inherited."""

    def tags(function: Any, parallel: Any) -> list[tuple[str, list[str]]]:
        def first(value: int) -> int:
            return value

        def second(value: Any) -> Any:
            return value

        bound = function(second).with_config(tags=["bound"], run_name="bound")
        branches = {"one": function(first) | bound, "two": bound, "three": function(first).bind()}
        chain = function(first) | parallel(branches).with_config(run_name="fork")
        handler = Tags()
        config: Any = {"callbacks": [handler], "tags": ["given"], "run_name": "chain"}
        collect(chain, method, 1, config)
        return sorted(item for item in handler.noted if item[0] != "RunnableSequence")

    expected = tags(LangChainLambda, LangChainParallel)
    assert ("bound", ["map:key:two", "bound", "given"]) in expected
    assert tags(RunnableLambda, RunnableParallel) == expected
