from __future__ import annotations

from typing import Any

import langchain_core.messages as theirs
import pytest
from hypothesis import HealthCheck, given, settings

import chatnb.schema.messages as ours
from chatnb.langchain import (
    message_from_langchain,
    message_to_langchain,
    messages_from_langchain,
    messages_to_langchain,
)
from chatnb.schema.tool_calls import invalid_tool_call, tool_call, tool_call_chunk
from tests.support.examples import examples
from tests.support.langchain_messages import OURS, THEIRS

thoroughly = settings(
    max_examples=examples(150),
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)

COMMON: dict[str, Any] = {
    "content": [
        {"type": "text", "text": "Look:"},
        {"type": "image_url", "image_url": {"url": "u"}},
    ],
    "additional_kwargs": {"reasoning_content": "Hm.", "deep": {"list": [1, None]}},
    "response_metadata": {"finish_reason": "stop", "model_name": "m"},
    "name": "ada",
    "id": "m1",
}
CALL = tool_call(name="add", args={"a": [1, {"b": None}]}, id="c1")
INVALID = invalid_tool_call(name="add", args='{"a"', id="c2", error="no JSON")
PIECE = tool_call_chunk(name="add", args='{"a"', id="c1", index=0)
COUNTS = {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}
OUR_USAGE = {**COUNTS, "input_token_details": {"cached": 5, "cache_creation": 1, "audio": 2}}
THEIR_USAGE = {**COUNTS, "input_token_details": {"cache_read": 5, "cache_creation": 1, "audio": 2}}
KINDS: dict[str, dict[str, Any]] = {
    "HumanMessage": {},
    "HumanMessageChunk": {},
    "SystemMessage": {},
    "SystemMessageChunk": {},
    "AIMessage": {"tool_calls": [CALL], "invalid_tool_calls": [INVALID]},
    "AIMessageChunk": {"tool_call_chunks": [PIECE]},
    "ToolMessage": {"tool_call_id": "c1", "status": "error", "artifact": {"rows": (1, 2)}},
    "ToolMessageChunk": {"tool_call_id": "c1", "status": "error", "artifact": {"rows": (1, 2)}},
    "FunctionMessage": {},
    "FunctionMessageChunk": {},
    "ChatMessage": {"role": "critic"},
    "ChatMessageChunk": {"role": "critic"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_every_kind_arrives_under_its_name(kind: str) -> None:
    """Each of the twelve classes has a counterpart, and each field is there, in both directions."""
    fields = {**COMMON, **KINDS[kind]}
    usage = kind.startswith("AI")
    here = getattr(ours, kind)(**fields, **({"usage_metadata": OUR_USAGE} if usage else {}))
    there = getattr(theirs, kind)(**fields, **({"usage_metadata": THEIR_USAGE} if usage else {}))
    assert message_to_langchain(here) == there
    assert message_from_langchain(there) == here
    assert type(message_from_langchain(there)) is type(here)


@pytest.mark.slow
@given(message=OURS)
@thoroughly
def test_nothing_is_lost_there_and_back(message: ours.BaseMessage) -> None:
    """All that a message or chunk of chatnb's holds is there again after LangChain has had it."""
    back = message_from_langchain(message_to_langchain(message))
    assert type(back) is type(message)
    assert back == message
    if isinstance(message, ours.AIMessage) and isinstance(back, ours.AIMessage):
        assert back.tool_calls == message.tool_calls
        assert back.invalid_tool_calls == message.invalid_tool_calls


@given(message=THEIRS)
@thoroughly
def test_nothing_is_lost_here_and_back(message: theirs.BaseMessage) -> None:
    """All that a message or chunk of LangChain's declares is there again after chatnb had it."""
    back = message_to_langchain(message_from_langchain(message))
    assert type(back) is type(message)
    assert back.model_dump() == message.model_dump()


def test_what_is_converted_is_not_shared() -> None:
    """To change a message on one side changes none on the other."""
    here = ours.AIMessage(["a"], additional_kwargs={"n": 1}, tool_calls=[CALL])
    there = message_to_langchain(here)
    assert isinstance(there, theirs.AIMessage)
    there.content.append("b")  # type: ignore[union-attr]
    there.additional_kwargs["n"] = 2
    there.tool_calls.clear()
    assert here == ours.AIMessage(["a"], additional_kwargs={"n": 1}, tool_calls=[CALL])
    back = message_from_langchain(there)
    back.additional_kwargs["n"] = 3
    assert there.additional_kwargs == {"n": 2}


def test_raw_calls_are_not_called_twice() -> None:
    """LangChain would read calls out of `additional_kwargs`, where chatnb says there are none."""
    raw = {"tool_calls": [{"id": "c", "function": {"name": "add", "arguments": "{}"}}]}
    for kind in (ours.AIMessage, ours.AIMessageChunk):
        there = message_to_langchain(kind("", additional_kwargs=raw))
        assert isinstance(there, theirs.AIMessage)
        assert there.tool_calls == []


def test_an_invalid_call_in_a_chunk_stays_invalid() -> None:
    """Calls that LangChain calls invalid are not parsed again into calls that would be made."""
    whole = invalid_tool_call(name="rm", args='{"path": "/"}', id="c1")
    there = theirs.AIMessageChunk(content="", invalid_tool_calls=[whole])  # type: ignore[list-item]
    here = message_from_langchain(there)
    assert isinstance(here, ours.AIMessageChunk)
    assert here.tool_calls == []
    assert here.invalid_tool_calls[0]["error"] == "The call is invalid"


def test_subclasses_are_of_their_kind() -> None:
    """A message class of one's own is converted as the class that it extends."""

    class Remark(ours.HumanMessage):
        pass

    class Notice(theirs.HumanMessage):
        pass

    assert messages_to_langchain([Remark("Hi")]) == [theirs.HumanMessage("Hi")]
    assert messages_from_langchain([Notice("Hi")]) == [ours.HumanMessage("Hi")]


def test_what_has_no_counterpart_says_so() -> None:
    """LangGraph's order to remove a message is no message that a model could be sent."""
    with pytest.raises(TypeError, match="A RemoveMessage has no counterpart"):
        message_from_langchain(theirs.RemoveMessage(id="m1"))
