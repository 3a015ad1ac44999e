from __future__ import annotations

import json
from typing import Any

import pytest

from chatnb.schema import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolMessage,
    message_from_dict,
    message_to_dict,
    messages_from_dict,
    messages_from_json,
    messages_to_dict,
    messages_to_json,
)
from chatnb.schema.messages import as_chunk
from chatnb.schema.serialization import checked_message, with_readable_fields
from tests.support.message_strategies import message


def test_any_message_survives_dicts_and_json() -> None:
    """Messages and chunks of every kind are read back equal, through dicts and through JSON."""
    for seed in range(120):
        given: list[BaseMessage] = [message(seed), as_chunk(message(seed + 1))]
        assert messages_from_dict(messages_to_dict(given)) == given
        assert messages_from_json(messages_to_json(given)) == given


def test_everything_about_a_reply_survives() -> None:
    """Usage, metadata, ids, artifacts and halves of emoji are part of the round trip."""
    given = [
        AIMessage(
            "Hi \ud83d",
            id="r1",
            name="bot",
            usage_metadata={"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
            response_metadata={"finish_reason": "stop"},
            additional_kwargs={"reasoning_content": "Hm."},
        ),
        ToolMessage("4", tool_call_id="c1", status="error", artifact={"n": 4}),
        AIMessageChunk("a") + AIMessageChunk("b"),
    ]
    assert messages_from_json(messages_to_json(given, indent=2)) == given


def test_the_form_is_langchains() -> None:
    """A type, and the fields under data: what langchain writes can be read."""
    assert message_to_dict(HumanMessage("Hi"))["data"]["content"] == "Hi"
    theirs = {"type": "human", "data": {"content": "Hi", "type": "human", "example": False}}
    assert message_from_dict(theirs) == HumanMessage("Hi")


def test_dicts_share_nothing_with_messages() -> None:
    """Changing one leaves the other as it was."""
    given = HumanMessage([{"type": "text", "text": "Hi"}])
    written = message_to_dict(given)
    written["data"]["content"][0]["text"] = "Bye"
    assert given.text == "Hi"


@pytest.mark.parametrize(
    ("written", "error", "said"),
    [
        ({"type": "robot", "data": {}}, ValueError, "'robot'.*ai.*human"),
        ({"type": "human"}, ValueError, "A message has the form"),
        ({"content": "Hi"}, ValueError, "A message has the form"),
        ("Hi", ValueError, "A message has the form"),
        ({"type": "human", "data": {}}, TypeError, "content"),
        ({"type": "human", "data": {"content": "Hi", "mood": "x"}}, TypeError, "mood"),
        ({"type": "tool", "data": {"content": "4"}}, TypeError, "tool_call_id"),
    ],
)
def test_what_is_no_messages_dict_is_refused(
    written: Any, error: type[Exception], said: str
) -> None:
    """A dict that is not of the form, or lacks or adds a field, says so."""
    with pytest.raises(error, match=said):
        message_from_dict(written)


@pytest.mark.parametrize(("text", "said"), [("{", "not JSON"), ('{"a": 1}', "is a list")])
def test_what_is_no_messages_json_is_refused(text: str, said: str) -> None:
    """Broken JSON, and JSON of something else, are errors."""
    with pytest.raises(ValueError, match=said):
        messages_from_json(text)


def test_what_json_cannot_hold_is_refused() -> None:
    """A live object in a message is named."""
    with pytest.raises(TypeError, match=r"cannot be written as JSON: .*object"):
        messages_to_json([ToolMessage("4", tool_call_id="c1", artifact=object())])


def test_a_kind_of_its_own_cannot_be_read_back() -> None:
    """A subclass is refused when it is written, rather than lost when it is read."""

    class Mine(HumanMessage):
        pass

    with pytest.raises(ValueError, match="A Mine cannot be read back"):
        message_to_dict(Mine("Hi"))
    assert json.loads(messages_to_json([])) == []


USAGE = {"input_tokens": 1, "output_tokens": 0, "total_tokens": 2**53}
CALL = {"name": "f", "args": {}}
# Values that a field of a saved message may have, and values that it may not.
FIELDS: dict[str, tuple[list[Any], list[Any]]] = {
    "content": (
        ["", [], ["a", {}, {"type": "text", "text": None}, {"type": "image", "text": 3}]],
        [None, 3, {}, [3], [None], [{"type": 3}], [{"text": 3}], [{"type": "refusal", "text": 3}]],
    ),
    "additional_kwargs": (
        [{}, {"refusal": None, "reasoning_content": "a"}, {"other": 3}],
        [None, [], {"refusal": 3}, {"reasoning_content": []}],
    ),
    "response_metadata": (
        [{}, {"finish_reason": None, "model_name": "m"}, {"other": 3}],
        [None, "x", {"finish_reason": 3}, {"model_name": []}],
    ),
    "name": ([None, "", "a"], [3, []]),
    "id": ([None, "a"], [3]),
    "usage_metadata": (
        [
            None,
            {},
            USAGE,
            *({**USAGE, "cost": cost} for cost in (0, 0.5, 2**53)),
            {**USAGE, "service_tier": "flex"},
            {**USAGE, "service_tier": None},
            {**USAGE, "input_token_details": {}, "output_token_details": {"reasoning": 0}},
        ],
        [
            [],
            0,
            "x",
            {"input_tokens": 1},
            *({**USAGE, "output_tokens": n} for n in (-1, 2**53 + 1, True, 1.0, None)),
            *({**USAGE, "cost": n} for n in (-0.1, 2**53 + 1, True, "1", None, float("nan"))),
            {**USAGE, "service_tier": 3},
            {**USAGE, "input_token_details": []},
            {**USAGE, "output_token_details": {"reasoning": -1}},
        ],
    ),
    "tool_calls": (
        [[], [CALL, {**CALL, "id": None}, {**CALL, "id": "c1"}]],
        [
            None,
            {},
            [3],
            [CALL, {**CALL, "name": None}],
            [{**CALL, "args": "{}"}],
            [{**CALL, "id": 3}],
        ],
    ),
    **dict.fromkeys(
        ("invalid_tool_calls", "tool_call_chunks"),
        (
            [[], [{}, {"name": None, "args": "x", "id": "c1", "error": "e", "index": 1}]],
            [
                None,
                [{}, None],
                *([{name: 3}] for name in ("name", "args", "id", "error")),
                [{"index": "1"}],
            ],
        ),
    ),
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields_of_saved_messages_have_the_types_that_readers_rely_on(name: str) -> None:
    """Another type is refused, and left out of a message that is saved, where it may be missing."""
    accepted, refused = FIELDS[name]
    message = AIMessageChunk("a")
    for value in accepted:
        vars(message)[name] = value
        assert checked_message(message) is message
        assert with_readable_fields(message) is message
    for value in refused:
        vars(message)[name] = value
        with pytest.raises(TypeError) as caught:
            checked_message(message)
        assert str(caught.value) == f"the {name} of a message cannot be {value!r:.80}"
        is_required = name == "content"
        assert with_readable_fields(message) == (message if is_required else AIMessageChunk("a"))
