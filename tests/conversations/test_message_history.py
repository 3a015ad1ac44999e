"""Runnables that get and add the messages of a conversation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from chatnb import AIMessage, Conversation, HumanMessage, ScriptedChatModel
from chatnb.conversations.message_history import RunnableWithMessageHistory
from chatnb.runnables import RunnableLambda
from chatnb.schema import AIMessageChunk, BaseMessage
from chatnb.store import Store

SESSION: Any = {"configurable": {"session_id": "ada"}}


class ListHistory:
    """A history that is no conversation."""

    def __init__(self) -> None:
        self.messages: list[BaseMessage] = [HumanMessage("before")]

    def add_messages(self, messages: list[BaseMessage]) -> None:
        self.messages += messages


async def ainvoked(chat: Any, input: Any) -> Any:
    return await chat.ainvoke(input, SESSION)


async def astreamed(chat: Any, input: Any) -> Any:
    return [chunk async for chunk in chat.astream(input, SESSION)]


def test_any_object_with_messages_is_a_history() -> None:
    """It gets the new messages and the reply, and its own come before them."""
    history, seen = ListHistory(), list[Any]()

    def answer(messages: Any) -> str:
        seen.append(list(messages))
        return f"answer {len(messages)}"

    chat = RunnableWithMessageHistory(RunnableLambda(answer), lambda session_id: history)
    for text in ("one", "two"):
        chat.invoke(text, SESSION)
    before = [HumanMessage("before"), HumanMessage("one")]
    assert seen == [before, [*before, AIMessage("answer 2"), HumanMessage("two")]]
    assert history.messages == [*seen[1], AIMessage("answer 4")]


INVOKE: Callable[[Any, Any], Any] = lambda chat, input: chat.invoke(input, SESSION)  # noqa: E731
STREAM: Callable[[Any, Any], Any] = lambda chat, input: list(chat.stream(input, SESSION))  # noqa: E731


@pytest.mark.parametrize("call", [INVOKE, STREAM])
@pytest.mark.parametrize(
    ("keys", "input", "sent"),
    [
        ({}, "Hi", [AIMessage("old"), HumanMessage("Hi")]),
        ({}, {"role": "user", "content": "Hi"}, [AIMessage("old"), HumanMessage("Hi")]),
        ({}, {"text": "Hi"}, [AIMessage("old"), HumanMessage("Hi")]),
        (
            {"input_messages_key": "text"},
            {"text": "Hi", "more": 1},
            {"text": [AIMessage("old"), HumanMessage("Hi")], "more": 1},
        ),
        (
            {"input_messages_key": "text", "history_messages_key": "past"},
            {"text": "Hi", "more": 1},
            {"text": "Hi", "more": 1, "past": [AIMessage("old")]},
        ),
        (
            {"history_messages_key": "past"},
            {"text": "Hi"},
            {"text": "Hi", "past": [AIMessage("old")]},
        ),
    ],
)
def test_the_messages_before_come_where_the_keys_say(
    call: Callable[[Any, Any], Any], keys: dict[str, str], input: Any, sent: Any
) -> None:
    """Before the new one, or under a key of their own; and the turn is added to them."""
    conversation = Conversation("ada", store=Store(":memory:"))
    conversation.add(AIMessage("old"))
    seen = list[Any]()

    def answer(given: Any) -> AIMessage:
        seen.append(given)
        return AIMessage("Hello.")

    chat = RunnableWithMessageHistory(RunnableLambda(answer), lambda _: conversation, **keys)
    call(chat, input)
    assert seen == [sent]
    turn = [AIMessage("old"), HumanMessage("Hi"), AIMessage("Hello.")]
    assert conversation.messages == turn


@pytest.mark.parametrize(
    ("keys", "input", "output", "problem"),
    [
        (
            {},
            {"a": "x", "b": "y"},
            "",
            "input_messages_key names one of the input's keys, 'a', 'b'; not None",
        ),
        ({"input_messages_key": "c"}, {"a": "x"}, "", "the input's keys, 'a'; not 'c'"),
        ({"output_messages_key": "c"}, "x", {"a": "y"}, "the output's keys, 'a'; not 'c'"),
        ({"history_messages_key": "c"}, "x", "", "With a history_messages_key the input is a dict"),
    ],
)
def test_keys_that_are_not_there_are_named(
    keys: dict[str, str], input: Any, output: Any, problem: str
) -> None:
    """The error says which keys there are, and no half of a turn is added."""
    conversation = Conversation("ada", store=Store(":memory:"))
    answer = RunnableLambda(lambda _: output)
    chat = RunnableWithMessageHistory(answer, lambda _: conversation, **keys)
    with pytest.raises(ValueError, match=problem):
        chat.invoke(input, SESSION)
    assert conversation.messages == []


def test_a_reply_is_added_whole_however_the_model_is_called() -> None:
    """The chunks of a stream become one message."""
    for call in (ainvoked, astreamed):
        conversation = Conversation("ada", store=Store(":memory:"))
        model = ScriptedChatModel(["Hello, Ada. How are you?"])
        chat = RunnableWithMessageHistory(model, lambda _, talk=conversation: talk)
        asyncio.run(call(chat, "Hi"))
        assert [(type(message), message.text) for message in conversation.messages] == [
            (HumanMessage, "Hi"),
            (AIMessage, "Hello, Ada. How are you?"),
        ]
    chunk = RunnableLambda(lambda _: AIMessageChunk("Hi"))
    RunnableWithMessageHistory(chunk, lambda _: conversation).invoke("x", SESSION)
    assert type(conversation.messages[-1]) is AIMessage


def test_a_session_that_the_config_lacks_is_asked_for() -> None:
    """The error shows the config that is needed."""
    chat = RunnableWithMessageHistory(ScriptedChatModel(["Hi"]))
    needed = r"needs a config with session_id: {'configurable': {'session_id': '...'}}"
    for config in (None, {}, {"configurable": {"thread_id": "x"}}):
        with pytest.raises(ValueError, match=needed):
            chat.invoke("Hi", config)  # type: ignore[arg-type]
