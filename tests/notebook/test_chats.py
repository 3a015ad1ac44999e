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
from chatnb.notebook.chats import (
    SessionModels,
    find_chat_model,
    get_chat_name,
    repeated,
    reply_part,
    runnable_from_chat,
)
from chatnb.prompts import ChatPromptTemplate
from chatnb.runnables import RunnableLambda
from chatnb.schema import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
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


@pytest.mark.parametrize(
    ("output", "part"),
    [
        ("Hi", AIMessageChunk("Hi")),
        (AIMessageChunk("Hi", id="a"), AIMessageChunk("Hi", id="a")),
        (ToolMessage("3", tool_call_id="c"), ToolMessage("3", tool_call_id="c")),
        (AIMessage("Hi"), AIMessageChunk("Hi")),
        (HumanMessage("Hi"), AIMessageChunk("Hi")),
    ],
)
def test_what_a_chat_streams_is_a_part_of_the_reply(output: object, part: object) -> None:
    """Text and messages of every kind."""
    found = reply_part(output)
    assert type(found) is type(part)
    assert found.content == part.content  # type: ignore[attr-defined]


@pytest.mark.parametrize("output", [None, 7, b"Hi", ["Hi"], {"text": "Hi"}])
def test_anything_else_is_no_part(output: object) -> None:
    """The error shows it."""
    with pytest.raises(TypeError) as caught:
        reply_part(output)
    assert str(caught.value) == (
        f"Cells and panels show text and messages; the chat gave {output!r:.80}"
    )


def test_names_that_occur_twice_are_told_once() -> None:
    """In their order."""
    assert repeated([]) == repeated(["a", "b"]) == []
    assert repeated(["b", "a", "b", "c", "a", "b"]) == ["b", "a"]


def test_a_session_makes_a_model_once_for_each_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a variable wins over a model of the same name."""
    models = SessionModels()
    first = models.get("scripted:Hello.", {})
    assert models.get("scripted:Hello.", {}) is first
    assert models.get("name", {"name": "scripted:Hello."}) is first
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    assert models.get("scripted:Hello.", {}) is not first
    chosen = ScriptedChatModel(["Hi."])
    assert models.get("scripted:Hello.", {"scripted:Hello.": chosen}) is chosen
    for value in (7, "no-such-provider:x"):
        with pytest.raises(UnknownModelError, match=r"^The variable mine holds no chat model\. "):
            models.get("mine", {"mine": value})


def test_the_name_of_a_chat_is_that_of_its_model() -> None:
    """Inside of bindings and tool loops; a chain has its own, and no model."""
    model = ScriptedChatModel(["Hi."], model_name="oracle")
    for chat in (model, model.bind(temperature=1), ToolLoop(model.bind(stop=["x"]), [add])):
        assert find_chat_model(chat) is model
        assert get_chat_name(chat) == "oracle"
    chain = RunnableLambda(text)
    assert find_chat_model(chain) is None
    assert get_chat_name(chain) == chain.get_name()
