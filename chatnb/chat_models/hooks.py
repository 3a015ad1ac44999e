"""What a provider implements, and how each hook follows from the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from functools import partial
from typing import Any

from chatnb.errors import MalformedReplyError
from chatnb.runnables.loop_thread import package_loop
from chatnb.runnables.threads import iterate_in_thread
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage, as_chunk, join_chunks

HOOKS = ("_generate", "_stream", "_agenerate", "_astream")


class Hooks:
    """The hooks of a provider: it implements one or more, and gets the rest.

    Synchronous hooks that only exist asynchronously run on the package's event loop, also where
    another loop is running; asynchronous ones that only exist synchronously run on a thread.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        is_provider = any(base.__name__ == "BaseChatModel" for base in cls.__mro__[1:])
        if is_provider and not any(cls._implements(hook) for hook in HOOKS):
            raise TypeError(f"{cls.__name__} must implement _generate or _stream")

    @classmethod
    def _implements(cls, *hooks: str) -> bool:
        return any(getattr(cls, hook) is not getattr(Hooks, hook) for hook in hooks)

    def _generate(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        if self._implements("_stream"):
            return _whole(list(self._stream(messages, stop=stop, **params)))
        return package_loop.run(self._agenerate(messages, stop=stop, **params))

    def _stream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> Iterator[AIMessageChunk]:
        if self._implements("_astream") and not self._implements("_generate"):
            yield from package_loop.iterate(partial(self._astream, messages, stop=stop, **params))
        else:
            yield as_chunk(self._generate(messages, stop=stop, **params))

    async def _agenerate(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        if not self._implements("_astream"):
            return await asyncio.to_thread(self._generate, messages, stop=stop, **params)
        async with aclosing(self._astream(messages, stop=stop, **params)) as chunks:
            return _whole([chunk async for chunk in chunks])

    async def _astream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        if self._implements("_agenerate") or not self._implements("_stream"):
            yield as_chunk(await self._agenerate(messages, stop=stop, **params))
            return
        source = iterate_in_thread(partial(self._stream, messages, stop=stop, **params))
        async with aclosing(source) as chunks:
            async for chunk in chunks:
                yield chunk

    def _candidates(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> list[AIMessage]:
        """Every reply of one call; a provider that gives several overrides it."""
        return [self._generate(messages, stop=stop, **params)]

    async def _acandidates(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> list[AIMessage]:
        return [await self._agenerate(messages, stop=stop, **params)]


def _whole(chunks: list[AIMessageChunk]) -> AIMessage:
    if not chunks:
        raise MalformedReplyError("The model sent an empty reply.", hint="Run it again.")
    return join_chunks(chunks).to_message()
