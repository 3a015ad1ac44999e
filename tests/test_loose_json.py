"""JSON as models write it, in every place that reads JSON of a model."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnb.chat_models import ScriptedChatModel
from chatnb.errors import OutputParserError
from chatnb.loose_json import find_json
from chatnb.output_parsers import JsonOutputParser
from chatnb.schema import AIMessage, AIMessageChunk
from chatnb.schema.messages import join_chunks
from chatnb.schema.tool_calls import parse_tool_call, tool_call_chunk

READ: dict[str, Any] = {
    '{"a": "x\ny\tz\r"}': {"a": "x\ny\tz\r"},
    '{"a": "x\\\ny"}': {"a": "x\ny"},
    '{"a": "it\\\'s"}': {"a": "it's"},
    '{"a": [1, 2,],}': {"a": [1, 2]},
    '\ufeff {"a": 1}': {"a": 1},
    'Sure! Here it is: {"a": 1} Anything else {or more}?': {"a": 1},
    'See [1] and [2, 3]. {"a": 1}': {"a": 1},
    'With {curly} words, and an open { as well {"a": 1}': {"a": 1},
    '{"a": 1}\n\nThis is {"b": 2} of no use.': {"a": 1},
    '{}{"a": 1}': {"a": 1},
    'The form is {"b": 2}.\n```json\n{"a": 1}\n```\nDone.': {"a": 1},
    '```python\nx = {"b": 2}\n```\n```json\n{"a": 1}\n```': {"a": 1},
    '```json\n{"b": }\n```\nAgain:\n```\n{"a": 1}\n```\n```json\n{"c": 3}\n```': {"a": 1},
    '~~~json\n{"a": 1}\n~~~': {"a": 1},
    '```json\n{"a": "x\ny"}```': {"a": "x\ny"},
    '```json {"a": 1} ```': {"a": 1},
    '{"a": "```json\n{}\n```"} Bye.': {"a": "```json\n{}\n```"},
    'It is {"a": "```\n[1]\n```"}.': {"a": "```\n[1]\n```"},
}
LISTS: dict[str, Any] = {
    'All: [{"a": 1}, {"b": [2]},] There.': [{"a": 1}, {"b": [2]}],
    "The numbers are [1, 2, 3], then.": [1, 2, 3],
    "```\n42\n```": 42,
    '```json\n["x\ny"]\n```': ["x\ny"],
}
UNREADABLE = [
    "",
    "Sure!",
    '{"a": 1',
    '{"a": "x\ny',
    'Sure: {"a": [1, 2], "b": {"c": 3}',
    '```json\n{"a": {"b": 1}',
    '{\'a\': [1, 2], "b": {"c": 1}}',
    "{'a': {\"c\": 1}",
    "[{'a': {\"c\": 1}}]",
    "[1, 2",
]
WAYS = ("whole", "stream", "astream")


def parsed(text: str, way: str) -> Any:
    """Parse a text with JsonOutputParser, or the chunks of it."""
    parser, chunks = (
        JsonOutputParser(),
        [text[start : start + 3] for start in range(0, len(text), 3)],
    )

    async def arun() -> Any:
        async def source() -> Any:
            for chunk in chunks:
                yield chunk

        return [value async for value in parser.atransform(source())][-1]

    if way == "whole":
        return parser.invoke(AIMessage(text))
    return list(parser.transform(iter(chunks)))[-1] if way == "stream" else asyncio.run(arun())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", [*READ, *LISTS])
def test_a_parser_finds_the_json_of_a_reply(text: str, way: str) -> None:
    """Prose, fences, raw line breaks and last commas do not matter, whole and streamed."""
    assert parsed(text, way) == {**READ, **LISTS}[text]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", UNREADABLE)
def test_truncated_json_and_other_text_is_an_error_with_the_text(text: str, way: str) -> None:
    """No part inside of broken JSON passes for the answer."""
    with pytest.raises(OutputParserError, match="The reply is not JSON") as caught:
        parsed(text, way)
    assert caught.value.text == text


@pytest.mark.parametrize("text", READ)
def test_arguments_of_tools_are_read_the_same_way(text: str) -> None:
    """Whole, and in the chunks of a stream."""
    assert parse_tool_call("f", text, "c1", finished=True).get("args") == READ[text]
    first = tool_call_chunk(name="f", id="c1", index=0)
    rest = [tool_call_chunk(args=character, index=0) for character in text]
    reply = join_chunks(AIMessageChunk("", tool_call_chunks=[chunk]) for chunk in (first, *rest))
    assert [call["args"] for call in reply.tool_calls] == [READ[text]]


@pytest.mark.parametrize(
    "text", [t for t in UNREADABLE if t] + ['{"a": 1}{"a": 2}', '{"a": 1} {"b']
)
def test_arguments_that_are_not_whole_are_an_invalid_call(text: str) -> None:
    """So are those of two calls; the text stays."""
    call = parse_tool_call("f", text, "c1", finished=True)
    assert "not whole JSON" in str(call.get("error"))
    assert call["args"] == text


@dataclass
class Note:
    a: str


@pytest.mark.parametrize("method", ["json_schema", "json_mode", "tools", "function_calling"])
@pytest.mark.parametrize("streams", [False, True])
def test_every_method_of_structured_output_reads_it(method: Any, streams: bool) -> None:
    """The value is that of the JSON with raw line breaks, among prose."""
    text = 'So:\n```json\n{"a": "x\ny"}\n```\nDone.'
    chunks = [tool_call_chunk(name="Note", id="c", index=0), tool_call_chunk(args=text, index=0)]
    call = AIMessageChunk(
        "",
        tool_call_chunks=[
            join_chunks(
                [AIMessageChunk("", tool_call_chunks=[c]) for c in chunks]
            ).tool_call_chunks[0]
        ],
    )
    reply = call if method in ("tools", "function_calling") else text
    notes = ScriptedChatModel([reply]).with_structured_output(Note, method=method)
    assert (list(notes.stream("?"))[-1] if streams else notes.invoke("?")) == Note("x\ny")


def is_found(text: str) -> bool:
    try:
        find_json(text)
    except ValueError:
        return False
    return True


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('ab\n\t "\\{}[]`,:', max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab\n", max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None)
@given(
    values,
    st.sampled_from(["", "Sure: ", "```json\n"]),
    st.sampled_from(["", "\n```", " Bye."]),
    st.data(),
)
def test_any_object_is_found_and_no_part_of_it(
    value: Any, before: str, after: str, data: st.DataObject
) -> None:
    """With raw line breaks; cut off anywhere, it is an error."""
    value = {"value": value}
    text = json.dumps(value).replace("\\n", "\n").replace("\\t", "\t")
    text = json.dumps(value) if "\\\n" in text or "\\\t" in text else text
    assert find_json(before + text + after).value == value
    end = data.draw(st.integers(1, len(text) - 1))
    assert not is_found(before + text[:end])


@pytest.mark.parametrize("text", ["[", "{x", '{"', "{ x ", "```json\n{"])
def test_a_search_without_result_ends_soon(text: str) -> None:
    """Linear in the length, where a naive search would read the text for each bracket."""
    assert not is_found(text * 10_000)
