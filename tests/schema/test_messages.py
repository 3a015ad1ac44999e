from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from chatnb.schema import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    StringPromptValue,
    SystemMessage,
    ToolMessage,
    to_messages,
)
from chatnb.schema.characters import SurrogateJoiner
from chatnb.schema.messages import join_chunks


def test_the_repr_shows_content_and_leaves_out_defaults() -> None:
    """A message's repr is the page's: fields that are not at their default, in order."""
    assert repr(HumanMessage("hi")) == "HumanMessage(content='hi')"
    assert repr(AIMessage("it's")) == """AIMessage(content="it's")"""
    assert (
        repr(AIMessage("hi", additional_kwargs={"a": 1}))
        == "AIMessage(content='hi', additional_kwargs={'a': 1})"
    )


def test_the_repr_leaves_out_what_only_describes_the_call() -> None:
    """Ids, usage and metadata do not clutter the repr, and still count for equality."""
    usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    told = AIMessage("hi", id="x", usage_metadata=usage, response_metadata={"m": 1})
    assert repr(told) == "AIMessage(content='hi')"
    assert told != AIMessage("hi")


@pytest.mark.parametrize("content", [None, 3, b"bytes"])
def test_content_must_be_text_or_parts(content: object) -> None:
    """Anything but a string or a list is refused with what it was."""
    with pytest.raises(TypeError, match="HumanMessage takes its content as a string"):
        HumanMessage(content)  # type: ignore[arg-type]


def test_unknown_fields_are_refused() -> None:
    """A misspelt field is noticed."""
    with pytest.raises(TypeError, match="contnet"):
        AIMessage("a", contnet="b")  # type: ignore[call-arg]


def test_chunks_add_up() -> None:
    """Text grows, the first id stays, the last metadata wins and nothing is doubled."""
    chunks = [
        AIMessageChunk("Hel", id="1", response_metadata={"model_name": "m"}),
        AIMessageChunk("lo", response_metadata={"model_name": "m", "finish_reason": "stop"}),
    ]
    whole = sum(chunks)
    assert whole == chunks[0] + chunks[1] == join_chunks(chunks)
    assert whole.content == "Hello"
    assert whole.id == "1"
    assert whole.response_metadata == {"model_name": "m", "finish_reason": "stop"}


def test_cumulative_usage_is_not_counted_twice() -> None:
    """A server that reports running totals with each chunk costs what the last one says."""
    reports = [
        {
            "input_tokens": 5,
            "output_tokens": n,
            "total_tokens": 5 + n,
            "input_token_details": {"cached": 2},
        }
        for n in (1, 2, 3)
    ]
    whole = join_chunks(AIMessageChunk("a", usage_metadata=report) for report in reports)
    assert whole.usage_metadata == reports[-1]


@pytest.mark.parametrize(
    ("left", "right", "whole"),
    [
        ("a", "b", "ab"),
        ([], "b", ["b"]),
        ("a", [{"type": "x"}], ["a", {"type": "x"}]),
        (["a"], ["b"], ["ab"]),
        ([{"type": "x"}], "b", [{"type": "x"}, "b"]),
    ],
)
def test_content_of_any_form_merges(left: object, right: object, whole: object) -> None:
    """Strings and lists of parts add up in every combination."""
    chunks = [AIMessageChunk(left), AIMessageChunk(right)]  # type: ignore[arg-type]
    assert (chunks[0] + chunks[1]).content == whole
    assert join_chunks(chunks).content == (chunks[0] + chunks[1]).content


def test_only_chunks_of_one_speaker_add_up() -> None:
    """A chunk plus a message is a TypeError; chunks of two speakers are a ValueError."""
    with pytest.raises(TypeError, match="unsupported operand"):
        AIMessageChunk("a") + AIMessage("b")  # type: ignore[operator]
    with pytest.raises(ValueError, match="'ada' and 'bob'"):
        AIMessageChunk("a", name="ada") + AIMessageChunk("b", name="bob")


def test_a_chunk_never_equals_a_message() -> None:
    """A chunk is not equal to a message of the same content."""
    assert AIMessageChunk("a") != AIMessage("a")
    assert AIMessageChunk("a").to_message() == AIMessage("a")


def test_input_is_coerced_to_messages() -> None:
    """Strings, messages, pairs and dicts all become messages; messages stay the same objects."""
    human = HumanMessage("x")
    assert to_messages("x") == [human]
    assert to_messages(human)[0] is human
    assert to_messages([("system", "s"), {"role": "assistant", "content": "a"}, "x", human]) == [
        SystemMessage("s"),
        AIMessage("a"),
        human,
        human,
    ]


@pytest.mark.parametrize("value", [None, 3, ("human", "hi"), [3], [("a", "b", "c")]])
def test_other_input_is_refused_with_what_is_accepted(value: object) -> None:
    """Bad input names what a chat model takes; a top-level pair is not two messages."""
    with pytest.raises(TypeError, match="takes a string, a message, or a list"):
        to_messages(value)  # type: ignore[arg-type]


def test_an_unknown_role_lists_the_known_ones() -> None:
    """A role that does not exist is answered with those that do."""
    with pytest.raises(ValueError, match=r"'robot'.*human.*assistant"):
        to_messages([("robot", "hi")])


@pytest.mark.parametrize("cut", range(6))
def test_split_surrogate_pairs_join(cut: int) -> None:
    """An emoji written as two escapes and cut anywhere comes out whole."""
    halves = "a\ud83d\ude00b\ud83d"
    joiner = SurrogateJoiner()
    text = joiner.push(halves[:cut]) + joiner.push(halves[cut:]) + joiner.flush()
    assert text == "a😀b\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("message", "type", "shown"),
    [
        (FunctionMessage("4", name="add"), "function", "(content='4', name='add')"),
        (
            ToolMessage("4", tool_call_id="c1", status="error"),
            "tool",
            "(content='4', tool_call_id='c1', status='error')",
        ),
        (ChatMessage("Hm.", role="critic"), "chat", "(content='Hm.', role='critic')"),
    ],
)
def test_the_other_roles_show_what_they_need(message: BaseMessage, type: str, shown: str) -> None:
    """Functions, tools and speakers of any role have a type, and show their own fields."""
    assert (message.type, repr(message)) == (type, message.__class__.__name__ + shown)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: FunctionMessage("4"), "name"),
        (lambda: ToolMessage("4"), "tool_call_id"),
        (lambda: ChatMessage("4"), "role"),
        (lambda: FunctionMessage("4", name=None), "name as a string, not None"),
        (lambda: ToolMessage("4", tool_call_id=[3]), r"tool_call_id as a string, not \[3\]"),
        (lambda: ChatMessage("4", role=None), "role as a string, not None"),
        (lambda: HumanMessage([3]), "A part of a HumanMessage is a string or a dict, not int: 3"),
        (lambda: AIMessageChunk([3]), "A part of a AIMessageChunk is a string or a dict, not int"),
        (lambda: AIMessageChunk(None), "AIMessageChunk takes its content as a string"),
    ],
)
def test_what_a_message_needs_is_asked_for(make: Callable[[], object], said: str) -> None:
    """A field that is missing or of a wrong type is named."""
    with pytest.raises(TypeError, match=said):
        make()


def test_a_tool_succeeds_or_fails() -> None:
    """There is no third status."""
    with pytest.raises(ValueError, match="'success' or 'error', not 'maybe'"):
        ToolMessage("4", tool_call_id="c1", status="maybe")  # type: ignore[arg-type]


def test_messages_print_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """A heading of 80 characters, who speaks, what is said, and the calls that are asked for."""
    AIMessage(
        ["Let me see.", {"type": "image_url"}],
        name="bot",
        tool_calls=[{"name": "add", "args": {"a": 1}, "id": "c1"}],
        invalid_tool_calls=[{"name": "sub", "args": "{", "id": "c2", "error": "Cut off"}],
    ).pretty_print()
    lines = capsys.readouterr().out.splitlines()
    assert (len(lines[0]), lines[0].strip("=")) == (80, " AI Message ")
    assert lines[1:] == [
        "Name: bot",
        "",
        "Let me see.",
        "[image_url]",
        "Tool call: add (c1)",
        "  a: 1",
        "Invalid tool call: sub (c2)",
        "  Cut off",
    ]
    assert "Answers: c1 (success)" in ToolMessage("4", tool_call_id="c1").pretty_repr()
    assert "Role: critic" in ChatMessage("Hm.", role="critic").pretty_repr()


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            ("developer", "x"),
            SystemMessage("x", additional_kwargs={"__openai_role__": "developer"}),
        ),
        (("chat", "x"), ChatMessage("x", role="chat")),
        ({"type": "chat", "role": "critic", "content": "x"}, ChatMessage("x", role="critic")),
        ({"type": "human", "content": "x"}, HumanMessage("x")),
        (
            {"role": "tool", "content": "4", "tool_call_id": "c1"},
            ToolMessage("4", tool_call_id="c1"),
        ),
        ({"role": "function", "content": "4", "name": "f"}, FunctionMessage("4", name="f")),
        (["ai", "x"], AIMessage("x")),
        (("human", [{"type": "text", "text": "x"}]), HumanMessage([{"type": "text", "text": "x"}])),
    ],
)
def test_items_of_every_role_are_coerced(item: Any, message: BaseMessage) -> None:
    """Each role has its message, with what it needs."""
    assert to_messages([item]) == [message]


@pytest.mark.parametrize(
    ("value", "error", "said"),
    [
        ({"role": "user", "content": "x"}, TypeError, "takes a string.* not dict"),
        ([{"content": "x"}], TypeError, "this item is none of them"),
        ([(HumanMessage("x"), HumanMessage("y"))], TypeError, "this item is none of them"),
        ([None], TypeError, "this item is none of them: None"),
        (StringPromptValue, TypeError, "or a prompt value"),
        ([{"role": "robot", "content": "x"}], ValueError, "Unknown role 'robot'"),
        ([("tool", "4")], ValueError, "needs a tool_call_id"),
        ([("human", None)], TypeError, "takes its content as a string"),
        ([{"role": "user"}], ValueError, "needs content"),
    ],
)
def test_bad_input_says_what_is_wrong(value: Any, error: type[Exception], said: str) -> None:
    """Each way to get it wrong has an error that says what is accepted or missing."""
    with pytest.raises(error, match=said):
        to_messages(value)


@pytest.mark.process
def test_the_schema_loads_next_to_nothing() -> None:
    """Every name of it can be loaded without pydantic, openai, Jupyter or asyncio."""
    code = (
        "import sys, chatnb.schema as s; [getattr(s, n) for n in s.__all__]; "
        "assert sorted(dir(s)) == sorted(s.__all__); "
        "bad = {'pydantic', 'openai', 'IPython', 'asyncio', 'ipywidgets', 'PIL', 'matplotlib'}; "
        "print(sorted(bad & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_name_that_the_schema_does_not_have_is_an_import_error() -> None:
    """Loading lazily does not make up names."""
    with pytest.raises(ImportError, match="Message2"):
        from chatnb.schema import Message2  # type: ignore[attr-defined]  # noqa: F401


def test_parts_of_an_sdk_stand_among_others() -> None:
    """They become dicts, and texts and dicts stay the objects that they are."""

    class Part:
        def model_dump(self, **options: Any) -> dict[str, Any]:
            return {"type": "text", "text": "b", **options}

    given: dict[str, Any] = {"type": "text", "text": "c"}
    content: Any = ["a", Part(), given]
    message = HumanMessage(content)
    assert message.content == ["a", {"type": "text", "text": "b", "exclude_none": True}, given]
    assert message.content[2] is given
    with pytest.raises(TypeError) as caught:
        HumanMessage(["a", 3])  # type: ignore[list-item]
    assert str(caught.value) == "A part of a HumanMessage is a string or a dict, not int: 3"
    with pytest.raises(TypeError, match="as a string or a list of parts, not int: 3"):
        HumanMessage(3)  # type: ignore[arg-type]
