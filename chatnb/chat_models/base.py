"""The verbs of a chat model, over what a provider implements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from chatnb.errors import MalformedReplyError
from chatnb.schema.coercion import ChatInput, to_messages
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage, as_chunk, join_chunks


class BaseChatModel:
    """A chat model: messages in, a message out.

    A provider implements `_generate` (one whole reply) or `_stream` (its chunks), or both, and
    their `_agenerate` and `_astream` where it is native to asyncio; what it leaves out is derived
    from what it has.

    Example:
        >>> class Echo(BaseChatModel):
        ...     model_name = "echo"
        ...
        ...     def _generate(self, messages, *, stop=None, **params):
        ...         return AIMessage(messages[-1].text)
        >>> Echo().invoke("Hello")
        AIMessage(content='Hello')
        >>> list(Echo().stream("Hello"))
        [AIMessageChunk(content='Hello')]
    """

    model_name: str
    """The name of the model that answers."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        hooks = ("_generate", "_stream", "_agenerate", "_astream")
        if all(getattr(cls, hook) is getattr(BaseChatModel, hook) for hook in hooks):
            raise TypeError(f"{cls.__name__} must implement _generate or _stream")

    def invoke(
        self, input: ChatInput, *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        """Ask for one whole reply.

        Args:
            input: A string, a message, or a list of messages.
            stop: Texts at which the model stops.
            **params: The provider's parameters for this call only.

        Returns:
            The reply.

        Raises:
            ModelError: If the call goes wrong.
        """
        return self._generate(to_messages(input), stop=stop, **params)

    async def ainvoke(
        self, input: ChatInput, *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        """Ask for one whole reply without blocking the event loop; like `invoke`."""
        return await self._agenerate(to_messages(input), stop=stop, **params)

    def stream(
        self, input: ChatInput, *, stop: list[str] | None = None, **params: Any
    ) -> Iterator[AIMessageChunk]:
        """Ask for a reply chunk by chunk; closing the iterator closes the connection.

        Args:
            input: A string, a message, or a list of messages.
            stop: Texts at which the model stops.
            **params: The provider's parameters for this call only.

        Yields:
            The chunks, which add up to the reply.

        Raises:
            ModelError: If the call goes wrong; `partial` holds what had arrived.
        """
        yield from self._stream(to_messages(input), stop=stop, **params)

    async def astream(
        self, input: ChatInput, *, stop: list[str] | None = None, **params: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        """Ask for a reply chunk by chunk without blocking the event loop; like `stream`."""
        async with aclosing(self._astream(to_messages(input), stop=stop, **params)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _generate(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        chunks = list(self._stream(messages, stop=stop, **params))
        return _whole(chunks)

    def _stream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> Iterator[AIMessageChunk]:
        yield as_chunk(self._generate(messages, stop=stop, **params))

    async def _agenerate(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        if type(self)._astream is not BaseChatModel._astream:
            async with aclosing(self._astream(messages, stop=stop, **params)) as chunks:
                return _whole([chunk async for chunk in chunks])
        return await asyncio.to_thread(self._generate, messages, stop=stop, **params)

    async def _astream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        if type(self)._agenerate is not BaseChatModel._agenerate:
            yield as_chunk(await self._agenerate(messages, stop=stop, **params))
            return
        chunks = self._stream(messages, stop=stop, **params)
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            yield chunk


def _whole(chunks: list[AIMessageChunk]) -> AIMessage:
    if not chunks:
        raise MalformedReplyError("The model sent an empty reply.", hint="Run it again.")
    return join_chunks(chunks).to_message()
