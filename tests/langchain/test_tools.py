"""LangChain's tools in chatnb: with models, in loops and in panels."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pytest
from langchain_core.messages import ToolMessage as LangChainMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolArg, InjectedToolCallId, StructuredTool, tool
from pydantic import BaseModel, Field

from chatnb.chat_models import ScriptedChatModel
from chatnb.langchain import from_langchain, to_langchain
from chatnb.schema import AIMessage, ToolMessage
from chatnb.tools import Tool, arun_tools, run_tools, to_openai_tool


@tool
def double(n: int) -> int:
    """Double a number."""
    return 2 * n


@tool
async def adouble(n: int) -> int:
    """Double a number without blocking."""
    return 2 * n


class Number(BaseModel):
    n: int = Field(description="The number.")


async def _adouble(n: int) -> str:
    return f"{2 * n} awaited"


structured = StructuredTool.from_function(
    func=lambda n: 2 * n, coroutine=_adouble, name="structured", description="d", args_schema=Number
)


class Doubling(BaseTool):
    name: str = "doubling"
    description: str = "Double a number."
    args_schema: Any = Number

    def _run(self, n: int, **_: Any) -> int:
        return 2 * n


@tool(response_format="content_and_artifact")
def with_artifact(n: int) -> tuple[str, list[int]]:
    """Double a number, and keep it."""
    return str(2 * n), [n]


@tool
def with_message(n: int, id: Annotated[str, InjectedToolCallId]) -> LangChainMessage:
    """Double a number, badly."""
    return LangChainMessage(str(2 * n), tool_call_id=id, status="error", artifact=[n])


@tool
def with_config(n: int, config: RunnableConfig, user: Annotated[str, InjectedToolArg] = "u") -> str:
    """Double a number, and name the tags of the run."""
    return f"{2 * n} {config['tags']} {user}"


@tool
def failing(n: int) -> int:
    """Fail."""
    raise LookupError("gone")


TOOLS: dict[str, tuple[BaseTool, dict[str, Any]]] = {
    "double": (double, {"content": "4"}),
    "adouble": (adouble, {"content": "4"}),
    "structured": (structured, {"content": "4"}),
    "doubling": (Doubling(), {"content": "4"}),
    "with_artifact": (with_artifact, {"content": "4", "artifact": [2]}),
    "with_message": (with_message, {"content": "4", "artifact": [2], "status": "error"}),
    "with_config": (with_config, {"content": "4 ['t'] u"}),
    "failing": (failing, {"content": "LookupError: gone", "status": "error"}),
}


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_runs_in_the_loop(name: str, way: str) -> None:
    """The model sees its name and arguments; the result keeps status and artifact."""
    given, expected = TOOLS[name]
    call: Any = {"name": name, "args": {"n": 2}, "id": "c1"}
    chat = ScriptedChatModel([AIMessage("", tool_calls=[call]), "Done."])
    config: Any = {"tags": ["t"]}
    if way == "sync":
        messages = run_tools(chat, [given], "Go.", config=config)
    else:
        messages = asyncio.run(arun_tools(chat, [given], "Go.", config=config))
        if name == "structured":
            expected = {"content": "4 awaited"}
    assert messages[1] == ToolMessage(name=name, tool_call_id="c1", **expected)
    assert list(to_openai_tool(given)["function"]["parameters"]["properties"]) == ["n"]


def test_calls_of_a_bound_tool_are_checked() -> None:
    """As those of chatnb's tools."""
    call: Any = {"name": "double", "args": {}, "id": "c1"}
    chat = ScriptedChatModel([AIMessage("", tool_calls=[call])]).bind_tools([double, structured])
    [invalid] = chat.invoke("?").invalid_tool_calls
    assert "do not fit double" in str(invalid["error"])


def test_a_message_of_langchains_may_come_from_a_tool_of_chatnbs() -> None:
    """It becomes one of chatnb's."""
    made = Tool(lambda: LangChainMessage("a", tool_call_id="", status="error"), name="f")
    call: Any = {"name": "f", "args": {}, "id": "c1", "type": "tool_call"}
    assert made.invoke(call) == ToolMessage("a", tool_call_id="c1", name="f", status="error")


def test_tools_go_both_ways() -> None:
    """`to_langchain` and `from_langchain` keep name, description, arguments and artifacts."""

    def weigh(bird: str, times: int = 1) -> tuple[str, int]:
        """Weigh a bird."""
        return f"{bird}: {times} kg", times

    ours = Tool(weigh, response_format="content_and_artifact")
    theirs = to_langchain(ours)
    assert isinstance(theirs, BaseTool)
    assert (theirs.name, theirs.description) == ("weigh", "Weigh a bird.")
    assert set(theirs.args) == {"bird", "times"}
    call: Any = {
        "name": "weigh",
        "args": {"bird": "heron", "times": 2},
        "id": "c",
        "type": "tool_call",
    }
    message = theirs.invoke(call)
    assert (message.content, message.artifact, message.tool_call_id) == ("heron: 2 kg", 2, "c")
    back = from_langchain(theirs)
    answer = back.invoke(call)
    assert (answer.text, answer.artifact) == ("heron: 2 kg", 2)
    assert to_langchain(back) is theirs
