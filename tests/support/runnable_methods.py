"""Every method of a runnable, called to its end, for tests that are about all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from chatnb.schema import HumanMessage


async def _all(chunks: Any) -> list[Any]:
    async with aclosing(chunks):
        return [chunk async for chunk in chunks]


async def _one(value: Any) -> AsyncIterator[Any]:
    yield value


def _astream(runnable: Any, value: Any, config: Any) -> Any:
    return asyncio.run(_all(runnable.astream(value, config)))


def _atransform(runnable: Any, value: Any, config: Any) -> Any:
    return asyncio.run(_all(runnable.atransform(_one(value), config)))


METHODS: dict[str, Any] = {
    "invoke": lambda r, value, config: r.invoke(value, config),
    "ainvoke": lambda r, value, config: asyncio.run(r.ainvoke(value, config)),
    "stream": lambda r, value, config: list(r.stream(value, config)),
    "astream": _astream,
    "transform": lambda r, value, config: list(r.transform(iter([value]), config)),
    "atransform": _atransform,
    "batch": lambda r, value, config: r.batch([value], config),
    "abatch": lambda r, value, config: asyncio.run(r.abatch([value], config)),
}
"""Each takes a runnable, an input and a config."""

CALLS: dict[str, Any] = {
    "call": lambda chat, value, more: chat([HumanMessage(value)], **more),
    "predict": lambda chat, value, more: chat.predict(value, **more),
    "apredict": lambda chat, value, more: asyncio.run(chat.apredict(value, **more)),
    "generate": lambda chat, value, more: chat.generate([[HumanMessage(value)]], **more),
    "agenerate": lambda chat, value, more: asyncio.run(
        chat.agenerate([[HumanMessage(value)]], **more)
    ),
}
"""Each method of the chat models alone takes one, an input, and the config's entries."""
