"""Types and scripted replies for the tests of structured output."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import pytest
from pydantic import BaseModel, Field

from chatnb.chat_models import BaseChatModel
from chatnb.runnables import Runnable
from chatnb.schema import AIMessage, BaseMessage


class Person(BaseModel):
    """Somebody."""

    name: str = Field(max_length=20)
    age: int = Field(ge=0, le=120)
    mood: Literal["happy", "sad"] = "happy"


class Town(BaseModel):
    name: str = Field(max_length=20)
    people: list[Person] = Field(max_length=2)
    mayor: Person | None = None


class River(TypedDict):
    """A stream of water."""

    name: str
    length: int


@dataclass(frozen=True)
class Point:
    """A place on the plane."""

    x: int
    y: int = 0


@dataclass
class Line:
    ends: list[Point]


class Recorder(BaseChatModel):
    """Replies from a list and keeps what it was asked."""

    model_name = "recorder"

    def __init__(self, *replies: AIMessage | str) -> None:
        self.replies = [AIMessage(each) if isinstance(each, str) else each for each in replies]
        self.asked: list[list[BaseMessage]] = []
        self.params: list[dict[str, Any]] = []

    def _generate(self, messages: list[BaseMessage], **params: Any) -> AIMessage:
        self.asked.append(list(messages))
        self.params.append({name: value for name, value in params.items() if value is not None})
        return self.replies[len(self.asked) - 1]


both = pytest.mark.parametrize("way", ["sync", "async"])


def answer(chat: Runnable[Any, Any], question: Any, way: str) -> Any:
    return chat.invoke(question) if way == "sync" else asyncio.run(chat.ainvoke(question))


def growing(chat: Runnable[Any, Any], question: Any, way: str) -> list[Any]:
    async def arun() -> list[Any]:
        return [partial async for partial in chat.astream(question)]

    return list(chat.stream(question)) if way == "sync" else asyncio.run(arun())


def last_grown(chat: Runnable[Any, Any], question: Any, way: str) -> Any:
    return growing(chat, question, way)[-1]


def called(args: dict[str, Any]) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": "Person", "args": args, "id": "c1"}])
