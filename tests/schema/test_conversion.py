from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chatnb.schema import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_openai_messages,
    messages_from_openai_dicts,
    to_messages,
)
from chatnb.schema.conversion import message_from_openai_dict
from tests.support.message_strategies import message

CALL = {
    "type": "function",
    "id": "c1",
    "function": {"name": "add", "arguments": '{"a": 1, "b": "é"}'},
}
WRITTEN: list[tuple[BaseMessage, dict[str, Any]]] = [
    (HumanMessage("Hi", name="ada"), {"role": "user", "content": "Hi", "name": "ada"}),
    (SystemMessage("Be brief."), {"role": "system", "content": "Be brief."}),
    (
        SystemMessage("Be brief.", additional_kwargs={"__openai_role__": "developer"}),
        {"role": "developer", "content": "Be brief."},
    ),
    (AIMessage("Hello."), {"role": "assistant", "content": "Hello."}),
    (
        AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1, "b": "é"}, "id": "c1"}]),
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
    ),
    (
        AIMessage("", additional_kwargs={"function_call": {"name": "f", "arguments": "{}"}}),
        {
            "role": "assistant",
            "content": None,
            "function_call": {"name": "f", "arguments": "{}"},
        },
    ),
    (
        AIMessage("", additional_kwargs={"refusal": "No."}),
        {"role": "assistant", "content": None, "refusal": "No."},
    ),
    (
        ToolMessage("4", tool_call_id="c1"),
        {"role": "tool", "content": "4", "tool_call_id": "c1"},
    ),
    (FunctionMessage("4", name="f"), {"role": "function", "content": "4", "name": "f"}),
    (ChatMessage("Hm.", role="critic"), {"role": "critic", "content": "Hm."}),
]


@pytest.mark.parametrize(("message", "written"), WRITTEN)
def test_each_kind_has_its_dict(message: BaseMessage, written: dict[str, Any]) -> None:
    """Every kind of message is written as OpenAI has it, and read back as it was."""
    assert convert_to_openai_messages(message) == written
    assert messages_from_openai_dicts([written]) == [message]


def test_any_message_survives_the_way_there_and_back() -> None:
    """Writing and reading lose nothing that OpenAI's dicts can hold; text parts become dicts."""
    for seed in range(200):
        given = message(seed)
        assert messages_from_openai_dicts(convert_to_openai_messages([given])) == [given]  # type: ignore[arg-type]


def test_chunks_are_written_as_what_they_have_grown_to() -> None:
    """A sum of chunks goes back to the provider like a message."""
    chunk = AIMessageChunk("Hel") + AIMessageChunk("lo")
    assert convert_to_openai_messages(chunk) == {"role": "assistant", "content": "Hello"}


def test_text_among_parts_is_written_as_a_part() -> None:
    """OpenAI takes no bare strings in a list."""
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    assert convert_to_openai_messages(HumanMessage(["See:", image])) == {
        "role": "user",
        "content": [{"type": "text", "text": "See:"}, image],
    }


def test_what_openai_has_no_place_for_is_left_out() -> None:
    """Reasoning, ids, usage and metadata are not sent back; audio is, by its id."""
    reply = AIMessage(
        "Hi",
        id="r1",
        additional_kwargs={"reasoning_content": "Hm.", "audio": {"id": "a1", "data": "…"}},
        response_metadata={"finish_reason": "stop"},
    )
    assert convert_to_openai_messages(reply) == {
        "role": "assistant",
        "content": "Hi",
        "audio": {"id": "a1"},
    }


def test_an_invalid_call_goes_back_as_it_came() -> None:
    """The provider gets its own broken arguments, so that a tool's answer has its call."""
    broken = {**CALL, "function": {"name": "add", "arguments": '{"a"'}}
    [reply] = messages_from_openai_dicts([{"role": "assistant", "tool_calls": [broken]}])
    assert isinstance(reply, AIMessage)
    assert (reply.tool_calls, reply.invalid_tool_calls[0]["args"]) == ([], '{"a"')
    assert convert_to_openai_messages(reply)["tool_calls"] == [broken]  # type: ignore[call-overload]


def test_arguments_that_a_server_has_parsed_are_taken() -> None:
    """Some servers send the arguments as an object."""
    call = {"id": "c1", "function": {"name": "add", "arguments": {"a": 1}}}
    [reply] = messages_from_openai_dicts([{"role": "assistant", "tool_calls": [call]}])
    assert reply == AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "c1"}])


def test_further_fields_are_kept() -> None:
    """Unknown fields of a message go into additional_kwargs; empty fields do not."""
    said = {"role": "assistant", "content": "Hi", "refusal": None, "annotations": [], "mood": "x"}
    assert message_from_openai_dict(said) == AIMessage("Hi", additional_kwargs={"mood": "x"})


@pytest.mark.parametrize(
    ("written", "error", "said"),
    [
        ({"content": "Hi"}, ValueError, "needs a role"),
        ({"role": 3, "content": "Hi"}, ValueError, "needs a role"),
        ({"role": "user"}, ValueError, "needs content"),
        ({"role": "assistant"}, ValueError, "needs content"),
        ({"role": "user", "content": None}, TypeError, "not NoneType"),
        ({"role": "user", "content": [3]}, TypeError, "A part of a HumanMessage"),
        ({"role": "tool", "content": "4"}, ValueError, "'tool' needs a tool_call_id"),
        ({"role": "function", "content": "4"}, ValueError, "'function' needs a name"),
    ],
)
def test_a_dict_that_is_no_message_says_what_it_lacks(
    written: dict[str, Any], error: type[Exception], said: str
) -> None:
    """Each thing that is missing is named."""
    with pytest.raises(error, match=said):
        message_from_openai_dict(written)


def test_a_kind_of_its_own_has_no_role() -> None:
    """A message of a class that OpenAI knows nothing of is refused."""
    with pytest.raises(ValueError, match="OpenAI has no role for a BaseMessage"):
        convert_to_openai_messages([replace(BaseMessage("Hi"))])


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        ({"id": "c1"}, "Tool calls are a list of dicts, not {'id': 'c1'}"),
        ("f()", "Tool calls are a list of dicts, not 'f()'"),
        ([{}], "A tool call is a dict, not {}"),
        ([3], "A tool call is a dict, not 3"),
        ([{"function": True}], "The function of a tool call is a dict, not True"),
        ([{"id": "a", "custom": ["x"]}], "The custom of a tool call is a dict, not ['x']"),
    ],
)
def test_calls_in_a_dict_are_a_list_of_dicts(calls: Any, said: str) -> None:
    """Anything else is named, and no reply without its calls is made of it."""
    with pytest.raises(TypeError) as caught:
        to_messages([{"role": "assistant", "content": "", "tool_calls": calls}])
    assert str(caught.value) == said


def test_every_kind_of_call_in_a_dict_is_read() -> None:
    """Of functions and of custom tools, whole or not, with arguments as text or as data."""
    calls: Any = [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
        {"id": "c2", "type": "function", "function": {"name": "f", "arguments": {"é": 1}}},
        {"id": "c3", "type": "custom", "custom": {"name": "g", "input": "x"}},
        {"id": "c4", "type": "custom", "custom": {"name": "g"}},
        {"id": "c5", "type": "function", "function": {"name": "f"}},
        {"id": "c6", "type": "function", "function": {"name": "f", "arguments": "{"}},
        {"id": "c7", "type": "custom", "custom": {"input": "x"}},
    ]
    [reply] = to_messages([{"role": "assistant", "content": None, "tool_calls": calls}])
    assert isinstance(reply, AIMessage)
    assert [(call["id"], call["name"], call["args"]) for call in reply.tool_calls] == [
        ("c1", "f", {"a": 1}),
        ("c2", "f", {"é": 1}),
        ("c3", "g", {"__arg1": "x"}),
        ("c4", "g", {"__arg1": ""}),
        ("c5", "f", {}),
    ]
    assert [(call["id"], call["args"]) for call in reply.invalid_tool_calls] == [
        ("c6", "{"),
        ("c7", None),
    ]
