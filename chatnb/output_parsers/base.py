"""The base of output parsers, and the parser of plain text."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any, TypeAlias

from chatnb.runnables.base import Runnable
from chatnb.runnables.batches.checkpoint import stored_replies
from chatnb.runnables.config import RunnableConfig
from chatnb.runnables.methods import Out
from chatnb.schema.message_types import plain_text
from chatnb.schema.messages import AIMessage, BaseMessage

Reply: TypeAlias = BaseMessage | str


class BaseOutputParser(Runnable[Reply, Out]):
    """A parser of a model's reply; a subclass implements `parse`.

    Example:
        >>> class Lines(BaseOutputParser[list[str]]):
        ...     def parse(self, text):
        ...         return text.splitlines()
        >>> Lines().invoke("a\\nb")
        ['a', 'b']
    """

    in_place = True
    run_type = "parser"

    def parse(self, text: str) -> Out:
        """Return the value of a complete reply.

        Args:
            text: The reply's text.

        Raises:
            OutputParserError: If it cannot be parsed.
        """
        raise NotImplementedError

    def invoke(self, input: Reply, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        return self.parse_reply(reply_text(input))

    def parse_reply(self, text: str) -> Out:
        """Return the value of a reply; caches and checkpoints forget one that has none.

        Args:
            text: The reply's text.

        Raises:
            OutputParserError: If it cannot be parsed.
        """
        try:
            return self.parse(text)
        except Exception:
            stored_replies.forget(text)
            raise

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def reply_text(reply: Reply) -> str:
    """Return the text of a reply, without commentary before its final answer."""
    if isinstance(reply, str):
        return reply
    if isinstance(reply, AIMessage):
        return reply.answer
    if isinstance(reply, BaseMessage):  # pyright: ignore[reportUnnecessaryIsInstance]
        return plain_text(reply)
    raise TypeError(f"A parser takes a message or a string, not {type(reply).__name__}: {reply!r}")


class StrOutputParser(BaseOutputParser[str]):
    """A parser that returns a reply's text, streamed chunk by chunk.

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
        yield from map(reply_text, input)

    async def atransform(
        self, input: AsyncIterator[Reply], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[str, None]:
        async for chunk in input:
            yield reply_text(chunk)
