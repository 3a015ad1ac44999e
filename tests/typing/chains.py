"""Types of chains as a checker knows them; read by the checker, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, TypedDict, assert_type

from pydantic import BaseModel

from chatnb.chat_models import BaseChatModel
from chatnb.output_parsers import JsonOutputParser, PydanticOutputParser, StrOutputParser
from chatnb.prompts import ChatPromptTemplate, PromptTemplate
from chatnb.runnables import (
    ConfigurableField,
    Runnable,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)
from chatnb.schema.conversion import ChatInput
from chatnb.schema.messages import AIMessage
from chatnb.schema.prompt_values import StringPromptValue


class City(BaseModel):
    name: str


class Town(TypedDict):
    name: str


async def shout(text: str) -> str:
    return text.upper()


def words(chunks: Iterator[str]) -> Iterator[str]:
    for chunk in chunks:
        yield from chunk.split()


async def awords(chunks: AsyncIterator[str]) -> AsyncIterator[str]:
    async for chunk in chunks:
        yield chunk


def letters(text: str) -> Iterator[str]:
    yield from text


def chains(model: Runnable[ChatInput, AIMessage], prompt: ChatPromptTemplate) -> None:
    assert_type(prompt | model, Runnable[Any, AIMessage])
    assert_type(prompt | model | StrOutputParser(), Runnable[Any, str])
    assert_type(prompt | model | JsonOutputParser(), Runnable[Any, Any])
    assert_type(prompt | model | PydanticOutputParser(City), Runnable[Any, City])
    assert_type(PromptTemplate("{x}") | model, Runnable[Any, AIMessage])
    assert_type(PromptTemplate("{x}").invoke({}), StringPromptValue)


def functions(text: Runnable[int, str]) -> None:
    assert_type(text | len, Runnable[int, int])
    assert_type(text | shout, Runnable[int, str])
    assert_type(text | words, Runnable[int, str])
    assert_type(text | awords, Runnable[int, str])
    assert_type(text | {"a": len}, Runnable[int, dict[str, Any]])
    assert_type({"a": RunnablePassthrough[int]()} | RunnableLambda(len), Runnable[Any, int])
    assert_type(RunnableLambda(shout), RunnableLambda[str, str])
    assert_type(RunnableLambda(letters).invoke("a"), str)


def methods(text: Runnable[int, str]) -> None:
    assert_type(text.invoke(1), str)
    assert_type(text.stream(1), Iterator[str])
    assert_type(text.batch([1, 2]), list[str])
    assert_type(text.batch([1], return_exceptions=True), list[str | Exception])


def decorated(text: Runnable[int, str]) -> None:
    assert_type(text.bind(stop=["a"]), Runnable[int, str])
    assert_type(text.with_config(tags=["a"]), Runnable[int, str])
    assert_type(text.with_retry(stop_after_attempt=2), Runnable[int, str])
    assert_type(text.with_fallbacks([text]), Runnable[int, str])
    assert_type(text.configurable_fields(t=ConfigurableField(id="t")), Runnable[int, str])
    assert_type(RunnableParallel[str](a=len).invoke("a"), dict[str, Any])


def answered(chat: BaseChatModel) -> None:
    assert_type(chat.with_structured_output(City), Runnable[ChatInput, City])
    assert_type(chat.with_structured_output(Town).invoke("Hi"), Town)
    assert_type(chat.with_structured_output({"type": "object"}).invoke("Hi"), dict[str, Any])
    reply = chat.with_structured_output(City, include_raw=True).invoke("Hi")
    assert_type(reply["raw"], AIMessage)
    assert_type(reply["parsed"], City | None)
