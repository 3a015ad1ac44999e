"""Parsers of lists, XML and tool calls, beside those of LangChain."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, TypedDict

import jsonpatch
import pytest
from langchain_core import messages as langchain_messages
from langchain_core import output_parsers as langchain
from langchain_core.output_parsers import openai_tools as langchain_tools
from pydantic import BaseModel, Field

from chatnb import output_parsers as chatnb
from chatnb.errors import OutputParserError
from chatnb.output_parsers.pydantic import partial_object
from chatnb.schema import AIMessage, ChatGeneration, HumanMessage
from chatnb.schema.tool_calls import invalid_tool_call
from tests.support.hangs import is_linear

TEXTS = {
    "CommaSeparatedListOutputParser": [
        "red, green,blue",
        'red, "blue, dark", green',
        "one",
        "",
        "a b , c d",
        "x,\ny,\nz",
    ],
    "NumberedListOutputParser": [
        "1. red\n2. green",
        "Here:\n\n1. red wine\n\n10. green\nThat is all.",
        "none",
        "",
    ],
    "MarkdownListOutputParser": [
        "- red\n- green",
        "Here:\n* red\n* green - dark\nEnd.",
        "none",
        "",
    ],
}


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, texts in TEXTS.items() for t in texts])
def test_lists_are_those_of_langchain(name: str, text: str) -> None:
    """A list is the same whole, streamed letter by letter, and asynchronously; blanks aside."""
    parser: Any = getattr(chatnb, name)()
    theirs = getattr(langchain, name)().parse(text)
    expected = [item.strip() for item in theirs if item.strip()]
    assert parser.invoke(AIMessage(text)) == parser.parse(text) == expected
    chunks = list(parser.transform(iter(text)))
    assert [item for chunk in chunks for item in chunk] == expected
    assert all(len(chunk) == 1 for chunk in chunks) or chunks == [[]]

    async def letters() -> AsyncIterator[str]:
        for letter in text:
            yield letter

    async def achunks() -> list[Any]:
        return [chunk async for chunk in parser.atransform(letters())]

    assert asyncio.run(achunks()) == chunks
    assert parser.get_format_instructions()


def test_an_item_is_streamed_as_soon_as_it_is_whole() -> None:
    """The first item is there before the last letter."""
    seen = list[str]()

    def letters() -> Any:
        for letter in "red, green":
            seen.append(letter)
            yield letter

    first = next(iter(chatnb.CommaSeparatedListOutputParser().transform(letters())))
    assert (first, "".join(seen)) == (["red"], "red,")


@pytest.mark.parametrize(
    "text",
    [
        "<a><b>1</b><c>2</c></a>",
        "<a>text</a>",
        "<a><b><c>1</c><c>2</c></b><d/></a>",
        "Here:\n```xml\n<a>\n <b>1 &lt; 2</b>\n</a>\n```\nDone.",
        "<?xml version='1.0' encoding='UTF-8'?>\n<a><b>é</b></a>",
    ],
)
def test_xml_is_that_of_langchain(text: str) -> None:
    """Elements become the dicts that LangChain's parser makes."""
    expected = langchain.XMLOutputParser(parser="xml").parse(text)
    assert chatnb.XMLOutputParser().invoke(AIMessage(text)) == expected
    assert "film" in chatnb.XMLOutputParser(tags=["film"]).get_format_instructions()


@pytest.mark.parametrize(
    "text",
    [
        "no element",
        "",
        "1 < 2",
        "<a><b></a>",
        "<a>",
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        '<a/><!DOCTYPE lolz [<!ENTITY lol "lol">]>',
        "<a>&undeclared;</a>",
        "<a>" * 5000 + "</a>" * 5000,
        "> <a",
    ],
)
def test_what_is_no_xml_is_refused(text: str) -> None:
    """Broken XML, entities and endless nesting are parser errors with the reply."""
    with pytest.raises(OutputParserError) as caught:
        chatnb.XMLOutputParser().invoke(text)
    assert caught.value.text == text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "unit"), [("", "<a"), (">", "<?xml "), ("<a>", "<b"), ("<a>", "<!"), ("", "<a>")]
)
def test_the_work_for_xml_grows_with_the_length(before: str, unit: str) -> None:
    """Not each beginning of an element is followed to the end of the reply."""

    def read(text: str) -> None:
        with pytest.raises(OutputParserError):
            chatnb.XMLOutputParser().invoke(text)

    assert is_linear(read, unit, before)


def test_xml_may_be_nested_as_deep_as_the_error_says() -> None:
    """The limit is that of the message, with and without text in the innermost element."""
    for inner in ("", "text"):
        deepest = "<a>" * 200 + inner + "</a>" * 200
        assert "a" in chatnb.XMLOutputParser().invoke(deepest)
        with pytest.raises(OutputParserError, match="more than 200 deep"):
            chatnb.XMLOutputParser().invoke(f"<a>{deepest}</a>")


class Add(BaseModel):
    """Add numbers."""

    a: int
    b: int = 1


class Word(TypedDict):
    text: str


@dataclass
class Place:
    x: int


CALLS: list[Any] = [
    {"name": "Add", "args": {"a": "2"}, "id": "c1", "type": "tool_call"},
    {"name": "Word", "args": {"text": "x"}, "id": "c2", "type": "tool_call"},
]


@pytest.mark.parametrize("calls", [CALLS, CALLS[:1], []])
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("return_id", [False, True])
def test_tool_calls_are_those_of_langchain(calls: Any, first: bool, return_id: bool) -> None:
    """Dicts of all calls, and of one tool's, are the same with each option."""
    options: Any = {"first_tool_only": first, "return_id": return_id}
    ours = AIMessage("", tool_calls=calls)
    theirs = langchain_messages.AIMessage("", tool_calls=calls)
    for make in (
        lambda p: p.JsonOutputToolsParser(**options),
        lambda p: p.JsonOutputKeyToolsParser(key_name="Add", **options),
        lambda p: p.JsonOutputKeyToolsParser(key_name="Other", **options),
    ):
        expected = make(langchain_tools).invoke(theirs)
        # Without any calls, one of LangChain's returns [] for the first.
        assert make(chatnb).invoke(ours) == (expected or None if first else expected)


def test_tool_calls_become_objects() -> None:
    """Calls are objects of the classes that were bound, also of dataclasses and TypedDicts."""
    parser = chatnb.PydanticToolsParser([Add, Word, Place])
    reply = AIMessage("", tool_calls=[*CALLS, {"name": "Place", "args": {"x": 1}, "id": None}])
    assert parser.invoke(reply) == [Add(a=2, b=1), {"text": "x"}, Place(1)]
    assert list(parser.stream(reply)) == [parser.invoke(reply)]
    first = chatnb.PydanticToolsParser(tools=[Add], first_tool_only=True)
    assert first.invoke(AIMessage("", tool_calls=CALLS[:1])) == Add(a=2)
    assert first.invoke(AIMessage("none")) is None


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (AIMessage("", tool_calls=CALLS), OutputParserError, "calls Word; the tools are: Add"),
        (
            AIMessage("", tool_calls=[{"name": "Add", "args": {"a": "x"}, "id": "c1"}]),
            OutputParserError,
            "call of Add is invalid",
        ),
        (
            AIMessage("", invalid_tool_calls=[invalid_tool_call(name="Add", args='{"a"')]),
            OutputParserError,
            "call of Add is invalid",
        ),
        ("text", TypeError, "takes a reply of a model"),
        (HumanMessage("text"), TypeError, "takes a reply of a model"),
    ],
)
def test_calls_that_are_invalid_are_refused(reply: Any, error: type[Exception], said: str) -> None:
    """No call is left out silently."""
    with pytest.raises(error, match=said):
        chatnb.PydanticToolsParser([Add]).invoke(reply)
    with pytest.raises(TypeError, match="takes classes"):
        chatnb.PydanticToolsParser([Add(a=1)])  # pyright: ignore[reportArgumentType]


def test_json_has_instructions_of_a_schema() -> None:
    """`pydantic_object` describes the JSON; the output is a dict, as in LangChain."""
    for described in (Add, Place, {"title": "Add", "type": "object", "properties": {"a": {}}}):
        parser = chatnb.JsonOutputParser(pydantic_object=described)
        assert '"properties"' in parser.get_format_instructions()
        assert parser.invoke('{"a": 2}') == {"a": 2}
    assert "JSON" in chatnb.JsonOutputParser().get_format_instructions()
    with pytest.raises(TypeError):
        chatnb.JsonOutputParser(pydantic_object=5)


@pytest.mark.parametrize("text", ['{"a": [1, 2], "b": {"c": "xyz"}}', "[1, [2, 3], {}]"])
def test_a_stream_of_differences_has_the_whole_value(text: str) -> None:
    """`diff=True` streams lists of JSON Patch's operations, as LangChain's; `invoke` the value."""
    parser, theirs = chatnb.JsonOutputParser(diff=True), langchain.JsonOutputParser(diff=True)
    for patches in (parser.transform(iter(text)), theirs.transform(iter(text))):
        value: Any = None
        for patch in patches:
            value = jsonpatch.apply_patch(value, patch)
        assert value == json.loads(text)
    assert parser.invoke(text) == json.loads(text)

    async def later() -> list[Any]:
        return [patch async for patch in parser.astream(text)]

    assert asyncio.run(later()) == list(parser.stream(text))


@dataclass(frozen=True)
class Trip:
    where: Place
    stops: list[Place]
    days: int = 3
    notes: list[str] = field(default_factory=lambda: ["none"])
    other: Place | None = None


NOWHERE: Any = partial_object(Place, {})


class Plan(BaseModel):
    when: int = Field(alias="at")
    trip: Trip
    tags: list[int] = Field(default_factory=lambda: [7])
    add: Add | None = None


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({}, (None, None, 3, ["none"], None)),
        ({"where": {"x": "1"},
          "stops": [{"x": 2}, {}]}, (Place(1), [Place(2), NOWHERE], 3, ["none"], None)),
        ({"where": 5, "days": "x", "notes": None,
          "other": {"x": 4}}, (None, None, None, None, Place(4))),
        ({"days": "4", "notes": ["a"], "other": None}, (None, None, 4, ["a"], None)),
    ],
)  # fmt: skip
def test_a_part_of_an_object_has_what_is_there(data: dict[str, Any], shown: Any) -> None:
    """A missing field has its default, else None, and one that does not fit yet is None."""
    trip = partial_object(Trip, data)
    assert (trip.where, trip.stops, trip.days, trip.notes, trip.other) == shown
    assert isinstance(trip, Trip)


def test_a_part_of_a_model_knows_which_fields_were_given() -> None:
    """By name or alias; nested objects are parts as well, and defaults are made anew."""
    plan = partial_object(Plan, {"at": 1, "trip": {"days": 2}, "add": {"b": 3}})
    assert (plan.when, plan.trip.days, plan.trip.where, plan.tags) == (1, 2, None, [7])
    assert (plan.add.a, plan.add.b) == (None, 3)
    assert plan.model_fields_set == {"when", "trip", "add"}
    assert list(vars(plan)) == ["when", "trip", "tags", "add"]
    other = partial_object(Plan, {"when": 2, "tags": ["1", "x"]})
    assert (other.when, other.trip, other.tags) == (2, None, [1, None])
    assert partial_object(Plan, {}).tags is not partial_object(Plan, {}).tags


@pytest.mark.parametrize("given", [([1], {}), ([], {"a": 1})])
def test_a_parser_without_fields_takes_no_arguments(given: Any) -> None:
    """The error says how to write a parser that has some."""

    class Mine(chatnb.BaseOutputParser[str]):
        def parse(self, text: str) -> str:
            return text

    with pytest.raises(TypeError) as caught:
        Mine(*given[0], **given[1])
    assert str(caught.value) == (
        "Mine takes no arguments. A parser with fields is a dataclass: write @dataclass above "
        "class Mine, or an __init__."
    )
    assert repr(Mine()) == "Mine()"


def test_a_result_is_parsed_by_its_message() -> None:
    """A candidate of a chat model has more than its text."""
    candidate = ChatGeneration(message=AIMessage("", tool_calls=CALLS[:1]))
    parser = chatnb.JsonOutputToolsParser(first_tool_only=True, return_id=True)
    expected = {"args": {"a": "2"}, "type": "Add", "id": "c1"}
    assert parser.parse_result([candidate]) == expected
    assert asyncio.run(parser.aparse_result([candidate])) == expected


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            AIMessage("t", invalid_tool_calls=[invalid_tool_call(name="f", args="{", error="No.")]),
            "The call of f is invalid: No.",
        ),
        (
            AIMessage("t", invalid_tool_calls=[invalid_tool_call(name="f", args="{")]),
            "The call of f is invalid: {",
        ),
    ],
)
def test_an_invalid_call_is_told_with_its_error(reply: AIMessage, said: str) -> None:
    """Without one with its arguments; the error has the text of the reply."""
    with pytest.raises(OutputParserError) as caught:
        chatnb.JsonOutputToolsParser().invoke(reply)
    assert (str(caught.value), caught.value.text) == (said, "t")
    with pytest.raises(TypeError) as refused:
        chatnb.JsonOutputToolsParser().invoke("text")
    assert str(refused.value) == (
        "JsonOutputToolsParser takes a reply of a model, which has tool calls, not str: 'text'"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("none", "The reply is not XML: it has no element."),
        ("<a/><!DOCTYPE a>", "The reply declares a document type or entities."),
        ("<a/><!entity x>", "The reply declares a document type or entities."),
        ("<a>", "The reply is not XML: no element found: line 1, column 3"),
    ],
)
def test_an_error_says_why_a_reply_is_no_xml(text: str, said: str) -> None:
    """It has no element, is not whole, or asks for more than an element."""
    with pytest.raises(OutputParserError) as caught:
        chatnb.XMLOutputParser().invoke(text)
    assert str(caught.value) == said


def test_instructions_name_the_form_and_the_tags() -> None:
    """Without tags, or a schema, the form alone."""
    plain = chatnb.XMLOutputParser().get_format_instructions()
    tagged = chatnb.XMLOutputParser(["a", "b"]).get_format_instructions()
    assert tagged == f"{plain}\n\nUse these tags only: a, b"
    assert chatnb.JsonOutputParser().get_format_instructions() == (
        "Answer with one JSON value and nothing else."
    )
