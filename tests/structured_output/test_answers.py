from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from itertools import pairwise
from typing import Any

import pytest

from chatnb.chat_models import BaseChatModel, ScriptedChatModel
from chatnb.errors import RateLimitError, StructuredOutputError
from chatnb.prompts import ChatPromptTemplate
from chatnb.schema import AIMessage, AIMessageChunk, BaseMessage
from tests.support.structured_replies import (
    Line,
    Person,
    Point,
    Recorder,
    River,
    Town,
    answer,
    both,
    growing,
    last_grown,
)

TOWN = '{"name": "Oslo", "people": [{"name": "Ann", "age": 7}, {"name": "Bo", "age": 8}]}'
WHOLE = Town(name="Oslo", people=[Person(name="Ann", age=7), Person(name="Bo", age=8)])
RIVER = {"name": "Akerselva", "length": 8}


@both
@pytest.mark.parametrize(
    ("kind", "said", "value"),
    [
        (Town, TOWN, WHOLE),
        (River, '{"name": "Akerselva", "length": "8"}', RIVER),
        (Point, '```json\n{"x": 3}\n```', Point(3)),
        ({"type": "object", "required": ["x"]}, 'It is\n```{"x": [1]}```', {"x": [1]}),
    ],
)
def test_an_answer_is_a_value_of_the_type(kind: Any, said: str, value: Any, way: str) -> None:
    """Validated, with defaults, and out of a fence if there is one."""
    chat = ScriptedChatModel([said]).with_structured_output(kind)
    assert answer(chat, "Hi", way) == value
    assert type(answer(chat, "Hi", way)) is type(value)


@both
def test_objects_grow_while_they_are_streamed(way: str) -> None:
    """Partial objects have what there is and None elsewhere; the validated whole comes last."""
    chat = ScriptedChatModel([list(TOWN)]).with_structured_output(Town)
    towns = growing(chat, "Hi", way)
    assert towns[-1] == WHOLE
    assert all(isinstance(town, Town) for town in towns)
    assert repr(towns[0]) == "Town(name=None, people=None, mayor=None)"
    assert (towns[0].name, towns[0].people, towns[0].mayor) == (None, None, None)
    assert [town.name for town in towns[1:6]] == ["", "O", "Os", "Osl", "Oslo"]
    half = next(town for town in towns if town.people)
    assert isinstance(half.people[0], Person)
    assert (half.people[0].age, half.people[0].mood) == (None, "happy")


@both
def test_dataclasses_grow_as_well(way: str) -> None:
    """Frozen ones included: a field that has not come has its default or is None."""
    chat = ScriptedChatModel([['{"y"', ': 1, "x', '": 2}']]).with_structured_output(Point)
    points = growing(chat, "Hi", way)
    assert [(point.x, point.y) for point in points] == [(None, 0), (None, 1), (2, 1), (2, 1)]
    chat = ScriptedChatModel([['{"ends": [{"x": 1}, {"y', '": 2, "x": 3}]}']])
    first, *_, last = growing(chat.with_structured_output(Line), "Hi", way)
    assert first == Line([Point(1), Point(None)])  # type: ignore[arg-type]
    assert last == Line([Point(1), Point(3, 2)])


@both
@pytest.mark.parametrize("kind", [River, {"type": "object", "title": "River"}])
def test_dicts_grow_while_they_are_streamed(kind: Any, way: str) -> None:
    """They have the keys that there are; none is changed once it was given out."""
    chat = ScriptedChatModel([list('{"name": "Akerselva", "length": 8}')])
    rivers = growing(chat.with_structured_output(kind), "Hi", way)
    assert rivers[0] == {}
    assert rivers[-1] == RIVER
    names = [river["name"] for river in rivers if "name" in river]
    assert names[0] == ""
    assert all(right.startswith(left) for left, right in pairwise(names))


@both
def test_with_the_message_nothing_is_raised(way: str) -> None:
    """include_raw gives the message, and either the value or the error, whole and streamed."""
    good, bad = '{"name": "Ann", "age": 7}', '{"name": "Ann", "age": -1}'
    chat = ScriptedChatModel([good, bad]).with_structured_output(Person, include_raw=True)
    for method in (answer, last_grown):
        fine, wrong = method(chat, "Hi", way), method(chat, "Hi", way)
        ann = Person(name="Ann", age=7)
        assert list(fine) == ["raw", "parsed", "parsing_error"]
        assert type(fine["raw"]) is AIMessage
        assert (fine["raw"].text, fine["parsed"], fine["parsing_error"]) == (good, ann, None)
        assert (wrong["raw"].text, wrong["parsed"]) == (bad, None)
        assert isinstance(wrong["parsing_error"], StructuredOutputError)


@both
def test_the_message_grows_with_the_value(way: str) -> None:
    """Each chunk of a stream with include_raw has all that came so far."""
    chat = ScriptedChatModel([['{"x": 1', ', "y": 2', "}"]])
    told = growing(chat.with_structured_output(Point, include_raw=True), "Hi", way)
    assert [each["raw"].text for each in told] == ['{"x": 1', '{"x": 1, "y": 2', '{"x": 1, "y": 2}']
    assert [each["parsed"] for each in told] == [Point(1), Point(1, 2), Point(1, 2)]
    assert {each["parsing_error"] for each in told} == {None}


def test_it_is_a_runnable() -> None:
    """Prompts before it, batches, retries and fallbacks work as with the model itself."""
    good = '{"x": 1}'
    prompt = ChatPromptTemplate.from_messages([("human", "Where is {name}?")])
    chain = prompt | ScriptedChatModel([good]).with_structured_output(Point)
    assert chain.batch([{"name": "a"}, {"name": "b"}]) == [Point(1), Point(1)]
    assert (chain | (lambda point: point.x)).invoke({"name": "a"}) == 1
    assert asyncio.run(chain.abatch([{"name": "a"}])) == [Point(1)]
    unsteady = ScriptedChatModel(["no", RateLimitError("later"), good])
    again = unsteady.with_structured_output(Point).with_retry(wait_exponential_jitter=False)
    assert again.invoke("Hi") == Point(1)
    other = ScriptedChatModel([good]).with_structured_output(Point)
    backed = ScriptedChatModel(["no"]).with_structured_output(Point).with_fallbacks([other])
    assert backed.invoke("Hi") == Point(1)


def test_parameters_of_one_call_go_to_the_model() -> None:
    """As with the model itself."""
    chat = Recorder('{"x": 1}')
    chat.with_structured_output(Point).invoke("Hi", temperature=0.5)
    assert chat.params[0]["temperature"] == 0.5
    assert "response_format" in chat.params[0]


@both
def test_a_stream_that_is_left_is_closed(way: str) -> None:
    """Closing the stream of values closes the model's stream."""
    closed = list[bool]()

    class Endless(BaseChatModel):
        model_name = "endless"

        def _stream(self, messages: list[BaseMessage], **_: Any) -> Iterator[AIMessageChunk]:
            try:
                yield AIMessageChunk('{"name": "')
                while True:
                    yield AIMessageChunk("a")
            finally:
                closed.append(True)

        async def _astream(
            self, messages: list[BaseMessage], **_: Any
        ) -> AsyncGenerator[AIMessageChunk, None]:
            for chunk in self._stream(messages):
                yield chunk

    chat = Endless().with_structured_output(Person)

    async def aleave() -> None:
        stream = chat.astream("Hi")
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]

    if way == "sync":
        stream = chat.stream("Hi")
        next(stream)
        stream.close()  # type: ignore[attr-defined]
    else:
        asyncio.run(aleave())
    assert closed == [True]
