"""One rule for the models, chains and functions that reply in cells and panels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from langchain_core.language_models import FakeListChatModel
from langchain_core.runnables import RunnableLambda as LangChainLambda

from chatnb import ChatPanel, ask
from chatnb.chat_models import ScriptedChatModel, init_chat_model
from chatnb.errors import UnknownModelError
from chatnb.notebook import register
from chatnb.notebook.chats import SessionModels, runnable_from_chat
from chatnb.prompts import ChatPromptTemplate
from chatnb.runnables import RunnableLambda
from chatnb.schema import AIMessage, AIMessageChunk, BaseMessage
from chatnb.tools import ToolLoop, tool


def text(messages: list[BaseMessage]) -> str:
    return "Hello."


def generator(messages: list[BaseMessage]) -> Iterator[str]:
    yield from ("Hel", "lo.")


async def coroutine(messages: list[BaseMessage]) -> AIMessage:
    return AIMessage("Hello.")


async def async_generator(messages: list[BaseMessage]) -> AsyncIterator[AIMessageChunk]:
    for piece in ("Hel", "lo."):
        yield AIMessageChunk(piece)


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def tool_loop() -> ToolLoop:
    call: Any = {"name": "add", "args": {"a": 1, "b": 2}, "id": "c1", "type": "tool_call"}
    return ToolLoop(ScriptedChatModel([AIMessage("", tool_calls=[call]), "Hello."]), [add])


def chain() -> Any:
    prompt = ChatPromptTemplate.from_messages([("human", "{text}")])
    last: Any = RunnableLambda(lambda messages: {"text": messages[-1].text})  # type: ignore[index]
    return last | prompt | ScriptedChatModel(["Hello."])


def chain_of_messages() -> Any:
    prompt = [("system", "Be brief."), ("placeholder", "{messages}")]
    return ChatPromptTemplate.from_messages(prompt) | ScriptedChatModel(["Hello."])


CHATS: dict[str, Callable[[], Any]] = {
    "chain of messages": chain_of_messages,
    "configurable model": lambda: init_chat_model("scripted:Hello.", configurable_fields="any"),
    "name": lambda: "scripted:Hello.",
    "model": lambda: ScriptedChatModel(["Hello."]),
    "bound model": lambda: ScriptedChatModel(["Hello."]).bind(temperature=1),
    "chain": chain,
    "tool loop": tool_loop,
    "LangChain model": lambda: FakeListChatModel(responses=["Hello."]),
    "LangChain chain": lambda: (
        LangChainLambda(lambda messages: messages) | FakeListChatModel(responses=["Hello."])
    ),
    "function": lambda: text,
    "generator": lambda: generator,
    "coroutine": lambda: coroutine,
    "async generator": lambda: async_generator,
}

chats = pytest.mark.parametrize("make", CHATS.values(), ids=CHATS)


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    register(bare_shell)
    return bare_shell


@chats
def test_every_chat_replies_in_a_cell(shell: InteractiveShell, make: Callable[[], Any]) -> None:
    """`-m` takes a variable with any of them."""
    shell.push({"chat": make()})
    assert shell.run_cell("%%chat -m chat\nHi").success
    assert shell.user_ns["_reply"].text == "Hello."


@chats
def test_every_chat_is_a_default(shell: InteractiveShell, make: Callable[[], Any]) -> None:
    """`%chat use` takes it, and cells without `-m` get its reply."""
    shell.push({"chat": make()})
    assert shell.run_cell("%chat use chat").success
    assert shell.run_cell("%%chat\nHi").success
    assert shell.user_ns["_reply"].text == "Hello."


@chats
def test_every_chat_is_compared(shell: InteractiveShell, make: Callable[[], Any]) -> None:
    """`--compare` puts it beside a model."""
    shell.push({"chat": make()})
    assert shell.run_cell("%%chat --compare chat,scripted:Other\nHi").success
    assert {name: reply.text for name, reply in shell.user_ns["_reply"].items()} == {
        "chat": "Hello.",
        "scripted:Other": "Other",
    }


@chats
def test_every_chat_replies_in_a_panel_and_to_ask(make: Callable[[], Any]) -> None:
    """`ChatPanel(...)` and `ask` take it as it is."""
    panel = ChatPanel(make())
    assert panel.ask("Hi").result(60).text == "Hello."
    panel.close()
    assert ask("Hi", make()).result(60).text == "Hello."


@pytest.mark.parametrize("value", [7, int, [ScriptedChatModel(["x"])], tool(add), "no model"])
def test_what_is_no_chat_is_refused(value: object) -> None:
    """The error names the variable, and says what replies."""
    with pytest.raises(UnknownModelError, match="The variable thing holds no chat model"):
        SessionModels().get("thing", {"thing": value})
    with pytest.raises((TypeError, UnknownModelError)):
        runnable_from_chat(value)


@pytest.mark.parametrize("option", ["-t 0.5", "--max-tokens 7"])
def test_a_chain_takes_no_options_of_models(shell: InteractiveShell, option: str) -> None:
    """An option that nothing could follow is refused; defaults of the session are left out."""
    shell.push({"chat": text})
    assert not shell.run_cell(f"%%chat -m chat {option}\nHi").success
    shell.run_cell("%chat config temperature=0.5 max_tokens=7")
    assert shell.run_cell("%%chat -m chat\nHi").success
