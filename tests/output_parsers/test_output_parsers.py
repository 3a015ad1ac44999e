from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from chatnb.errors import ChatnbError
from chatnb.output_parsers import (
    BaseOutputParser,
    CommaSeparatedListOutputParser,
    JsonOutputParser,
    OutputParserError,
    PydanticOutputParser,
    StrOutputParser,
    XMLOutputParser,
)
from chatnb.runnables import RunnableLambda
from chatnb.schema import Generation
from chatnb.schema.messages import AIMessage, AIMessageChunk


class Author(BaseModel):
    name: str
    born: int


class Book(BaseModel):
    title: str
    authors: list[Author]
    editor: Author | None = None
    kind: Literal["novel", "poem"] = Field(default="novel", alias="type")
    pages: int = Field(gt=0)


JSON = (
    '{"title": "A {b} ```", "authors": [{"name": "C", "born": 1900}], '
    '"editor": {"name": "D", "born": 1950}, "type": "poem", "pages": 3}'
)
BOOK = Book(
    title="A {b} ```",
    authors=[Author(name="C", born=1900)],
    editor=Author(name="D", born=1950),
    type="poem",
    pages=3,
)


def streamed(parser: BaseOutputParser[Any], chunks: list[Any], way: str) -> list[Any]:
    async def arun() -> list[Any]:
        async def source() -> AsyncIterator[Any]:
            for chunk in chunks:
                yield chunk

        return [output async for output in parser.atransform(source())]

    return list(parser.transform(iter(chunks))) if way == "sync" else asyncio.run(arun())


both = pytest.mark.parametrize("way", ["sync", "async"])


@both
def test_text_is_streamed_chunk_by_chunk(way: str) -> None:
    """Each chunk's text, of messages and strings, parts that are no text left out."""
    image = {"type": "image_url", "image_url": {"url": "u"}}
    chunks = [AIMessageChunk("a"), "b", AIMessageChunk([{"type": "text", "text": "c"}, image])]
    assert streamed(StrOutputParser(), chunks, way) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "parser", [StrOutputParser(), JsonOutputParser(), PydanticOutputParser(Book)]
)
def test_parsers_take_messages_and_text(parser: BaseOutputParser[Any]) -> None:
    """Both mean the same; anything else is refused."""
    assert parser.invoke(JSON) == parser.invoke(AIMessage(JSON)) == parser.parse(JSON)
    for way in ("sync", "async"):
        with pytest.raises(TypeError, match="takes a message or a string, not int"):
            streamed(parser, [3], way)
    with pytest.raises(TypeError, match="takes a message or a string, not int"):
        parser.invoke(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parser", "text"),
    [
        (StrOutputParser(), "a, b"),
        (CommaSeparatedListOutputParser(), "a, b"),
        (JsonOutputParser(), '{"a": 1}'),
        (XMLOutputParser(), "<a>b</a>"),
    ],
)
def test_asynchronous_methods_give_the_same(parser: BaseOutputParser[Any], text: str) -> None:
    """Code of LangChain calls them by these names."""
    value = parser.invoke(text)
    assert value == parser.parse(text) == parser.parse_result([Generation(text)])
    assert asyncio.run(parser.aparse(text)) == value
    assert asyncio.run(parser.aparse_result([Generation(text)])) == value
    assert asyncio.run(parser.ainvoke(text)) == value


@both
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_json_grows_while_it_is_streamed(way: str, size: int) -> None:
    """Each value replaces the one before; the last is the whole; none comes twice in a row."""
    chunks = [JSON[start : start + size] for start in range(0, len(JSON), size)]
    values = streamed(JsonOutputParser(), chunks, way)
    assert values[-1] == JsonOutputParser().invoke(JSON)
    assert all(left != right for left, right in pairwise(values))
    titles = [value["title"] for value in values if "title" in value]
    assert all(right.startswith(left) for left, right in pairwise(titles))
    assert size > 2 or len(values) >= 20


@both
def test_each_value_is_an_object_of_its_own(way: str) -> None:
    """Changing one value does not change another."""
    values = streamed(JsonOutputParser(), ['{"a": [1', ", 2", "]}"], way)
    assert values == [{"a": [1]}, {"a": [1, 2]}]
    values[0]["a"].append("mine")
    assert values[1] == {"a": [1, 2]}


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        ' \n{"a": 1}\n',
        '```json\n{"a": 1}\n```',
        '```\n{"a": 1}\n```',
        'Here it is:\n```json\n{"a": 1}\n```\nAnything else?',
    ],
)
def test_a_fence_around_json_is_no_part_of_it(text: str) -> None:
    """Models like to wrap their JSON."""
    assert JsonOutputParser().invoke(text) == {"a": 1}
    assert list(JsonOutputParser().transform(iter(text)))[-1] == {"a": 1}


@pytest.mark.parametrize("text", ["", "Sure!", '{"a": 1', "{'a': 1} and so on", "```json\n```"])
@pytest.mark.parametrize("make", [JsonOutputParser, lambda: PydanticOutputParser(Book)])
def test_what_is_no_json_is_an_error_with_the_text(make: Any, text: str) -> None:
    """Also what ends too early, and also at the end of a stream."""
    for way in ("sync", "async"):
        with pytest.raises(OutputParserError) as caught:
            streamed(make(), [text], way)
        assert caught.value.text == text
    with pytest.raises(OutputParserError, match="The reply is not JSON") as caught:
        make().invoke(text)
    assert caught.value.text == text
    assert isinstance(caught.value, ChatnbError)
    assert isinstance(caught.value, ValueError)


def test_a_chain_gathers_the_last_value_not_the_sum() -> None:
    """The step after a parser gets the whole value once, also lists and numbers."""

    def words(text: str) -> Any:
        yield from text

    chain = RunnableLambda(words) | JsonOutputParser() | RunnableLambda(lambda value: value)
    for text, value in (("[1, [2, 3]]", [1, [2, 3]]), ("123", 123), ('"abc"', "abc")):
        assert list(chain.stream(text)) == [value]
    branches = RunnableLambda(words) | {"a": JsonOutputParser()}
    assert sum(branches.stream("[1, 2]")) == {"a": [1, 2]}  # type: ignore[call-overload]


@both
def test_objects_grow_while_they_are_streamed(way: str) -> None:
    """Partial objects have what is there; the rest has its default or is None."""
    values = streamed(PydanticOutputParser(Book), list(JSON), way)
    assert values[-1] == BOOK
    assert all(isinstance(value, Book) for value in values)
    assert values[0].title is None
    assert (values[0].kind, values[0].editor, values[0].pages) == ("novel", None, None)
    half = next(value for value in values if value.authors)
    assert isinstance(half.authors[0], Author)
    assert half.authors[0].born is None
    assert any(value.kind is None for value in values)
    edited = next(value for value in values if value.editor)
    assert isinstance(edited.editor, Author)


def test_what_is_not_valid_is_an_error_with_the_text() -> None:
    """The error names the field and the model; the validation error is its cause."""
    wrong = JSON.replace('"pages": 3', '"pages": 0')
    with pytest.raises(
        OutputParserError, match=r"The reply is not a valid Book: (.|\n)*pages"
    ) as caught:
        PydanticOutputParser(Book).invoke(wrong)
    assert caught.value.text == wrong
    with pytest.raises(OutputParserError, match="The reply is not a valid Book"):
        list(PydanticOutputParser(Book).transform(iter(wrong)))


def test_instructions_have_the_schema() -> None:
    """The model is told what the object looks like."""
    told = PydanticOutputParser(Author).get_format_instructions()
    assert '"born": {"title": "Born", "type": "integer"}' in told


@pytest.mark.parametrize("thing", [dict, 3, Author(name="a", born=1)])
def test_only_pydantic_models_are_models(thing: Any) -> None:
    """Anything else is refused when the parser is made."""
    with pytest.raises(TypeError, match="takes a Pydantic model, not"):
        PydanticOutputParser(thing)


@pytest.mark.parametrize(
    "reply",
    ['```json {"a": 1} ```', 'See [1]:\n```json\n{"a": 1}\n```', '```\n{"a": 1}```', ' {"a": 1} '],
)
def test_json_is_found_in_any_fence(reply: str) -> None:
    """On one line, after words with brackets, with or without a language."""
    assert JsonOutputParser().invoke(reply) == {"a": 1}
