"""The requests of a panel and their updates, as a browser sees them."""

from __future__ import annotations

import asyncio
import base64
import gc
import sqlite3
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from weakref import ref

import pytest

from chatnb import ChatPanel, Conversation, ScriptedChatModel
from chatnb.chat_models import ChatOpenAI
from chatnb.conversations.paths import NodePath
from chatnb.errors import ServerError
from chatnb.errors.documentation import see_section
from chatnb.notebook.panel import controller
from chatnb.notebook.panel.backend import PanelBackend
from chatnb.schema import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from chatnb.store import Node, Store
from chatnb.tools import Reject, Tool
from tests.support.loopback import LoopbackServer, delta, event, head, refusal, saying
from tests.support.panel_controllers import PanelDriver, browser_from_updates

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(16)).decode()


def calling(*calls: tuple[str, dict[str, Any]], text: str = "") -> AIMessage:
    made = [
        {"name": name, "args": args, "id": f"c{number}"}
        for number, (name, args) in enumerate(calls)
    ]
    return AIMessage(text, tool_calls=made)  # type: ignore[arg-type]


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def names(messages: list[BaseMessage]) -> list[str]:
    return [f"{message.type}: {message.text}" for message in messages]


async def test_a_turn_streams_and_ends_on_disk() -> None:
    """The question is shown first, the reply grows, and both are in the store in the end."""
    driver = PanelDriver(ScriptedChatModel(["One two three."], delay=0.01))
    await driver.send({"type": "send", "text": "Hi"})
    await driver.until(lambda browser: browser.texts == ["Hi", "One"])
    assert driver.browser.state["running"]
    assert driver.browser.last["status"] == "streaming"
    await driver.controller.wait_idle()
    assert driver.browser.texts == ["Hi", "One two three."]
    assert driver.browser.last["status"] == "done"
    assert driver.browser.last["footer"].startswith("scripted · ")
    assert not driver.browser.state["running"]
    assert [message["type"] for message in driver.browser.received].count("delta") == 3
    assert names(Conversation("panel").messages) == ["human: Hi", "ai: One two three."]


@pytest.mark.parametrize("end", ["done", "stopped", "failed"])
async def test_a_reply_whose_end_cannot_be_written_is_shown_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """It has its text and its end, and the panel says what is wrong with the disk."""
    monkeypatch.setenv("CHATNB_STORE", str(tmp_path / "locked.db"))
    go_on = asyncio.Event()

    async def chat(_: object) -> AsyncIterator[str]:
        yield "Half "
        await go_on.wait()
        yield "whole."
        if end == "failed":
            raise ValueError("broken")

    driver = PanelDriver(chat)
    await driver.send({"type": "send", "text": "Hi"})
    await driver.until(lambda browser: "Half " in browser.texts)
    with closing(sqlite3.connect(tmp_path / "locked.db", timeout=60)) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        with monkeypatch.context() as patched:
            patched.setattr("chatnb.store.database._BUSY_SECONDS", 0.1)
            await driver.send({"type": "stop"}) if end == "stopped" else go_on.set()
            await driver.controller.wait_idle()
    text = "Half " if end == "stopped" else "Half whole."
    shown = driver.browser.last
    assert (shown["text"], shown["status"]) == (text, end)
    assert (shown["error"] is not None) == (end == "failed")
    assert "locked" in driver.browser.state["error"]
    assert not driver.browser.state["running"]


async def test_what_is_shown_is_on_disk_before() -> None:
    """A message that a browser shows is in the store already."""
    driver = PanelDriver("scripted:Hello.")
    wake = driver.wake

    def wake_and_compare() -> None:
        wake()
        kept = [node.id for node in Conversation("panel").path()]
        assert [item["id"] for item in driver.browser.items] == kept

    driver.wake = wake_and_compare  # type: ignore[method-assign]
    await driver.ask("Hi")
    assert len(driver.browser.items) == 2


async def test_the_model_hears_what_was_said_before() -> None:
    """The system prompt and the path go with each question."""
    heard = list[list[BaseMessage]]()

    async def chat(messages: list[BaseMessage]) -> str:
        heard.append(messages)
        return f"Reply {len(heard)}"

    driver = PanelDriver(chat)
    await driver.send({"type": "change_settings", "settings": {"system": "Be brief."}})
    await driver.ask("One")
    await driver.ask("Two")
    assert heard[1] == [
        SystemMessage("Be brief."),
        HumanMessage("One"),
        AIMessage("Reply 1"),
        HumanMessage("Two"),
    ]


async def async_text(messages: list[BaseMessage]) -> str:
    return "Hello there."


async def async_message(messages: list[BaseMessage]) -> AIMessage:
    return AIMessage("Hello there.")


async def async_pieces(messages: list[BaseMessage]) -> AsyncIterator[str]:
    yield "Hello "
    yield "there."


async def async_chunks(messages: list[BaseMessage]) -> AsyncIterator[AIMessageChunk]:
    yield AIMessageChunk("Hello ")
    yield AIMessageChunk("there.")


def blocking_text(messages: list[BaseMessage]) -> str:
    time.sleep(0.01)
    return "Hello there."


@pytest.mark.parametrize(
    "chat",
    [
        "scripted:Hello there.",
        ScriptedChatModel(["Hello there."]),
        ScriptedChatModel(["Hello there."]).bind(stop=["x"]),
        ScriptedChatModel(["Hello there."]) | (lambda message: message.text),
        async_text,
        async_message,
        async_pieces,
        async_chunks,
        blocking_text,
    ],
)
async def test_anything_that_answers_messages_can_be_behind_a_panel(chat: Any) -> None:
    """Models, names, chains and functions of any kind give the same conversation."""
    driver = PanelDriver(chat)
    await driver.ask("Hi")
    assert driver.browser.state["error"] is None
    assert driver.browser.texts == ["Hi", "Hello there."]
    assert Conversation("panel").messages[-1].text == "Hello there."


async def test_a_model_of_langchain_can_be_behind_a_panel() -> None:
    """It is taken as it is."""
    from langchain_core.language_models import FakeListChatModel

    driver = PanelDriver(FakeListChatModel(responses=["Hello there."]))
    await driver.ask("Hi")
    assert driver.browser.texts == ["Hi", "Hello there."]


async def test_a_chat_that_gives_something_else_is_told() -> None:
    """An output that is neither text nor a message fails the turn with the reason."""
    driver = PanelDriver(lambda messages: {"answer": 42})
    await driver.ask("Hi")
    assert "show text and messages" in driver.browser.last["error"]
    assert driver.browser.last["status"] == "failed"


REASONS = [{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": "So."}]


@pytest.mark.parametrize(
    ("reply", "ending"),
    [
        ([AIMessageChunk(REASONS[:1]), AIMessageChunk("So.")], "done"),
        ([AIMessageChunk("", additional_kwargs={"reasoning_content": part}) for part in ("H", "m.")]
         + [AIMessageChunk("So.")], "done"),
        ([AIMessage(REASONS)], "done"),
        ([AIMessageChunk(REASONS[:1]), AIMessageChunk("So."), ServerError("Busy.")], "failed"),
    ],
)  # fmt: skip
async def test_reasoning_comes_beside_the_text(reply: list[Any], ending: str) -> None:
    """It streams as a field of its own, before the text; it is there when the panel is opened
    again, also of a reply that failed, and the model gets it back."""
    heard = list[list[BaseMessage]]()

    async def chat(messages: list[BaseMessage]) -> AsyncIterator[Any]:
        heard.append(messages)
        for part in reply:
            if isinstance(part, Exception):
                raise part
            yield part

    driver = PanelDriver(chat)
    await driver.ask("Hi")
    deltas = [told for told in driver.browser.received if told["type"] == "delta"]
    grown = {field: [d["text"] for d in deltas if d["field"] == field] for field in FIELDS}
    assert {field: "".join(parts) for field, parts in grown.items()} == FIELDS
    assert deltas[0]["field"] == "reasoning"
    for browser in (driver.browser, PanelDriver(chat).browser):
        assert {field: browser.last[field] for field in FIELDS} == FIELDS
        assert browser.last["status"] == ending
    assert Conversation("panel").messages[-1].reasoning == "Hm."  # type: ignore[attr-defined]
    await driver.ask("And?")
    assert heard[1][1].reasoning == "Hm."  # type: ignore[attr-defined]


FIELDS = {"reasoning": "Hm.", "text": "So."}


async def test_a_stop_keeps_what_has_come() -> None:
    """The reply ends at once, marked, in the panel and on disk; the next turn works."""
    driver = PanelDriver(ScriptedChatModel(["word " * 1000, "Fine."], delay=0.005))
    await driver.send({"type": "send", "text": "Go on"})
    await driver.until(lambda browser: browser.texts[-1:] > ["word word word"])
    await driver.send({"type": "stop"})
    async with asyncio.timeout(10):
        await driver.controller.wait_idle()
    assert driver.browser.last["status"] == "stopped"
    kept = Conversation("panel").messages[-1]
    assert kept.text == driver.browser.last["text"]
    assert kept.response_metadata["finish_reason"] == "stopped"
    assert driver.browser.state["error"] is None
    await driver.ask("And now?")
    assert driver.browser.texts[-1] == "Fine."


async def test_a_stop_does_not_wait_for_a_function_that_blocks() -> None:
    """A function that cannot be interrupted is left behind."""
    held = threading.Event()

    def chat(messages: list[BaseMessage]) -> str:
        held.wait(60)
        return "Too late."

    driver = PanelDriver(chat)
    await driver.send({"type": "send", "text": "Hi"})
    await driver.until(lambda browser: len(browser.items) == 2)
    await driver.send({"type": "stop"})
    async with asyncio.timeout(10):
        await driver.controller.wait_idle()
    held.set()
    assert driver.browser.last["status"] == "stopped"


async def test_a_failure_is_shown_with_what_to_do(loopback: LoopbackServer) -> None:
    """The hint stands at the reply alone, on disk too; the question is kept, and the reply can be
    asked for again."""
    loopback.plays(refusal("401 Unauthorized", "Incorrect API key: sk-for-loopback."))
    driver = PanelDriver(ChatOpenAI("m", api_key="sk-for-loopback", base_url=loopback.base_url))
    await driver.ask("Hi")
    hint = "Incorrect API key: ***. Check the API key (OPENAI_API_KEY)."
    line = f"{hint} {see_section('providers')}"
    assert (driver.browser.state["error"], driver.browser.last["error"]) == (None, line)
    assert driver.browser.texts == ["Hi", ""]
    again = PanelDriver("scripted:Hello.")
    assert again.browser.last["error"] == line
    await again.send({"type": "regenerate", "id": again.browser.last["id"]})
    await again.controller.wait_idle()
    assert again.browser.texts == ["Hi", "Hello."]
    assert again.browser.state["error"] is None


async def test_what_came_before_a_failure_stays() -> None:
    """The partial reply is shown and kept."""
    driver = PanelDriver(ScriptedChatModel([["Half a ", "reply", ServerError("Overloaded.")]]))
    await driver.ask("Hi")
    assert driver.browser.last["text"] == "Half a reply"
    assert (driver.browser.last["status"], driver.browser.last["error"]) == (
        "failed",
        "Overloaded.",
    )
    assert Conversation("panel").messages[-1].text == "Half a reply"


async def test_an_edit_is_another_branch() -> None:
    """The old question and its answer stay, one step to the left."""
    driver = PanelDriver(ScriptedChatModel(["First.", "Second."]))
    await driver.ask("Hi")
    before = [item["id"] for item in driver.browser.items]
    await driver.send({"type": "edit", "id": before[0], "text": "Hello"})
    await driver.controller.wait_idle()
    assert driver.browser.texts == ["Hello", "Second."]
    branch = driver.browser.items[0]["branch"]
    assert branch == {"index": 2, "count": 2, "previous": before[0], "next": None}
    await driver.send({"type": "select_branch", "id": before[0]})
    assert [item["id"] for item in driver.browser.items] == before
    assert driver.browser.texts == ["Hi", "First."]
    assert driver.browser.items[0]["branch"]["next"] is not None


async def test_a_regenerated_reply_is_another_branch() -> None:
    """The reply is asked for again with the same question; both can be seen."""
    driver = PanelDriver(ScriptedChatModel(["First.", "Second."]))
    await driver.ask("Hi")
    first = driver.browser.last["id"]
    await driver.send({"type": "regenerate", "id": first})
    await driver.controller.wait_idle()
    assert driver.browser.texts == ["Hi", "Second."]
    assert driver.browser.last["branch"]["previous"] == first
    await driver.send({"type": "select_branch", "id": first})
    assert driver.browser.texts == ["Hi", "First."]


async def test_a_deleted_message_takes_along_what_follows() -> None:
    """The path ends before it; on disk it can be brought back."""
    driver = PanelDriver(ScriptedChatModel(["First.", "Second."]))
    await driver.ask("One")
    await driver.ask("Two")
    third = driver.browser.items[2]["id"]
    await driver.send({"type": "delete", "id": third})
    assert driver.browser.texts == ["One", "First."]
    Conversation("panel").restore(third)
    await driver.controller.refresh()
    assert driver.browser.texts == ["One", "First.", "Two", "Second."]


async def test_nothing_is_lost_of_what_is_sent_while_a_reply_comes() -> None:
    """It is refused with the reason, so that the browser keeps it; the reply goes on."""
    driver = PanelDriver(ScriptedChatModel(["word " * 30], delay=0.005))
    await driver.send({"type": "send", "text": "Hi"})
    await driver.until(lambda browser: len(browser.items) == 2)
    first = driver.browser.items[0]["id"]
    for content in (
        {"type": "send", "text": "And?"},
        {"type": "edit", "id": first, "text": "And?"},
        {"type": "regenerate", "id": first},
        {"type": "delete", "id": first},
        {"type": "select_branch", "id": first},
    ):
        await driver.send(content)
        assert "A reply is still coming" in driver.browser.state["error"]
    await driver.controller.wait_idle()
    assert driver.browser.texts == ["Hi", "word " * 30]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ({"type": "send", "text": " \n"}, "There is nothing to send."),
        ({"type": "edit", "id": "{reply}", "text": "x"}, "Only your own messages can be edited."),
        ({"type": "regenerate", "id": "{question}"}, "Only replies can be made again."),
        ({"type": "delete", "id": "none"}, "The conversation 'panel' has no message 'none'"),
        ({"type": "edit", "id": "none", "text": "x"},
         "The conversation 'panel' has no message 'none'"),
        ({"type": "send", "text": "x", "variables": ["gone"]},
         "There is no variable gone any more. Nothing was sent."),
        ({"type": "change_settings", "settings": {"model": "nothing:x"}},
         "No chat model is called 'nothing:x'. Write "),
        ({"type": "change_settings", "settings": {"temperature": 0.5}},
         "This chat is no model but a chain of its own; set the temperature in there."),
    ],
)  # fmt: skip
async def test_a_request_that_cannot_be_met_is_told(content: dict[str, Any], line: str) -> None:
    """In a line for the person, without a type or quotes around it; what was said stays, and the
    line goes with the next turn."""
    driver = PanelDriver(lambda messages: "Hello.")
    await driver.ask("Hi")
    question, reply = (item["id"] for item in driver.browser.items)
    filled = {
        key: value.format(question=question, reply=reply) if isinstance(value, str) else value
        for key, value in content.items()
    }
    await driver.send(filled)
    await driver.controller.wait_idle()
    assert driver.browser.state["error"].startswith(line)
    assert driver.browser.texts == ["Hi", "Hello."]
    await driver.ask("Again")
    assert (driver.browser.state["error"], driver.browser.texts[-1]) == (None, "Hello.")


async def test_an_error_without_a_message_is_told_by_its_type() -> None:
    """Any error of a model's constructor or function is shown as a line."""
    for error, line in (
        (ValueError(), "ValueError"),
        (KeyError("name"), "name"),
        (ZeroDivisionError("by\nzero"), "ZeroDivisionError: by zero"),
        (ServerError("x" * 10_000), "x" * 2_000),
        (SystemExit(), "SystemExit"),
    ):
        driver = PanelDriver("scripted:Hello.")

        async def fail(error: BaseException = error) -> None:
            raise error

        await driver.controller._attempt(fail())
        assert driver.browser.state["error"] == line


async def test_a_message_that_is_sent_twice_is_taken_once() -> None:
    """A browser that heard nothing repeats itself, with the same mark."""
    driver = PanelDriver(ScriptedChatModel(["First.", "Second."]))
    message = {"type": "send", "text": "Hi", "attachments": [], "nonce": "n1"}
    for _ in range(2):
        await driver.send(message)
        await driver.controller.wait_idle()
    assert driver.browser.texts == ["Hi", "First."]


async def test_settings_hold_and_are_kept() -> None:
    """Another model answers from the next turn on, and after a restart; keys are not kept."""
    driver = PanelDriver(None)
    await driver.send(
        {
            "type": "change_settings",
            "settings": {"model": "scripted:One.", "temperature": 0.5, "system": "Hm."},
        }
    )
    await driver.ask("Hi")
    assert driver.browser.texts[-1] == "One."
    state = driver.browser.state
    assert (state["model"], state["temperature"], state["system"]) == ("scripted:One.", 0.5, "Hm.")
    again = PanelDriver(None)
    assert again.browser.state["model"] == "scripted:One."
    assert again.browser.state["temperature"] == 0.5
    await again.send({"type": "change_settings", "settings": {"temperature": None}})
    assert again.browser.state["temperature"] is None


async def test_a_model_that_does_not_exist_changes_nothing() -> None:
    """The reason is said, and the old model goes on answering."""
    driver = PanelDriver("scripted:One.")
    await driver.send(
        {"type": "change_settings", "settings": {"model": "opnai:gpt", "temperature": 1.0}}
    )
    assert "Did you mean openai" in driver.browser.state["error"]
    assert driver.browser.state["model"] == "scripted:One."
    assert driver.browser.state["temperature"] is None
    await driver.ask("Hi")
    assert driver.browser.texts[-1] == "One."


async def test_a_chain_can_be_left_and_come_back_to() -> None:
    """The chat that the panel was made with stays among its models."""
    driver = PanelDriver(async_text)
    assert driver.browser.state["model"] == "async_text"
    await driver.send({"type": "change_settings", "settings": {"temperature": 1}})
    assert "chain" in driver.browser.state["error"]
    await driver.send({"type": "change_settings", "settings": {"model": "scripted:One."}})
    assert "async_text" in driver.browser.state["models"]
    await driver.send({"type": "change_settings", "settings": {"model": "async_text"}})
    await driver.ask("Hi")
    assert driver.browser.texts[-1] == "Hello there."


# Tools.


def states(driver: PanelDriver, index: int = -1) -> list[tuple[str, str]]:
    return [(call["state"], call["result"]) for call in driver.browser.items[index]["tool_calls"]]


async def test_a_call_waits_for_the_word_and_is_made() -> None:
    """It is shown with its arguments; once it is allowed the tool runs and the model goes on."""
    chat = ScriptedChatModel([calling(("add", {"a": 1, "b": 2}), text="Let me see."), "It is 3."])
    driver = PanelDriver(chat, tools=[add])
    await driver.send({"type": "send", "text": "1 + 2?"})
    await driver.until(lambda browser: browser.items[-1:] and browser.last["status"] == "waiting")
    (call,) = driver.browser.last["tool_calls"]
    assert (call["name"], call["state"]) == ("add", "asking")
    assert call["arguments"] == '{\n  "a": 1,\n  "b": 2\n}'
    await driver.send({"type": "decide", "call": call["id"], "decision": "once", "reason": ""})
    await driver.controller.wait_idle()
    assert driver.browser.texts == ["1 + 2?", "Let me see.", "It is 3."]
    assert states(driver, 1) == [("done", "3")]
    assert [m.type for m in Conversation("panel").messages] == ["human", "ai", "tool", "ai"]


async def test_a_rejection_is_told_to_the_model() -> None:
    """With its reason, in the words that the model reads."""
    chat = ScriptedChatModel([calling(("add", {"a": 1, "b": 2})), "Then not."])
    driver = PanelDriver(chat, tools=[add])
    await driver.send({"type": "send", "text": "1 + 2?"})
    await driver.until(lambda browser: browser.items[-1:] and browser.last["status"] == "waiting")
    (call,) = driver.browser.last["tool_calls"]
    await driver.send(
        {"type": "decide", "call": call["id"], "decision": "reject", "reason": "Too easy."}
    )
    await driver.controller.wait_idle()
    assert states(driver, 1) == [("rejected", "The call was rejected: Too easy.")]
    assert PanelDriver(chat, tools=[add]).browser.items[1]["tool_calls"][0]["state"] == "rejected"


async def test_a_tool_that_is_always_allowed_is_asked_for_once() -> None:
    """The word holds for the calls beside it, the turns after it, and after a restart."""
    twice = calling(("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4}))
    driver = PanelDriver(ScriptedChatModel([twice, "Done."]), tools=[add])
    await driver.send({"type": "send", "text": "Go"})
    await driver.until(lambda browser: browser.items[-1:] and browser.last["status"] == "waiting")
    assert [state for state, _ in states(driver)] == ["asking", "asking"]
    second = driver.browser.last["tool_calls"][1]["id"]
    await driver.send({"type": "decide", "call": second, "decision": "always", "reason": ""})
    await driver.controller.wait_idle()
    assert states(driver, 1) == [("done", "3"), ("done", "7")]
    again = PanelDriver(ScriptedChatModel([twice, "Done."]), tools=[add])
    await again.ask("Again")
    assert again.browser.texts[-1] == "Done."
    assert states(again, 4) == [("done", "3"), ("done", "7")]


@pytest.mark.parametrize("changed", ["function", "notebook"])
async def test_another_function_of_that_name_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    """A function in a notebook is allowed, and not whatever has its name."""
    chat = ScriptedChatModel([calling(("add", {"a": 1, "b": 2})), "Done."])
    driver = PanelDriver(chat, tools=[add])
    await driver.send({"type": "send", "text": "Go"})
    await driver.until(lambda browser: browser.items[-1:] and browser.last["status"] == "waiting")
    call = driver.browser.last["tool_calls"][0]["id"]
    await driver.send({"type": "decide", "call": call, "decision": "always", "reason": ""})
    await driver.controller.wait_idle()
    tool: Any = add
    if changed == "function":

        def other(a: int, b: int) -> int:
            return a - b

        tool = Tool(other, name="add")
    else:
        monkeypatch.setattr("chatnb.notebook.approvals.get_ipython", lambda: True)
        monkeypatch.setattr("chatnb.notebook.approvals.notebook_path", lambda _: "b.ipynb")
    again = PanelDriver(chat, tools=[tool])
    await again.send({"type": "send", "text": "Again"})
    await again.until(lambda browser: browser.items[-1:] and browser.last["status"] == "waiting")
    assert [state for state, _ in states(again)] == ["asking"]
    await again.send({"type": "stop"})
    await again.controller.wait_idle()


async def test_calls_are_decided_one_by_one_in_any_order() -> None:
    """One is rejected and the other allowed, the second one first."""
    twice = calling(("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4}))
    driver = PanelDriver(ScriptedChatModel([twice, "Done."]), tools=[add])
    await driver.send({"type": "send", "text": "Go"})
    await driver.until(lambda browser: browser.items[-1:] and browser.last["status"] == "waiting")
    first, second = (call["id"] for call in driver.browser.last["tool_calls"])
    await driver.send({"type": "decide", "call": second, "decision": "reject", "reason": ""})
    assert [state for state, _ in states(driver)] == ["asking", "rejected"]
    await driver.send({"type": "decide", "call": first, "decision": "once", "reason": ""})
    await driver.controller.wait_idle()
    assert [state for state, _ in states(driver, 1)] == ["done", "rejected"]


async def test_a_stop_while_a_call_waits_ends_the_turn() -> None:
    """The tool does not run; the call says so, and the next question is one a model accepts."""
    ran = list[int]()

    def tool() -> str:
        """Do it."""
        ran.append(1)
        return "done"

    heard = list[list[BaseMessage]]()

    class Recording(ScriptedChatModel):
        async def _astream(
            self, messages: Any, **params: Any
        ) -> AsyncGenerator[AIMessageChunk, None]:
            heard.append(messages)
            async for chunk in super()._astream(messages, **params):
                yield chunk

    driver = PanelDriver(Recording([calling(("tool", {})), "Fine."]), tools=[tool])
    await driver.send({"type": "send", "text": "Go"})
    await driver.until(lambda browser: browser.items[-1:] and browser.last["status"] == "waiting")
    await driver.send({"type": "stop"})
    async with asyncio.timeout(10):
        await driver.controller.wait_idle()
    assert states(driver) == [("rejected", "The call was not made.")]
    await driver.ask("Something else")
    assert ran == []
    assert [message.type for message in heard[-1]] == ["human", "ai", "tool", "human"]


async def test_a_call_that_a_stop_ends_is_not_called_rejected() -> None:
    """It has begun: the panel and the next request say that it was stopped while it ran, of that
    call alone."""
    begun = asyncio.Event()

    async def slow() -> str:
        """Take long."""
        begun.set()
        await asyncio.Event().wait()
        return "done"

    def other() -> str:
        """Do something else."""
        raise AssertionError("it was rejected")

    model = ScriptedChatModel([calling(("slow", {}), ("other", {})), "Fine."])
    driver = PanelDriver(model, tools=[slow, other], approve=lambda call: call["name"] == "slow")
    await driver.send({"type": "send", "text": "Go"})
    await asyncio.wait_for(begun.wait(), 60)
    await driver.send({"type": "stop"})
    await driver.controller.wait_idle()
    assert [state for state, _ in states(driver)] == ["failed", "rejected"]
    assert "stopped while it ran" in states(driver)[0][1]
    await driver.ask("And now?")
    assert driver.browser.last["text"] == "Fine."


async def test_pictures_of_results_are_shown_with_their_calls() -> None:
    """As those of a figure that code has drawn."""

    def draw() -> list[Any]:
        """Draw."""
        url = {"url": f"data:image/png;base64,{PNG}"}
        return [{"type": "text", "text": "A line."}, {"type": "image_url", "image_url": url}]

    driver = PanelDriver(
        ScriptedChatModel([calling(("draw", {})), "Drawn."]),
        tools=[draw],
        approve=lambda call: True,
    )
    await driver.ask("Go")
    [picture] = driver.browser.items[1]["attachments"]
    assert (picture["mime"], picture["data"]) == ("image/png", PNG)
    assert driver.browser.last["attachments"] == []


async def test_a_tool_that_fails_is_told_and_shown() -> None:
    """The panel says failed, the model gets the error."""

    def broken() -> str:
        """Break."""
        raise OSError("No disk.")

    driver = PanelDriver(
        ScriptedChatModel([calling(("broken", {})), "Sorry."]),
        tools=[broken],
        approve=lambda call: True,
    )
    await driver.ask("Go")
    assert states(driver, 1) == [("failed", "OSError: No disk.")]


async def test_messages_of_a_tool_and_a_tool_of_langchain_are_shown_with_their_calls() -> None:
    """Several messages for one call do not shift the results of the next."""
    from langchain_core.tools import tool

    def twice() -> list[ToolMessage]:
        return [ToolMessage(text, tool_call_id="", status="error") for text in ("a", "b")]

    @tool
    def double(n: int) -> int:
        """Double a number."""
        return 2 * n

    driver = PanelDriver(
        ScriptedChatModel([calling(("twice", {}), ("double", {"n": 2})), "Done."]),
        tools=[twice, double],
        approve=lambda call: True,
    )
    await driver.ask("Go")
    (first, second) = states(driver, 1)
    assert first[0] == "failed"
    assert second == ("done", "4")
    results = [m.text for m in Conversation("panel").messages if isinstance(m, ToolMessage)]
    assert results == ["a", "b", "4"]


async def test_a_function_may_approve_in_place_of_the_person() -> None:
    """Blocking or not; what it rejects is rejected, and nobody is asked."""

    async def approve(call: Any) -> bool | Reject:
        return call["args"]["a"] == 1 or Reject("Only ones.")

    twice = calling(("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4}))
    driver = PanelDriver(ScriptedChatModel([twice, "Done."]), tools=[add], approve=approve)
    await driver.ask("Go")
    assert states(driver, 1) == [("done", "3"), ("rejected", "The call was rejected: Only ones.")]


async def test_a_model_that_breaks_off_after_a_tool_says_so() -> None:
    """The result stays, and the failure has a reply of its own."""
    chat = ScriptedChatModel([calling(("add", {"a": 1, "b": 2})), ServerError("Overloaded.")])
    driver = PanelDriver(chat, tools=[add], approve=lambda call: True)
    await driver.ask("Go")
    assert states(driver, 1) == [("done", "3")]
    assert (driver.browser.last["status"], driver.browser.last["error"]) == (
        "failed",
        "Overloaded.",
    )


async def test_a_store_that_fails_is_told_and_what_is_shown_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The panel says what is wrong with the disk, and goes on once that is mended."""
    store = tmp_path / "store" / "conversations.db"
    monkeypatch.setenv("CHATNB_STORE", str(store))
    driver = PanelDriver(ScriptedChatModel(["First.", "Second."]))
    await driver.ask("One")
    driver.controller.backend.create().store.close()
    kept = store.read_bytes()
    store.write_bytes(b"no database at all" * 1000)
    await driver.ask("Two")
    assert str(store.name) in driver.browser.state["error"]
    assert driver.browser.texts == ["One", "First."]
    assert not driver.browser.state["running"]
    driver.controller.backend.create().store.close()
    store.write_bytes(kept)
    await driver.ask("Two")
    assert driver.browser.texts[:3] == ["One", "First.", "Two"]
    assert driver.browser.state["error"] is None


# Others in the same conversation, and those who come late.


async def test_what_another_notebook_says_appears() -> None:
    """Its turns are shown, and the next question follows them."""
    driver = PanelDriver("scripted:Here.")
    await driver.ask("One")
    other = Conversation("panel")
    other.add(HumanMessage("Two"))
    other.add(AIMessage("There."))
    await driver.controller.refresh()
    assert driver.browser.texts == ["One", "Here.", "Two", "There."]
    await driver.ask("Three")
    assert names(Conversation("panel").messages)[-2:] == ["human: Three", "ai: Here."]


@pytest.fixture
def quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller, "_POLL_SECONDS", 0.01)


@pytest.mark.usefixtures("quick_polls")
async def test_a_page_that_shows_the_panel_sees_what_others_add() -> None:
    """From its subscription on, which shows what came before, until the last page has gone."""
    driver, other = PanelDriver("scripted:Here."), Conversation("panel")
    for page in ("p1", "p2"):
        await driver.send({"type": "subscribe", "page": page})
    await driver.send({"type": "unsubscribe", "page": "p1"})
    other.add(HumanMessage("One"))
    await driver.until(lambda browser: browser.texts == ["One"])
    await driver.send({"type": "unsubscribe", "page": "p2"})
    other.add(AIMessage("Two"))
    await asyncio.sleep(0.05)
    assert driver.browser.texts == ["One"]
    await driver.send({"type": "subscribe", "page": "p1"})
    assert driver.browser.texts == ["One", "Two"]
    other.add(HumanMessage("Three"))
    await driver.until(lambda browser: browser.texts == ["One", "Two", "Three"])


@pytest.mark.usefixtures("quick_polls")
async def test_many_panels_share_one_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is looked at once each time, for any number of panels; none of them reads
    its conversation unless something was written, and a panel that is dropped goes."""
    looks, reads, version, path = 0, 0, Store.version, PanelBackend.path

    def counted_version(self: Store) -> object:
        nonlocal looks
        looks += 1
        return version(self)

    def counted_path(self: PanelBackend) -> list[Node]:
        nonlocal reads
        reads += 1
        return path(self)

    monkeypatch.setattr(Store, "version", counted_version)
    monkeypatch.setattr(PanelBackend, "path", counted_path)
    drivers = [PanelDriver("scripted:Here.", f"panel {number}") for number in range(30)]
    await asyncio.gather(*(driver.send({"type": "subscribe", "page": "p"}) for driver in drivers))
    began, quiet = time.monotonic(), 0
    async with asyncio.timeout(10):
        while quiet < 5:
            before = looks, reads
            await drivers[0].until(lambda _, before=before: looks > before[0])
            quiet = quiet + 1 if reads == before[1] else 0
    assert looks <= (time.monotonic() - began) / 0.01 + 1
    dropped = ref(drivers[0].controller)
    del drivers
    gc.collect()
    assert dropped() is None


async def test_looking_around_where_nothing_happened_says_nothing() -> None:
    """Polling costs no message."""
    driver = PanelDriver("scripted:Here.")
    await driver.ask("One")
    heard = len(driver.browser.received)
    for _ in range(3):
        await driver.controller.refresh()
    assert len(driver.browser.received) == heard


async def test_a_browser_that_comes_in_mid_stream_misses_nothing() -> None:
    """A snapshot and what follows it are the whole reply."""
    driver = PanelDriver(ScriptedChatModel(["word " * 60], delay=0.003))
    await driver.send({"type": "send", "text": "Hi"})
    await driver.until(lambda browser: len(browser.items) == 2 and len(browser.last["text"]) > 50)
    driver.wake()
    late = browser_from_updates(driver.controller.updates)
    missed = len(driver.browser.received)
    await driver.controller.wait_idle()
    late.receive(driver.browser.received[missed:])
    assert late.items == driver.browser.items
    assert late.texts[-1] == "word " * 60


async def test_a_panel_without_a_name_leaves_nothing_until_something_is_said() -> None:
    """Each has a conversation of its own, which begins with the first message."""
    one, two = PanelDriver("scripted:Hi.", None), PanelDriver("scripted:Hi.", None)
    await one.send({"type": "change_settings", "settings": {"system": "Be brief."}})
    await one.ask("A")
    await two.ask("B")
    assert {one.browser.state["name"], two.browser.state["name"]} == {""}
    names = [driver.controller.backend.create().name for driver in (one, two)]
    assert sorted(names) == ["panel", "panel.2"]
    assert Conversation(names[0]).system == "Be brief."


async def test_the_usage_of_a_conversation_is_summed() -> None:
    """Turns and tokens of the path stand in the quiet line."""
    usage = {"input_tokens": 1000, "output_tokens": 234, "total_tokens": 1234}
    driver = PanelDriver(ScriptedChatModel(["One."], usage=[usage]))  # type: ignore[list-item]
    await driver.ask("Hi")
    await driver.ask("Hi")
    assert driver.browser.state["usage"] == "2 turns · 2,468 tokens"


async def test_a_character_that_was_split_is_sent_whole() -> None:
    """Halves of an emoji that come apart are joined, in the panel and on disk."""
    driver = PanelDriver(ScriptedChatModel([["a\ud83d", "\ude00b", "c\ud83d"]]))
    await driver.ask("Hi \U0001f600")
    assert driver.browser.texts == ["Hi \U0001f600", "a\U0001f600bc\ufffd"]
    assert Conversation("panel").messages[-1].text == "a\U0001f600bc\ufffd"


async def test_a_wait_for_another_attempt_is_shown(loopback: LoopbackServer) -> None:
    """The panel says why the SDK or `with_retry` calls again, until the reply comes."""
    busy = refusal("503 Service Unavailable", "Busy.", retry_after="0.01")
    again = saying(head(), delta("Fine."), delta(None, "stop"), event("[DONE]"))
    loopback.plays(busy, busy, again)
    chat = ChatOpenAI(base_url=loopback.base_url, openai_api_key="k", max_retries=1)
    driver = PanelDriver(chat.with_retry(wait_exponential_jitter=False))
    await driver.ask("Hi")
    updates = (update for update in driver.browser.received if update["type"] == "item_changed")
    notes = dict.fromkeys(update["item"]["note"] for update in updates)
    assert list(notes) == ["", "server error, trying again"]
    assert len(loopback.exchanges) == 3
    assert (driver.browser.texts, driver.browser.last["note"]) == (["Hi", "Fine."], "")


def test_a_turn_does_not_walk_through_a_long_conversation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A question in a conversation of 500 turns reads a few of its messages, and never all."""
    conversation = Conversation("long")
    for turn in range(500):
        conversation.add(HumanMessage(f"question {turn}"))
        conversation.add(AIMessage(f"answer {turn}"))
    panel = ChatPanel(ScriptedChatModel(["Hello."]), name="long")
    panel.ask("Hi").result(60)
    walked = list[int]()
    walk = NodePath.__iter__

    def counted(path: NodePath) -> Iterator[Node]:
        walked.append(len(path))
        return walk(path)

    monkeypatch.setattr(NodePath, "__iter__", counted)
    panel.ask("And?").result(60)
    assert walked == []
