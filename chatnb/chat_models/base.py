"""The verbs of a chat model, over what a provider implements."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any, ClassVar, Literal

from chatnb.chat_models.cache import NOWHERE, Place, ReplyCache, checked, get_llm_cache, key_of
from chatnb.chat_models.counted import counted
from chatnb.chat_models.generating import Generating
from chatnb.chat_models.hooks import Hooks
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.chat_models.recorded import Recorded
from chatnb.chat_models.stopping import auntil, ended_at, until
from chatnb.chat_models.structured import Structured
from chatnb.chat_models.tool_binding import ToolBinding
from chatnb.errors import MalformedReplyError
from chatnb.runnables.base import Runnable
from chatnb.runnables.checkpoint import checkpoint_here
from chatnb.runnables.config import RunnableConfig, check_config
from chatnb.schema.coercion import ChatInput, to_messages
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage, as_chunk
from chatnb.schema.serialization import messages_to_dict
from chatnb.testing.active import active_cassette, is_replaying


class BaseChatModel(Generating, Structured, ToolBinding, Hooks, Runnable[ChatInput, AIMessage]):
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

    run_type = "llm"

    model_name: str
    """The name of the model that answers."""
    cache: ReplyCache | Literal[False] | None = None
    """Where replies are kept; None for the one of `set_llm_cache`, False for none at all."""
    rate_limiter: RateLimiter | None = None
    """What spaces the calls out."""

    _stops_itself: ClassVar[bool] = False
    """Whether the provider heeds `stop`; otherwise its replies are ended here."""
    _not_in_key: ClassVar[frozenset[str]] = frozenset({"cache", "rate_limiter", "name"})
    """The public attributes that a reply does not depend on."""

    def invoke(
        self,
        input: ChatInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **params: Any,
    ) -> AIMessage:
        """Ask for one whole reply.

        Args:
            input: A string, a message, a list of messages, or a prompt value.
            config: Tags, callbacks and the like of this run.
            stop: Texts at which the model stops.
            **params: The provider's parameters for this call only.

        Returns:
            The reply.

        Raises:
            ModelError: If the call goes wrong.
        """
        return self._replies(_messages(input, config), stop, params)[0]

    async def ainvoke(
        self,
        input: ChatInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **params: Any,
    ) -> AIMessage:
        """Ask for one whole reply without blocking the event loop; like `invoke`."""
        return (await self._areplies(_messages(input, config), stop, params))[0]

    def stream(
        self,
        input: ChatInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **params: Any,
    ) -> Iterator[AIMessageChunk]:
        """Ask for a reply chunk by chunk; closing the iterator closes the connection.

        Args:
            input: A string, a message, a list of messages, or a prompt value.
            config: Tags, callbacks and the like of this run.
            stop: Texts at which the model stops.
            **params: The provider's parameters for this call only.

        Yields:
            The chunks, which add up to the reply.

        Raises:
            ModelError: If the call goes wrong; `partial` holds what had arrived.
        """
        messages = _messages(input, config)
        place = self._place(messages, stop, params)
        with counted(self, messages) as call:
            replies = place.replies()
            if replies is not None:
                call.take_whole(replies[0])
                yield as_chunk(replies[0])
                return
            call.admit()
            if self.rate_limiter is not None and not is_replaying():
                self.rate_limiter.acquire()
            chunks, empty = self._source()._stream(messages, stop=stop, **params), True
            ends = self._left_to_us(stop)
            for chunk in place.keeping(until(ends, chunks) if ends else chunks):
                empty = False
                call.take(chunk)
                yield chunk
            _refuse_silence(empty=empty)

    async def astream(
        self,
        input: ChatInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **params: Any,
    ) -> AsyncGenerator[AIMessageChunk, None]:
        """Ask for a reply chunk by chunk without blocking the event loop; like `stream`."""
        messages = _messages(input, config)
        place = self._place(messages, stop, params)
        with counted(self, messages) as call:
            replies = place.replies()
            if replies is not None:
                call.take_whole(replies[0])
                yield as_chunk(replies[0])
                return
            call.admit()
            if self.rate_limiter is not None and not is_replaying():
                await self.rate_limiter.aacquire()
            source, empty = self._source()._astream(messages, stop=stop, **params), True
            ends = self._left_to_us(stop)
            told = auntil(ends, source) if ends else source
            async with aclosing(source), aclosing(place.akeeping(told)) as chunks:
                async for chunk in chunks:
                    empty = False
                    call.take(chunk)
                    yield chunk
            _refuse_silence(empty=empty)

    def _replies(
        self, messages: list[BaseMessage], stop: list[str] | None, params: dict[str, Any]
    ) -> list[AIMessage]:
        """Every candidate, from the cache where it has them."""
        place = self._place(messages, stop, params)
        with counted(self, messages) as call:
            replies = place.replies()
            if replies is None:
                call.admit()
                if self.rate_limiter is not None and not is_replaying():
                    self.rate_limiter.acquire()
                replies = self._source()._candidates(messages, stop=stop, **params)
                replies = [ended_at(self._left_to_us(stop), reply) for reply in replies]
                place.keep(replies)
            call.take_whole(replies[0])
        return replies

    async def _areplies(
        self, messages: list[BaseMessage], stop: list[str] | None, params: dict[str, Any]
    ) -> list[AIMessage]:
        place = self._place(messages, stop, params)
        with counted(self, messages) as call:
            replies = place.replies()
            if replies is None:
                call.admit()
                if self.rate_limiter is not None and not is_replaying():
                    await self.rate_limiter.aacquire()
                replies = await self._source()._acandidates(messages, stop=stop, **params)
                replies = [ended_at(self._left_to_us(stop), reply) for reply in replies]
                place.keep(replies)
            call.take_whole(replies[0])
        return replies

    def _source(self) -> Hooks:
        """What answers: the model itself, or a cassette that stands in for it."""
        cassette = active_cassette()
        return self if cassette is None else Recorded(self, cassette)

    def _left_to_us(self, stop: list[str] | None) -> list[str]:
        """The texts to stop at that the provider does not heed itself."""
        return [] if self._stops_itself else stop or []

    def _place(
        self, messages: list[BaseMessage], stop: list[str] | None, params: dict[str, Any]
    ) -> Place:
        """Where the reply to this request is kept, if anywhere."""
        cache = get_llm_cache() if self.cache is None else self.cache
        checkpoint = checkpoint_here.get()
        if not cache and checkpoint is None:
            return NOWHERE
        checked(cache or None)
        public = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        request = {
            "model": f"{type(self).__module__}.{type(self).__qualname__}",
            "attributes": {k: v for k, v in public.items() if k not in self._not_in_key},
            "messages": messages_to_dict(messages),
            "stop": stop,
            "params": params,
        }
        return Place(cache or None, key_of(request), checkpoint)


def _refuse_silence(*, empty: bool) -> None:
    if empty:
        raise MalformedReplyError("The model sent an empty stream.", hint="Run it again.")


def _messages(input: ChatInput, config: RunnableConfig | None) -> list[BaseMessage]:
    """The messages to send; what is no config is refused before they are."""
    if config is not None:
        check_config(config)
    return to_messages(input)
