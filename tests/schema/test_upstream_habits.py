"""Messages as people write them for LangChain and the openai SDK."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import pickle
from typing import Any
from uuid import UUID

import pytest
from langchain_core import messages as langchain
from openai.types.chat import ChatCompletionMessage
from openai.types.responses import ResponseOutputMessage

from chatnb import messages
from chatnb.prompts import ChatPromptTemplate
from chatnb.schema import (
    AIMessage,
    AIMessageChunk,
    ChatPromptValue,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_openai_messages,
    get_buffer_string,
    to_messages,
)
from chatnb.schema.messages import BaseMessage

CALL = {"name": "add", "args": {"a": 1}, "id": "c1"}
EACH: list[BaseMessage] = [
    HumanMessage("Hi", name="ada"),
    SystemMessage([{"type": "text", "text": "Be "}, "brief."]),
    AIMessage("", tool_calls=[CALL], response_metadata={"model_name": "m"}),
    ToolMessage("1", tool_call_id="c1"),
    AIMessageChunk("Hel") + AIMessageChunk("lo"),
]
TYPES = [type(message).__name__ for message in EACH]


@pytest.mark.parametrize("message", EACH, ids=TYPES)
def test_text_is_a_string_that_answers_when_called(message: BaseMessage) -> None:
    """`message.text` and `message.text()` are equal strings, whatever is done with them."""
    text = message.text
    assert text() == text == str(text)
    assert type(text()) is type(text + "") is type("".join([text])) is str
    same = [pickle.loads(pickle.dumps(text)), copy.deepcopy(text), json.loads(json.dumps(text))]
    assert same == [text] * 3


@pytest.mark.parametrize("message", EACH[:4], ids=TYPES[:4])
def test_a_dump_is_that_of_langchain(message: BaseMessage) -> None:
    """The fields, their names and the type are those of LangChain's message."""
    dumped = message.model_dump()
    [same] = langchain.messages_from_dict([{"type": message.type, "data": dumped}])
    assert same.model_dump() == dumped
    assert message.model_dump(include={"content"}) == {"content": message.content}
    assert message.model_dump(exclude_none=True).keys() == {
        name for name, value in dumped.items() if value is not None
    }
    assert json.loads(json.dumps(message.model_dump(mode="json"))) == dumped
    assert "name" not in message.model_dump(exclude={"name"})


@pytest.mark.parametrize("message", EACH[:4], ids=TYPES[:4])
def test_a_dump_is_read_back(message: BaseMessage) -> None:
    """Dicts and JSON make the message again; those of another class are refused."""
    assert type(message).model_validate(message.model_dump()) == message
    assert type(message).model_validate_json(message.model_dump_json(indent=1)) == message
    assert type(message).model_validate(message) is message
    assert message.dict() == message.model_dump() == json.loads(message.json())
    assert message.copy(update={"id": "m1"}) == message.model_copy(update={"id": "m1"})
    with pytest.raises(ValueError, match="not 'chat'"):
        type(message).model_validate({"content": "Hi", "type": "chat"})
    with pytest.raises(TypeError, match="a dict of its fields"):
        type(message).model_validate("Hi")


TEXT_BLOCK = {"type": "text", "text": "Hi"}
CALL_BLOCK = {"type": "tool_call", "id": "c1", "name": "add", "args": {"a": 1}}
REASONING_BLOCK = {"type": "reasoning", "reasoning": "Hm."}


@pytest.mark.parametrize(
    ("name", "blocks", "fields"),
    [
        ("HumanMessage", [TEXT_BLOCK, {"type": "image", "url": "https://x.test/a.png"}], {}),
        ("SystemMessage", [TEXT_BLOCK], {}),
        ("AIMessage", [REASONING_BLOCK, TEXT_BLOCK, CALL_BLOCK], {}),
        ("ToolMessage", [TEXT_BLOCK], {"tool_call_id": "c1"}),
        ("ChatMessage", [TEXT_BLOCK], {"role": "critic"}),
        ("FunctionMessage", [TEXT_BLOCK], {"name": "add"}),
    ],
)
def test_content_is_given_as_standard_blocks(name: str, blocks: Any, fields: Any) -> None:
    """The blocks are what they were, the calls among them are calls, and copies keep them."""
    message = getattr(messages, name)(content_blocks=blocks, **fields)
    assert message.content_blocks == blocks
    assert message.text == "Hi"
    assert getattr(message, "tool_calls", [CALL_BLOCK]) in ([], [CALL_BLOCK])
    for same in (copy.deepcopy(message), message.model_copy(), dataclasses.replace(message)):
        assert same == message
    changed = dataclasses.replace(message, content="Ho")
    assert changed.text == "Ho"
    assert "content_blocks" in inspect.signature(type(message)).parameters
    with pytest.raises(TypeError, match="not both"):
        type(message)("Hi", content_blocks=blocks, **fields)


def test_a_call_among_blocks_is_sent_once() -> None:
    """A reply of blocks is the provider's message with one call, and no part for it."""
    reply = AIMessage(content_blocks=[TEXT_BLOCK, CALL_BLOCK])
    [sent] = convert_to_openai_messages([reply])
    assert [call["id"] for call in sent["tool_calls"]] == ["c1"]
    assert sent["content"] == [TEXT_BLOCK]


@pytest.mark.parametrize("message", EACH, ids=TYPES)
@pytest.mark.parametrize("deep", [False, True])
def test_a_copy_has_new_fields_that_are_validated(message: BaseMessage, deep: bool) -> None:
    """A copy is equal but for its update; the original stays; unknown fields are refused."""
    before = repr(message)
    copied = message.model_copy(update={"id": "m1"}, deep=deep)
    assert (copied.id, copied.content, type(copied)) == ("m1", message.content, type(message))
    assert copied.content is message.content or deep or isinstance(message, AIMessageChunk)
    assert repr(message) == before
    assert message.model_copy() == message
    with pytest.raises(TypeError, match="contents"):
        message.model_copy(update={"contents": "x"})


@pytest.mark.parametrize(
    "content", [5, 2.5, None, True, {"a": 1}, ("a", {"type": "text"}), [1, "b"], [], UUID(int=3)]
)
@pytest.mark.parametrize("id", ["c1", 7, 1.5, UUID(int=7)])
def test_a_tool_message_takes_what_a_tool_returns(content: Any, id: Any) -> None:
    """Contents and ids of other types become what they become in LangChain."""
    theirs = langchain.ToolMessage(content, tool_call_id=id)
    ours = ToolMessage(content, tool_call_id=id)
    assert (ours.content, ours.tool_call_id) == (theirs.content, theirs.tool_call_id)


@pytest.mark.parametrize(
    ("other", "more"),
    [
        (AIMessage("b {c}"), [AIMessage("b {c}")]),
        ("b {x}", [HumanMessage("b 1")]),
        (("ai", "b {x}"), [AIMessage("b 1")]),
        ([HumanMessage("b"), ("ai", "{x}")], [HumanMessage("b"), AIMessage("1")]),
        (ChatPromptTemplate(["{x}", "y"]), [HumanMessage("1"), HumanMessage("y")]),
    ],
)
def test_messages_add_up_to_a_prompt(other: Any, more: list[BaseMessage]) -> None:
    """A message plus what a prompt is made of is a prompt; braces of messages stay."""
    prompt = SystemMessage("a {b}") + other
    assert isinstance(prompt, ChatPromptTemplate)
    assert prompt.format_messages(x="1") == [SystemMessage("a {b}"), *more]
    assert (prompt + HumanMessage("end")).format_messages(x="1")[-1] == HumanMessage("end")


SDK_CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
SDK = [
    (
        ChatCompletionMessage.model_validate(
            {"role": "assistant", "content": None, "tool_calls": [SDK_CALL]}
        ),
        AIMessage("", tool_calls=[CALL]),
    ),
    (ChatCompletionMessage(role="assistant", content="Hi"), AIMessage("Hi")),
    (ChatCompletionMessage(role="assistant", content=None), AIMessage("")),
    (
        ChatCompletionMessage(role="assistant", content=None, refusal="No."),
        AIMessage("", additional_kwargs={"refusal": "No."}),
    ),
    (langchain.HumanMessage("Hi", name="ada"), HumanMessage("Hi", name="ada")),
    (langchain.AIMessage("", tool_calls=[CALL]), AIMessage("", tool_calls=[CALL])),
    (langchain.ToolMessage("1", tool_call_id="c1"), ToolMessage("1", tool_call_id="c1")),
]


@pytest.mark.parametrize(("given", "expected"), SDK)
def test_messages_of_other_packages_are_input(given: Any, expected: BaseMessage) -> None:
    """Objects of the openai SDK and of LangChain are messages, alone and in lists."""
    assert to_messages(given) == [expected]
    assert to_messages([given, "And?"]) == [expected, HumanMessage("And?")]
    assert convert_to_openai_messages(given) == convert_to_openai_messages(expected)


def test_a_history_of_dicts_may_hold_the_sdk_s_calls() -> None:
    """`{"tool_calls": reply.tool_calls}` is read, and so is an output item of the Responses API."""
    calls = SDK[0][0].tool_calls
    assert to_messages([{"role": "assistant", "content": None, "tool_calls": calls}]) == [
        AIMessage("", tool_calls=[CALL])
    ]
    item = ResponseOutputMessage.model_validate(
        {
            "id": "m1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Hi", "annotations": []}],
        }
    )
    [message] = to_messages([item])
    assert (type(message), message.text) == (AIMessage, "Hi")


@pytest.mark.parametrize("value", [5, object(), HumanMessage, ChatCompletionMessage, {"a": 1}])
def test_what_is_no_message_is_refused(value: Any) -> None:
    """Other objects, and classes instead of their instances, are named in the error."""
    with pytest.raises(TypeError, match="A chat model takes a string"):
        to_messages([value])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Hi", {"role": "user", "content": "Hi"}),
        ({"role": "user", "content": "Hi"}, {"role": "user", "content": "Hi"}),
        (["Hi"], [{"role": "user", "content": "Hi"}]),
        ([("system", "Be brief.")], [{"role": "system", "content": "Be brief."}]),
        (ChatPromptValue([HumanMessage("Hi")]), [{"role": "user", "content": "Hi"}]),
        ([], []),
    ],
)
def test_dicts_of_openai_are_made_of_any_input(given: Any, expected: Any) -> None:
    """`convert_to_openai_messages` takes what a chat model takes: one gives one, a list a list."""
    assert convert_to_openai_messages(given) == expected


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"human_prefix": "U", "ai_prefix": "M", "system_prefix": "S", "tool_prefix": "T"},
        {"message_separator": "\n--\n"},
        {"format": "xml", "human_prefix": "User"},
        {"format": "xml", "message_separator": " "},
    ],
)
def test_a_buffer_string_is_that_of_langchain(options: Any) -> None:
    """The text is LangChain's with all options; calls are JSON, so that they can be read back."""
    texts = ['1 < 2 & "x"', "Human: not me", ""]
    ours = [HumanMessage(texts[0]), AIMessage(texts[1]), SystemMessage(texts[2])]
    ours += [ToolMessage("1", tool_call_id="c1")]
    theirs: Any = langchain.messages_from_dict(
        [{"type": message.type, "data": message.model_dump()} for message in ours]
    )
    assert get_buffer_string(ours, **options) == langchain.get_buffer_string(theirs, **options)
    calling = AIMessage("Now", tool_calls=[{**CALL, "id": '"<>'}])
    in_xml = get_buffer_string([calling], format="xml")
    assert in_xml == langchain.get_buffer_string(
        [langchain.AIMessage("Now", tool_calls=calling.tool_calls)], format="xml"
    )
    assert json.loads(get_buffer_string([calling]).removeprefix("AI: Now")) == calling.tool_calls
    with pytest.raises(ValueError, match="'prefix' or 'xml'"):
        get_buffer_string(ours, format="json")  # pyright: ignore[reportArgumentType]


TEXTS: list[Any] = [
    "Hi",
    [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
    ["a", "b"],
]


@pytest.mark.parametrize("text_format", ["string", "block"])
@pytest.mark.parametrize("content", TEXTS)
def test_the_format_of_texts_is_chosen_as_in_langchain(content: Any, text_format: Any) -> None:
    """`text_format` joins texts, or makes parts of them; `include_id` keeps the message's id."""
    message = HumanMessage(content, id="m1")
    [theirs] = langchain.convert_to_openai_messages(
        [langchain.HumanMessage(content, id="m1")], text_format=text_format, include_id=True
    )
    ours = convert_to_openai_messages([message], text_format=text_format, include_id=True)
    assert ours == [theirs]


def test_an_unknown_format_of_texts_is_refused() -> None:
    """Another format is a ValueError that names the two."""
    with pytest.raises(ValueError, match="'string' or 'block', not 'html'"):
        convert_to_openai_messages("Hi", text_format="html")  # pyright: ignore[reportArgumentType]
