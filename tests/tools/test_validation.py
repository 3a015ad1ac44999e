from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chatnb.schema import AIMessage, AIMessageChunk
from chatnb.schema.messages import join_chunks
from chatnb.schema.tool_calls import tool_call_chunk
from chatnb.tools.validation import CallCheck

ARGS = '{"text": "a {\\"b\\\\\\\\\\": [1]} } c", "times": {"n": 1, "m": {"k": "\\\\"}}}'
GOOD = {"text": 'a {"b\\\\": [1]} } c', "times": {"n": 1, "m": {"k": "\\"}}}


def write(text: str, times: dict[str, Any] | None = None) -> None: ...


def now() -> None: ...


def whole(chunks: list[AIMessageChunk]) -> AIMessage:
    return join_chunks(CallCheck([write, now]).transform(iter(chunks))).to_message()  # type: ignore[arg-type]


def pieces(
    args: list[str], *, name: str = "write", index: int | None = 0, id: str = "c1"
) -> list[AIMessageChunk]:
    first = tool_call_chunk(name=name, id=id, index=index)
    rest = [tool_call_chunk(args=bit, index=index) for bit in args]
    return [AIMessageChunk("", tool_call_chunks=[piece]) for piece in [first, *rest]]


def end(reason: str = "tool_calls") -> AIMessageChunk:
    return AIMessageChunk("", response_metadata={"finish_reason": reason})


def cut(text: str, seed: int) -> list[str]:
    places = sorted(random.Random(seed).sample(range(1, len(text)), 8))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


def test_calls_that_fit_pass_wherever_they_are_cut() -> None:
    """Braces and quotes inside of strings end nothing."""
    assert json.loads(ARGS) == GOOD
    for seed in range(20):
        reply = whole([*pieces(cut(ARGS, seed)), end()])
        assert [call["args"] for call in reply.tool_calls] == [GOOD]


def test_calls_that_do_not_fit_look_valid_at_no_point() -> None:
    """In sums of any part of the stream, and with anything after it."""
    wrong = ARGS.replace('"text"', '"txt"')
    for seed in range(20):
        given = [*pieces(cut(wrong, seed)), AIMessageChunk("Well."), end()]
        chunks = list(CallCheck([write]).transform(iter(given)))
        for length in range(1, len(chunks) + 1):
            assert join_chunks(chunks[:length]).tool_calls == []  # type: ignore[arg-type]
        [invalid] = whole(given).invalid_tool_calls
        assert (invalid["id"], invalid["args"]) == ("c1", wrong)
        assert "do not fit write: text: Field required" in str(invalid["error"])


@pytest.mark.parametrize("index", [0, None])
def test_a_whole_call_in_one_piece_is_checked(index: int | None) -> None:
    """With an index, and without one."""
    piece = tool_call_chunk(name="write", args='{"text": 1}', id="c1", index=index)
    good = tool_call_chunk(name="write", args='{"text": "a"}', id="c2", index=index)
    reply = whole([AIMessageChunk("", tool_call_chunks=[piece, good]), end()])
    assert [call["id"] for call in reply.tool_calls] == ["c2"]
    assert [call["id"] for call in reply.invalid_tool_calls] == ["c1"]


def test_calls_that_share_an_index_are_told_apart() -> None:
    """A server that numbers every call 0 has each of them checked, those without arguments too."""
    chunks = [
        *pieces([], id="c1"),
        *pieces(['{"text": "a"}'], id="c2"),
        *pieces([], id="c3", name="now"),
        *pieces([], id="c4"),
        end(),
    ]
    reply = whole(chunks)
    assert [call["id"] for call in reply.tool_calls] == ["c2", "c3"]
    assert [call["id"] for call in reply.invalid_tool_calls] == ["c1", "c4"]
    assert all("Field required" in str(call["error"]) for call in reply.invalid_tool_calls)


def test_a_name_that_comes_late_is_checked() -> None:
    """The call is checked when its name is known, not before."""
    args = tool_call_chunk(args="{}", id="c1", index=0)
    name = tool_call_chunk(name="nothing", index=0)
    reply = whole([AIMessageChunk("", tool_call_chunks=[piece]) for piece in (args, name)])
    assert "no tool 'nothing'. The tools are: write, now" in str(
        reply.invalid_tool_calls[0]["error"]
    )


@pytest.mark.parametrize("ending", [[], [end()]])
@pytest.mark.parametrize("index", [0, None])
def test_an_empty_object_before_the_arguments_is_not_the_arguments(
    index: int | None, ending: list[AIMessageChunk]
) -> None:
    """The call is checked with the JSON that follows, or at the end if none does."""
    good = whole([*pieces(["{}", '{"te', 'xt": "a"}'], index=index), *ending])
    assert [call["args"] for call in good.tool_calls] == [{"text": "a"}]
    bad = whole([*pieces(["{}"], index=index), *pieces(["{}"], index=index, id="c2"), *ending])
    assert [call["id"] for call in bad.invalid_tool_calls] == ["c1", "c2"]
    assert all("Field required" in str(call["error"]) for call in bad.invalid_tool_calls)


def test_truncated_calls_stay_invalid_for_their_own_reason() -> None:
    """Incomplete JSON is not validated."""
    reply = whole([*pieces(['{"text": "a']), end("length")])
    assert "not whole JSON" in str(reply.invalid_tool_calls[0]["error"])


def test_chunks_that_say_nothing_of_calls_are_the_same_objects() -> None:
    """Text is passed on as it is."""
    given = [AIMessageChunk("a"), AIMessageChunk("b"), end("stop")]
    assert all(
        mine is theirs
        for mine, theirs in zip(CallCheck([write]).transform(iter(given)), given, strict=True)
    )


def test_streams_and_whole_messages_are_checked_alike() -> None:
    """`invoke`, `transform` and `atransform` say the same of a message."""
    calls = [
        {"name": "write", "args": {"text": 1}, "id": "c1"},
        {"name": "now", "args": {}, "id": "c2"},
        {"name": "gone", "args": {"a": "é"}, "id": "c3"},
    ]
    given = AIMessage("Hi", tool_calls=calls)  # type: ignore[arg-type]
    check = CallCheck([write, now])
    once = check.invoke(given)
    assert [call["id"] for call in once.tool_calls] == ["c2"]
    assert [call["args"] for call in once.invalid_tool_calls] == ['{"text": 1}', '{"a": "é"}']
    assert list(check.transform(iter([given]))) == [once]

    async def source() -> AsyncIterator[AIMessage]:
        yield given

    async def read() -> list[AIMessage]:
        return [each async for each in check.atransform(source())]

    assert asyncio.run(read()) == [once]
    assert check.invoke(once) is once


def test_tools_of_the_provider_are_not_checked() -> None:
    """Of their arguments only the provider knows."""
    computer = {"type": "computer_20250124", "name": "computer"}
    call = {"name": "computer", "args": {"action": "key"}, "id": "c1"}
    reply = AIMessage("", tool_calls=[call])  # type: ignore[list-item]
    assert CallCheck([computer, {"type": "web_search"}]).invoke(reply) is reply


def test_a_check_is_shown_with_the_tools_that_it_knows() -> None:
    """Tools of a provider, and those of a namespace, are among them."""
    given: list[Any] = [
        write,
        {"type": "web_search", "name": "search"},
        {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "nested"}]},
    ]
    assert repr(CallCheck(given)).startswith("CallCheck(write")
    assert repr(CallCheck([])) == "CallCheck()"
    reply = AIMessage("", tool_calls=[{"name": "f", "args": {"é": 1}, "id": "c1"}])
    [invalid] = CallCheck([]).invoke(reply).invalid_tool_calls
    assert invalid["error"] == "There is no tool 'f'. The tools are: none"
    assert (invalid["args"], invalid["id"]) == ('{"é": 1}', "c1")
    good = AIMessage("", tool_calls=[{"name": "write", "args": {"text": "a"}, "id": "c1"}])
    assert CallCheck([write]).invoke(good) is good


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_stream_that_ends_without_a_reason_has_its_last_call_checked(way: str) -> None:
    """A chunk at the end has the error of a call without arguments."""
    start = AIMessageChunk("", tool_call_chunks=[tool_call_chunk(name="write", id="c1", index=0)])
    check = CallCheck([write])

    async def arun() -> list[Any]:
        async def source() -> AsyncIterator[AIMessage]:
            yield start

        return [chunk async for chunk in check.atransform(source())]

    chunks = asyncio.run(arun()) if way == "async" else [*check.transform(iter([start]))]
    assert chunks[0] is start
    [error] = chunks[1].tool_call_chunks
    assert (error["id"], error["index"], len(chunks)) == ("c1", 0, 2)
    assert "do not fit write" in error["error"]


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_whole_message_in_a_stream_is_checked_whole(way: str) -> None:
    """As a model without streaming yields it."""
    reply = AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "c1"}])
    check = CallCheck([write])

    async def arun() -> list[Any]:
        async def source() -> AsyncIterator[AIMessage]:
            yield reply

        return [chunk async for chunk in check.atransform(source())]

    [checked] = asyncio.run(arun()) if way == "async" else [*check.transform(iter([reply]))]
    assert checked.tool_calls == []
    assert checked.invalid_tool_calls == check.invoke(reply).invalid_tool_calls
