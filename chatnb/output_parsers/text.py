"""Replies as text."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

from chatnb.output_parsers.base import BaseOutputParser, Reply, text_of
from chatnb.runnables.config import RunnableConfig


class StrOutputParser(BaseOutputParser[str]):
    """The text of a reply, streamed as it comes.

    Example:
        >>> from chatnb.schema import AIMessage
        >>> StrOutputParser().invoke(AIMessage("Hello"))
        'Hello'
    """

    def parse(self, text: str) -> str:
        return text

    def transform(
        self, input: Iterator[Reply], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[str]:
        yield from map(text_of, input)

    async def atransform(
        self, input: AsyncIterator[Reply], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[str, None]:
        async for chunk in input:
            yield text_of(chunk)
