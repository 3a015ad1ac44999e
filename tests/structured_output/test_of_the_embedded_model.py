from __future__ import annotations

from typing import Annotated, Any, TypedDict

import pytest
from pydantic import Field

from chatnb.chat_models import ChatLocal
from chatnb.errors import StructuredOutputError
from tests.support.structured_replies import Person, Point, Town
from tests.support.thorough import thorough

pytestmark = pytest.mark.slow

STORY = "Anna is 34 and happy. She lives in Rome with Bob, who is 7 and sad. Describe them."


class Palette(TypedDict):
    """Some colours."""

    title: Annotated[str, Field(max_length=20)]
    colours: Annotated[list[str], Field(min_length=2, max_length=3)]


@pytest.fixture(scope="module")
def chat() -> ChatLocal:
    return ChatLocal()


@pytest.mark.parametrize("strict", [None, *thorough([True])])
@pytest.mark.parametrize("kind", [Person, Town, Point])
def test_it_answers_with_objects(chat: ChatLocal, kind: Any, strict: bool | None) -> None:
    """llama.cpp holds even a tiny model to the schema; what it says is valid as it comes."""
    assert isinstance(chat.with_structured_output(kind, strict=strict).invoke(STORY), kind)


def test_it_answers_with_dicts(chat: ChatLocal) -> None:
    """Of a TypedDict and of a JSON schema."""
    palette = chat.with_structured_output(Palette).invoke("Name colours of the sea.")
    assert list(palette) == ["title", "colours"]
    assert 2 <= len(palette["colours"]) <= 3
    person = chat.with_structured_output(Person.model_json_schema()).invoke(STORY)
    assert Person(**person).name


def test_its_objects_grow(chat: ChatLocal) -> None:
    """Tokens make partial objects; the last is the one that invoke gives."""
    town = chat.with_structured_output(Town)
    towns = list(town.stream(STORY))
    assert len(towns) > 5
    assert towns[0].people is None
    assert towns[-1] == town.invoke(STORY)


def test_its_message_tells_what_it_cost(chat: ChatLocal) -> None:
    """include_raw gives the tokens that the answer took."""
    reply = chat.with_structured_output(Person, include_raw=True).invoke(STORY)
    assert isinstance(reply["parsed"], Person)
    assert reply["parsing_error"] is None
    assert reply["raw"].usage_metadata is not None
    assert reply["raw"].usage_metadata["output_tokens"] > 5


def test_too_few_tokens_cut_it_off(chat: ChatLocal) -> None:
    """The error says so and has what there was."""
    with pytest.raises(StructuredOutputError, match="was cut off at its token limit") as caught:
        chat.with_structured_output(Town).invoke(STORY, max_tokens=8)
    assert caught.value.text.startswith("{")
