"""What a panel does with what a person asks, as a browser sees it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chatnb import Conversation, ScriptedChatModel
from chatnb.chat_models import ChatOpenAI
from chatnb.errors import ServerError
from chatnb.schema import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from chatnb.tools import Reject
from tests.loopback import LoopbackServer, refusal
from tests.notebook.panel_talks import Desk, wire_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


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
    desk = Desk(ScriptedChatModel(["One two three."], delay=0.01))
    desk.say({"kind": "send", "text": "Hi"})
    await desk.until(lambda browser: browser.texts == ["Hi", "One"])
    assert desk.browser.state["running"]
    assert desk.browser.last["status"] == "streaming"
    await desk.talk.idle()
    assert desk.browser.texts == ["Hi", "One two three."]
    assert desk.browser.last["status"] == "done"
    assert desk.browser.last["facts"].startswith("scripted · ")
    assert not desk.browser.state["running"]
    assert [message["kind"] for message in desk.browser.heard].count("delta") == 3
    assert names(Conversation("desk").messages) == ["human: Hi", "ai: One two three."]


async def test_what_is_shown_is_on_disk_before() -> None:
    """Whenever a browser shows a message, the store has it already."""
    desk = Desk("scripted:Hello.")
    flush = desk.flush

    def flush_and_compare() -> None:
        flush()
        kept = [node.id for node in Conversation("desk").path()]
        assert [item["id"] for item in desk.browser.items] == kept

    desk.talk.on_change = flush_and_compare
    await desk.ask("Hi")
    assert len(desk.browser.items) == 2


async def test_the_model_hears_what_was_said_before() -> None:
    """The system prompt and the path go with each question."""
    heard = list[list[BaseMessage]]()

    async def chat(messages: list[BaseMessage]) -> str:
        heard.append(messages)
        return f"Reply {len(heard)}"

    desk = Desk(chat)
    desk.say({"kind": "settings", "system": "Be brief."})
    await desk.ask("One")
    await desk.ask("Two")
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
    desk = Desk(chat)
    await desk.ask("Hi")
    assert desk.browser.state["error"] is None
    assert desk.browser.texts == ["Hi", "Hello there."]
    assert Conversation("desk").messages[-1].text == "Hello there."


async def test_a_model_of_langchain_can_be_behind_a_panel() -> None:
    """It is taken as it is."""
    from langchain_core.language_models import FakeListChatModel

    desk = Desk(FakeListChatModel(responses=["Hello there."]))
    await desk.ask("Hi")
    assert desk.browser.texts == ["Hi", "Hello there."]


async def test_a_chat_that_gives_something_else_is_told() -> None:
    """What is neither text nor a message fails the turn with its reason."""
    desk = Desk(lambda messages: {"answer": 42})
    await desk.ask("Hi")
    assert "shows text and messages" in desk.browser.state["error"]
    assert desk.browser.last["status"] == "failed"


async def test_a_stop_keeps_what_has_come() -> None:
    """The reply ends at once, marked, in the panel and on disk; the next turn works."""
    desk = Desk(ScriptedChatModel(["word " * 1000, "Fine."], delay=0.005))
    desk.say({"kind": "send", "text": "Go on"})
    await desk.until(lambda browser: browser.texts[-1:] > ["word word word"])
    desk.say({"kind": "stop"})
    async with asyncio.timeout(0.5):
        await desk.talk.idle()
    assert desk.browser.last["status"] == "stopped"
    kept = Conversation("desk").messages[-1]
    assert kept.text == desk.browser.last["text"]
    assert kept.response_metadata["finish_reason"] == "stopped"
    assert desk.browser.state["error"] is None
    await desk.ask("And now?")
    assert desk.browser.texts[-1] == "Fine."


async def test_a_stop_does_not_wait_for_a_function_that_blocks() -> None:
    """A function that cannot be interrupted is left behind."""
    held = threading.Event()

    def chat(messages: list[BaseMessage]) -> str:
        held.wait(10)
        return "Too late."

    desk = Desk(chat)
    desk.say({"kind": "send", "text": "Hi"})
    await desk.until(lambda browser: len(browser.items) == 2)
    desk.say({"kind": "stop"})
    async with asyncio.timeout(0.5):
        await desk.talk.idle()
    held.set()
    assert desk.browser.last["status"] == "stopped"


async def test_a_failure_is_shown_with_what_to_do(loopback: LoopbackServer) -> None:
    """The hint stands at the reply and in the state, on disk too; the question is kept, and
    the reply can be asked for again."""
    loopback.plays(refusal("401 Unauthorized", "Incorrect API key: sk-for-loopback."))
    desk = Desk(ChatOpenAI("m", api_key="sk-for-loopback", base_url=loopback.base_url))
    await desk.ask("Hi")
    line = "Incorrect API key: ***. Check the API key (OPENAI_API_KEY)."
    assert desk.browser.state["error"] == desk.browser.last["error"] == line
    assert desk.browser.texts == ["Hi", ""]
    again = Desk("scripted:Hello.")
    assert again.browser.last["error"] == line
    again.say({"kind": "regenerate", "id": again.browser.last["id"]})
    await again.talk.idle()
    assert again.browser.texts == ["Hi", "Hello."]
    assert again.browser.state["error"] is None


async def test_what_came_before_a_failure_stays() -> None:
    """The partial reply is shown and kept."""
    desk = Desk(ScriptedChatModel([["Half a ", "reply", ServerError("Overloaded.")]]))
    await desk.ask("Hi")
    assert desk.browser.last["text"] == "Half a reply"
    assert (desk.browser.last["status"], desk.browser.last["error"]) == ("failed", "Overloaded.")
    assert Conversation("desk").messages[-1].text == "Half a reply"


async def test_an_edit_is_another_branch() -> None:
    """The old question and its answer stay, one step to the left."""
    desk = Desk(ScriptedChatModel(["First.", "Second."]))
    await desk.ask("Hi")
    before = [item["id"] for item in desk.browser.items]
    desk.say({"kind": "edit", "id": before[0], "text": "Hello"})
    await desk.talk.idle()
    assert desk.browser.texts == ["Hello", "Second."]
    branch = desk.browser.items[0]["branch"]
    assert branch == {"index": 2, "count": 2, "previous": before[0], "next": None}
    desk.say({"kind": "branch", "id": before[0]})
    assert [item["id"] for item in desk.browser.items] == before
    assert desk.browser.texts == ["Hi", "First."]
    assert desk.browser.items[0]["branch"]["next"] is not None


async def test_a_regenerated_reply_is_another_branch() -> None:
    """The reply is asked for again with the same question; both can be seen."""
    desk = Desk(ScriptedChatModel(["First.", "Second."]))
    await desk.ask("Hi")
    first = desk.browser.last["id"]
    desk.say({"kind": "regenerate", "id": first})
    await desk.talk.idle()
    assert desk.browser.texts == ["Hi", "Second."]
    assert desk.browser.last["branch"]["previous"] == first
    desk.say({"kind": "branch", "id": first})
    assert desk.browser.texts == ["Hi", "First."]


async def test_a_deleted_message_takes_along_what_follows() -> None:
    """The path ends before it; on disk it can be brought back."""
    desk = Desk(ScriptedChatModel(["First.", "Second."]))
    await desk.ask("One")
    await desk.ask("Two")
    third = desk.browser.items[2]["id"]
    desk.say({"kind": "delete", "id": third})
    assert desk.browser.texts == ["One", "First."]
    Conversation("desk").restore(third)
    desk.talk.look_around()
    assert desk.browser.texts == ["One", "First.", "Two", "Second."]


async def test_nothing_is_lost_of_what_is_sent_while_a_reply_comes() -> None:
    """It is refused with the reason, so that the browser keeps it; the reply goes on."""
    desk = Desk(ScriptedChatModel(["word " * 30], delay=0.005))
    desk.say({"kind": "send", "text": "Hi"})
    await desk.until(lambda browser: len(browser.items) == 2)
    first = desk.browser.items[0]["id"]
    for content in (
        {"kind": "send", "text": "And?"},
        {"kind": "edit", "id": first, "text": "And?"},
        {"kind": "regenerate", "id": first},
        {"kind": "delete", "id": first},
        {"kind": "branch", "id": first},
    ):
        desk.say(content)
        assert "A reply is still coming" in desk.browser.state["error"]
    await desk.talk.idle()
    assert desk.browser.texts == ["Hi", "word " * 30]


async def test_a_message_that_is_sent_twice_is_taken_once() -> None:
    """A browser that heard nothing repeats itself, with the same mark."""
    desk = Desk(ScriptedChatModel(["First.", "Second."]))
    message = {"kind": "send", "text": "Hi", "attachments": [], "nonce": "n1"}
    for _ in range(2):
        desk.say(message)
        await desk.talk.idle()
    assert desk.browser.texts == ["Hi", "First."]


async def test_settings_hold_and_are_kept() -> None:
    """Another model answers from the next turn on, and after a restart; keys are not kept."""
    desk = Desk(None)
    desk.say({"kind": "settings", "model": "scripted:One.", "temperature": 0.5, "system": "Hm."})
    await desk.ask("Hi")
    assert desk.browser.texts[-1] == "One."
    state = desk.browser.state
    assert (state["model"], state["temperature"], state["system"]) == ("scripted:One.", 0.5, "Hm.")
    again = Desk(None)
    assert again.browser.state["model"] == "scripted:One."
    assert again.browser.state["temperature"] == 0.5
    again.say({"kind": "settings", "temperature": None})
    assert again.browser.state["temperature"] is None


async def test_a_model_that_does_not_exist_changes_nothing() -> None:
    """The reason is said, and the old model goes on answering."""
    desk = Desk("scripted:One.")
    desk.say({"kind": "settings", "model": "opnai:gpt", "temperature": 1.0})
    assert "Did you mean openai" in desk.browser.state["error"]
    assert desk.browser.state["model"] == "scripted:One."
    assert desk.browser.state["temperature"] is None
    await desk.ask("Hi")
    assert desk.browser.texts[-1] == "One."


async def test_a_chain_can_be_left_and_come_back_to() -> None:
    """What the panel was made with stays among its models."""
    desk = Desk(async_text)
    assert desk.browser.state["model"] == "async_text"
    desk.say({"kind": "settings", "temperature": 1})
    assert "chain" in desk.browser.state["error"]
    desk.say({"kind": "settings", "model": "scripted:One."})
    assert "async_text" in desk.browser.state["models"]
    desk.say({"kind": "settings", "model": "async_text"})
    await desk.ask("Hi")
    assert desk.browser.texts[-1] == "Hello there."


# Tools.


def states(desk: Desk, index: int = -1) -> list[tuple[str, str]]:
    return [(call["state"], call["result"]) for call in desk.browser.items[index]["calls"]]


async def test_a_call_waits_for_the_word_and_is_made() -> None:
    """It is shown with its arguments; once it is allowed the tool runs and the model goes on."""
    chat = ScriptedChatModel([calling(("add", {"a": 1, "b": 2}), text="Let me see."), "It is 3."])
    desk = Desk(chat, tools=[add])
    desk.say({"kind": "send", "text": "1 + 2?"})
    await desk.until(lambda browser: browser.items[-1:] and browser.last["status"] == "waiting")
    (call,) = desk.browser.last["calls"]
    assert (call["name"], call["state"]) == ("add", "asking")
    assert call["arguments"] == '{\n  "a": 1,\n  "b": 2\n}'
    desk.say({"kind": "decide", "call": call["id"], "decision": "once", "reason": ""})
    await desk.talk.idle()
    assert desk.browser.texts == ["1 + 2?", "Let me see.", "It is 3."]
    assert states(desk, 1) == [("done", "3")]
    assert [m.type for m in Conversation("desk").messages] == ["human", "ai", "tool", "ai"]


async def test_a_rejection_is_told_to_the_model() -> None:
    """With its reason, in the words that the model reads."""
    chat = ScriptedChatModel([calling(("add", {"a": 1, "b": 2})), "Then not."])
    desk = Desk(chat, tools=[add])
    desk.say({"kind": "send", "text": "1 + 2?"})
    await desk.until(lambda browser: browser.items[-1:] and browser.last["status"] == "waiting")
    (call,) = desk.browser.last["calls"]
    desk.say({"kind": "decide", "call": call["id"], "decision": "reject", "reason": "Too easy."})
    await desk.talk.idle()
    assert states(desk, 1) == [("rejected", "The call was rejected: Too easy.")]
    assert Desk(chat, tools=[add]).browser.items[1]["calls"][0]["state"] == "rejected"


async def test_a_tool_that_is_always_allowed_is_asked_for_once() -> None:
    """The word holds for the calls beside it, the turns after it, and after a restart."""
    twice = calling(("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4}))
    desk = Desk(ScriptedChatModel([twice, "Done."]), tools=[add])
    desk.say({"kind": "send", "text": "Go"})
    await desk.until(lambda browser: browser.items[-1:] and browser.last["status"] == "waiting")
    assert [state for state, _ in states(desk)] == ["asking", "asking"]
    second = desk.browser.last["calls"][1]["id"]
    desk.say({"kind": "decide", "call": second, "decision": "always", "reason": ""})
    await desk.talk.idle()
    assert states(desk, 1) == [("done", "3"), ("done", "7")]
    again = Desk(ScriptedChatModel([twice, "Done."]), tools=[add])
    await again.ask("Again")
    assert again.browser.texts[-1] == "Done."
    assert states(again, 4) == [("done", "3"), ("done", "7")]


async def test_calls_are_decided_one_by_one_in_any_order() -> None:
    """One is rejected and the other allowed, the second one first."""
    twice = calling(("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4}))
    desk = Desk(ScriptedChatModel([twice, "Done."]), tools=[add])
    desk.say({"kind": "send", "text": "Go"})
    await desk.until(lambda browser: browser.items[-1:] and browser.last["status"] == "waiting")
    first, second = (call["id"] for call in desk.browser.last["calls"])
    desk.say({"kind": "decide", "call": second, "decision": "reject", "reason": ""})
    assert [state for state, _ in states(desk)] == ["asking", "rejected"]
    desk.say({"kind": "decide", "call": first, "decision": "once", "reason": ""})
    await desk.talk.idle()
    assert [state for state, _ in states(desk, 1)] == ["done", "rejected"]


async def test_a_stop_while_a_call_waits_ends_the_turn() -> None:
    """The tool does not run; the call says so, and the next question is one a model accepts."""
    ran = list[int]()

    def tool() -> str:
        """Do it."""
        ran.append(1)
        return "done"

    heard = list[list[BaseMessage]]()

    class Recording(ScriptedChatModel):
        async def _astream(self, messages: Any, **params: Any) -> Any:
            heard.append(messages)
            async for chunk in super()._astream(messages, **params):
                yield chunk

    desk = Desk(Recording([calling(("tool", {})), "Fine."]), tools=[tool])
    desk.say({"kind": "send", "text": "Go"})
    await desk.until(lambda browser: browser.items[-1:] and browser.last["status"] == "waiting")
    desk.say({"kind": "stop"})
    async with asyncio.timeout(0.5):
        await desk.talk.idle()
    assert states(desk) == [("rejected", "The call was not made.")]
    await desk.ask("Something else")
    assert ran == []
    assert [message.type for message in heard[-1]] == ["human", "ai", "tool", "human"]


async def test_a_tool_that_fails_is_told_and_shown() -> None:
    """The panel says failed, the model gets the error."""

    def broken() -> str:
        """Break."""
        raise OSError("No disk.")

    desk = Desk(
        ScriptedChatModel([calling(("broken", {})), "Sorry."]),
        tools=[broken],
        approve=lambda call: True,
    )
    await desk.ask("Go")
    assert states(desk, 1) == [("failed", "OSError: No disk.")]


async def test_a_function_may_approve_in_place_of_the_person() -> None:
    """Blocking or not; what it rejects is rejected, and nobody is asked."""

    async def approve(call: Any) -> bool | Reject:
        return call["args"]["a"] == 1 or Reject("Only ones.")

    twice = calling(("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4}))
    desk = Desk(ScriptedChatModel([twice, "Done."]), tools=[add], approve=approve)
    await desk.ask("Go")
    assert states(desk, 1) == [("done", "3"), ("rejected", "The call was rejected: Only ones.")]


async def test_a_model_that_breaks_off_after_a_tool_says_so() -> None:
    """The result stays, and the failure has a reply of its own."""
    chat = ScriptedChatModel([calling(("add", {"a": 1, "b": 2})), ServerError("Overloaded.")])
    desk = Desk(chat, tools=[add], approve=lambda call: True)
    await desk.ask("Go")
    assert states(desk, 1) == [("done", "3")]
    assert (desk.browser.last["status"], desk.browser.last["error"]) == ("failed", "Overloaded.")


async def test_a_store_that_fails_is_told_and_what_is_shown_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The panel says what is wrong with the disk, and goes on once that is mended."""
    store = tmp_path / "store" / "conversations.db"
    monkeypatch.setenv("CHATNB_STORE", str(store))
    desk = Desk(ScriptedChatModel(["First.", "Second."]))
    await desk.ask("One")
    desk.talk.conversation.begin().store.close()
    kept = store.read_bytes()
    store.write_bytes(b"no database at all" * 1000)
    await desk.ask("Two")
    assert str(store.name) in desk.browser.state["error"]
    assert desk.browser.texts == ["One", "First."]
    assert not desk.browser.state["running"]
    desk.talk.conversation.begin().store.close()
    store.write_bytes(kept)
    await desk.ask("Two")
    assert desk.browser.texts[:3] == ["One", "First.", "Two"]
    assert desk.browser.state["error"] is None


# Others in the same conversation, and those who come late.


async def test_what_another_notebook_says_appears() -> None:
    """Its turns are shown, and the next question follows them."""
    desk = Desk("scripted:Here.")
    await desk.ask("One")
    other = Conversation("desk")
    other.add(HumanMessage("Two"))
    other.add(AIMessage("There."))
    desk.talk.look_around()
    assert desk.browser.texts == ["One", "Here.", "Two", "There."]
    await desk.ask("Three")
    assert names(Conversation("desk").messages)[-2:] == ["human: Three", "ai: Here."]


async def test_looking_around_where_nothing_happened_says_nothing() -> None:
    """Polling costs no message."""
    desk = Desk("scripted:Here.")
    await desk.ask("One")
    heard = len(desk.browser.heard)
    for _ in range(3):
        desk.talk.look_around()
    assert len(desk.browser.heard) == heard


async def test_a_browser_that_comes_in_mid_stream_misses_nothing() -> None:
    """A snapshot and what follows it are the whole reply."""
    desk = Desk(ScriptedChatModel(["word " * 60], delay=0.003))
    desk.say({"kind": "send", "text": "Hi"})
    await desk.until(lambda browser: len(browser.items) == 2 and len(browser.last["text"]) > 50)
    desk.flush()
    late = wire_of(desk.talk.wire)
    missed = len(desk.browser.heard)
    await desk.talk.idle()
    late.hear(desk.browser.heard[missed:])
    assert late.items == desk.browser.items
    assert late.texts[-1] == "word " * 60


async def test_a_panel_without_a_name_leaves_nothing_until_something_is_said() -> None:
    """Each has a conversation of its own, which begins with the first message."""
    one, two = Desk("scripted:Hi.", None), Desk("scripted:Hi.", None)
    one.say({"kind": "settings", "system": "Be brief."})
    assert one.browser.state["name"] == ""
    await one.ask("A")
    await two.ask("B")
    assert {one.browser.state["name"], two.browser.state["name"]} == {"panel", "panel.2"}
    assert Conversation(one.browser.state["name"]).system == "Be brief."


async def test_the_usage_of_a_conversation_is_summed() -> None:
    """Turns and tokens of the path stand in the quiet line."""
    usage = {"input_tokens": 1000, "output_tokens": 234, "total_tokens": 1234}
    desk = Desk(ScriptedChatModel(["One."], usage=[usage]))  # type: ignore[list-item]
    await desk.ask("Hi")
    await desk.ask("Hi")
    assert desk.browser.state["usage"] == "2 turns · 2,468 tokens"


async def test_a_character_that_was_split_is_sent_whole() -> None:
    """Halves of an emoji that come apart are joined, in the panel and on disk."""
    desk = Desk(ScriptedChatModel([["a\ud83d", "\ude00b", "c\ud83d"]]))
    await desk.ask("Hi \U0001f600")
    assert desk.browser.texts == ["Hi \U0001f600", "a\U0001f600bc\ufffd"]
    assert Conversation("desk").messages[-1].text == "a\U0001f600bc\ufffd"
