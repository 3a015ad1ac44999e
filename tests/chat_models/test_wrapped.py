"""Chat models after `bind`, `with_config`, `with_retry` and `with_fallbacks`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from chatnb.chat_models import BaseChatModel, ScriptedChatModel
from chatnb.output_parsers import OutputParserError
from chatnb.runnables import Runnable, RunnableLambda
from chatnb.schema import AIMessage, BaseMessage


class City(BaseModel):
    name: str


def add(a: int, b: int) -> int:
    return a + b


class Noting(BaseChatModel):
    """Notes the parameters of its calls, and answers with JSON or with a call."""

    model_name = "noting"

    def __init__(self, *texts: str) -> None:
        self.texts = [*texts, '{"name": "Oslo"}']
        self.params: dict[str, Any] = {}

    def _generate(self, messages: list[BaseMessage], **params: Any) -> AIMessage:
        self.params = params
        text = self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]
        call: Any = {"name": "add", "args": {"a": 1}, "id": "c1"}
        return AIMessage(text, tool_calls=[call] if "tools" in params else [])


WRAPPED: dict[str, Callable[[Any], Any]] = {
    "bind": lambda chat: chat.bind(stop=["."]),
    "config": lambda chat: chat.with_config(tags=["a"]),
    "retry": lambda chat: chat.with_retry(wait_exponential_jitter=False),
    "fallbacks": lambda chat: chat.with_fallbacks([Noting()]),
    "all": lambda chat: (
        chat.bind(stop=["."])
        .with_config(tags=["a"])
        .with_retry()
        .with_fallbacks([Noting().with_retry()])
    ),
}
wrapped = pytest.mark.parametrize("wrap", WRAPPED)
METHODS: dict[str, Callable[[Runnable[Any, Any]], Any]] = {
    "invoke": lambda chat: chat.invoke("?"),
    "ainvoke": lambda chat: asyncio.run(chat.ainvoke("?")),
    "stream": lambda chat: list(chat.stream("?"))[-1],
    "batch": lambda chat: chat.batch(["?"])[0],
}


@wrapped
@pytest.mark.parametrize("method", METHODS)
def test_a_wrapped_model_gives_values_of_a_type(wrap: str, method: str) -> None:
    """Bound arguments still hold."""
    chat = Noting()
    typed = WRAPPED[wrap](chat).with_structured_output(City, include_raw=False)
    assert METHODS[method](typed) == City(name="Oslo")
    assert chat.params.get("stop") == (["."] if wrap in ("bind", "all") else None)
    assert "response_format" in chat.params


@wrapped
def test_a_wrapped_model_takes_tools(wrap: str) -> None:
    """Their calls are checked, and what was bound still holds."""
    chat = Noting()
    [call] = WRAPPED[wrap](chat).bind_tools([add]).invoke("?").invalid_tool_calls
    assert "b: Field required" in call["error"]
    assert [tool["function"]["name"] for tool in chat.params["tools"]] == ["add"]
    assert chat.params.get("stop") == (["."] if wrap in ("bind", "all") else None)


def test_an_invalid_answer_is_retried_and_has_fallbacks() -> None:
    """It is a failure like any other."""
    again = Noting("Sorry.").with_retry(wait_exponential_jitter=False)
    assert again.with_structured_output(City).invoke("?") == City(name="Oslo")
    other = ScriptedChatModel(["Sorry."]).with_fallbacks([Noting()])
    assert other.with_structured_output(City).invoke("?") == City(name="Oslo")
    with pytest.raises(OutputParserError):
        ScriptedChatModel(["Sorry."]).with_retry(
            wait_exponential_jitter=False
        ).with_structured_output(City).invoke("?")


def test_tools_bound_later_replace_those_bound_before() -> None:
    """Also where they were bound by hand."""
    chat = Noting()
    chat.bind(tools=[{"type": "web_search"}], stop=["."]).bind_tools([add]).invoke("?")
    assert len(chat.params["tools"]) == 1
    assert chat.params["tools"][0]["function"]["name"] == "add"
    assert chat.params["stop"] == ["."]


def test_a_runnable_around_something_else_has_none_of_it() -> None:
    """A chain has no tools, and neither has a model whose fallback has none."""
    chain = (Noting() | str).with_retry()
    assert not hasattr(chain, "bind_tools")
    assert not hasattr(chain, "with_structured_output")
    with pytest.raises(AttributeError, match="'RunnableLambda' object has no attribute"):
        Noting().with_fallbacks([RunnableLambda(str)]).bind_tools([add])
