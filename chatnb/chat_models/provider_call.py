"""One call of a chat model: cache, usage tracking, rate limit, cassette and stop sequences."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator
from contextlib import aclosing
from functools import partial
from typing import Any, Literal, Protocol, TypeVar

import chatnb.chat_models.cache as caching  # As `generate` in chatnb.chat_models.base.
from chatnb.cassettes.active import active_cassette, is_replaying
from chatnb.chat_models.cache import CacheEntry, ReplyCache, check_cache, request_key
from chatnb.chat_models.call_tracking import (
    NullCallTracker,
    TrackedCall,
    TrackedModel,
    track_call,
)
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.chat_models.recording import (
    arecorded_replies,
    arecorded_stream,
    recorded_replies,
    recorded_stream,
)
from chatnb.chat_models.stop_sequences import acut_stream, cut_reply, cut_stream
from chatnb.concurrency.cancellation import check_cancelled
from chatnb.errors import MalformedReplyError
from chatnb.runnables.batches.checkpoint import current_checkpoint
from chatnb.runnables.config import RunnableConfig, receive_config
from chatnb.runnables.deadlines import (
    Deadline,
    ainvoke_within,
    astream_within,
    invoke_within,
    stream_within,
)
from chatnb.runnables.tracing import (
    anotify_token,
    arun_instrumented,
    notify_token,
    run_instrumented,
)
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage, as_chunk, join_chunks
from chatnb.schema.serialization import messages_to_dict
from chatnb.tracing.run import Run
from chatnb.tracing.usage_tracking import CallTracker, current_slot

T = TypeVar("T")

# The public attributes of all models that are in no key of caches.
NOT_IN_KEYS = frozenset(
    {
        *("cache", "rate_limiter", "deadline", "name", "own_config"),
        *("streaming", "disable_streaming"),
    }
)


class CallableModel(TrackedModel, Protocol):
    """The attributes of a chat model that a call needs."""

    cache: ReplyCache | Literal[False] | None
    rate_limiter: RateLimiter | None
    deadline: float | None
    streaming: bool
    disable_streaming: bool | Literal["tool_calling"]


class ProviderCall:
    """One call of a chat model; each method takes the provider's hook that makes it."""

    __slots__ = (
        "_cut_at",
        "_messages",
        "_model",
        "_not_in_key",
        "_params",
        "_stop",
        "run",
        "tracker",
    )

    def __init__(
        self,
        model: CallableModel,
        messages: list[BaseMessage],
        stop: list[str] | None,
        params: dict[str, Any],
        cut_at: list[str],  # The stop sequences that the provider does not handle.
        not_in_key: frozenset[str],  # The model's attributes that the reply does not depend on.
    ) -> None:
        self._model = model
        self._messages = messages
        self._stop = stop
        self._params = params
        self._cut_at = cut_at
        self._not_in_key = not_in_key
        self.tracker: CallTracker | None = None  # One of this call's own.
        self.run: Run | None = None  # That handlers see.

    @property
    def is_streamed(self) -> bool:
        """True if a whole reply is to be streamed, for the handlers of its tokens."""
        if not self._model.streaming or self.is_unstreamed:
            return False
        return (self._params.get("n") or getattr(self._model, "n", None) or 1) == 1

    @property
    def is_unstreamed(self) -> bool:
        """True if a stream is to be one chunk, of a whole reply."""
        disabled = self._model.disable_streaming
        return bool(self._params.get("tools")) if disabled == "tool_calling" else disabled

    def traced_replies(
        self,
        work: Callable[[RunnableConfig | None], list[AIMessage]],
        config: RunnableConfig | None,
    ) -> list[AIMessage]:
        """Return every candidate as the output of a run that handlers see."""
        deadline, config = receive_config(config)
        if deadline is not None:
            return invoke_within(deadline, partial(self.traced_replies, work, config))
        return run_instrumented(self._model, self._messages, config, partial(self._run, work))

    async def atraced_replies(
        self,
        work: Callable[[RunnableConfig | None], Awaitable[list[AIMessage]]],
        config: RunnableConfig | None,
    ) -> list[AIMessage]:
        """Return every candidate as the output of a run that handlers see, without blocking."""
        deadline, config = receive_config(config)
        if deadline is not None:
            return await ainvoke_within(deadline, partial(self.atraced_replies, work, config))
        work_of_run = partial(self._run, work)
        return await arun_instrumented(self._model, self._messages, config, work_of_run)

    def _run(self, work: Callable[[RunnableConfig | None], T], config: RunnableConfig | None) -> T:
        self.run = config.get("parent_run") if config else None
        return work(config)

    def replies(self, hook: Callable[..., list[AIMessage]]) -> list[AIMessage]:
        """Return every candidate, from the cache if it has them."""
        if self._model.deadline is None:
            return self._replies(hook)
        return invoke_within(Deadline(self._model.deadline), partial(self._replies, hook))

    def _replies(self, hook: Callable[..., list[AIMessage]]) -> list[AIMessage]:
        entry = self._cache_entry()
        with track_call(self._model, self._messages, self.tracker) as tracker:
            replies = entry.lookup() if entry else None
            if replies is None:
                tracker.admit()
                if (limiter := self._limiter()) is not None:
                    limiter.acquire()
                    tracker.restart()
                replies = self._send(hook, recorded_replies, tracker, streamed=False)
                if self._cut_at:
                    replies = self._cut(replies)
                if entry is not None:
                    entry.store(replies)
            tracker.add_reply(replies[0])
        return replies

    async def areplies(self, hook: Callable[..., Awaitable[list[AIMessage]]]) -> list[AIMessage]:
        """Return every candidate without blocking; like `replies`."""
        if self._model.deadline is None:
            return await self._areplies(hook)
        return await ainvoke_within(Deadline(self._model.deadline), partial(self._areplies, hook))

    async def _areplies(self, hook: Callable[..., Awaitable[list[AIMessage]]]) -> list[AIMessage]:
        entry = self._cache_entry()
        with track_call(self._model, self._messages, self.tracker) as tracker:
            replies = await entry.alookup() if entry else None
            if replies is None:
                tracker.admit()
                if (limiter := self._limiter()) is not None:
                    await limiter.aacquire()
                    tracker.restart()
                replies = await self._send(hook, arecorded_replies, tracker, streamed=False)
                if self._cut_at:
                    replies = self._cut(replies)
                if entry is not None:
                    await entry.astore(replies)
            tracker.add_reply(replies[0])
        return replies

    def stream(self, hook: Callable[..., Iterator[AIMessageChunk]]) -> Iterator[AIMessageChunk]:
        """Yield the chunks of the reply; a cached reply is one chunk."""
        if self._model.deadline is None:
            return self._stream(hook)
        return stream_within(Deadline(self._model.deadline), partial(self._stream, hook))

    def _stream(self, hook: Callable[..., Iterator[AIMessageChunk]]) -> Iterator[AIMessageChunk]:
        entry = self._cache_entry()
        with track_call(self._model, self._messages, self.tracker) as tracker:
            replies = entry.lookup() if entry else None
            if replies is not None:
                tracker.add_reply(replies[0])
                yield as_chunk(replies[0])
                return
            tracker.admit()
            if (limiter := self._limiter()) is not None:
                limiter.acquire()
                tracker.restart()
            chunks = self._send(hook, recorded_stream, tracker, streamed=True)
            if self._cut_at:
                chunks = cut_stream(self._cut_at, chunks)
            if entry is not None:
                chunks = entry.store_stream(chunks)
            yield from tracker.tracked(_not_empty(chunks))

    def astream(
        self, hook: Callable[..., AsyncGenerator[AIMessageChunk, None]]
    ) -> AsyncGenerator[AIMessageChunk, None]:
        """Yield the chunks of the reply without blocking; like `stream`."""
        if self._model.deadline is None:
            return self._astream(hook)
        return astream_within(Deadline(self._model.deadline), partial(self._astream, hook))

    async def _astream(
        self, hook: Callable[..., AsyncGenerator[AIMessageChunk, None]]
    ) -> AsyncGenerator[AIMessageChunk, None]:
        entry = self._cache_entry()
        with track_call(self._model, self._messages, self.tracker) as tracker:
            replies = await entry.alookup() if entry else None
            if replies is not None:
                tracker.add_reply(replies[0])
                yield as_chunk(replies[0])
                return
            tracker.admit()
            if (limiter := self._limiter()) is not None:
                await limiter.aacquire()
                tracker.restart()
            source = self._send(hook, arecorded_stream, tracker, streamed=True)
            cut = acut_stream(self._cut_at, source) if self._cut_at else source
            stored = entry.astore_stream(cut) if entry else cut
            empty = True
            async with aclosing(source), aclosing(stored) as chunks:
                async for chunk in chunks:
                    empty = False
                    tracker.add_chunk(chunk)
                    yield chunk
            if empty:
                raise _empty_stream()

    def _send(
        self,
        hook: Callable[..., T],
        recorded: Callable[..., T],
        tracker: TrackedCall | NullCallTracker,
        *,
        streamed: bool,
    ) -> T:
        """Call the provider, or a cassette that stands in for it."""
        check_cancelled()
        messages, stop, params = self._messages, self._stop, self._params
        cassette = active_cassette()
        if cassette is None:
            return hook(messages, stop=stop, **params)
        slot = current_slot.get()
        index = slot.position[-1] if slot else None
        call = cassette.call(self._model, messages, stop, params, streamed=streamed, index=index)
        if call.recording is not None:
            tracker.follow_recording(lambda: call.seconds)
            if self.run is not None:
                call.skip = self.run.skip
        start = partial(hook, messages, stop=stop, **params)
        return recorded(cassette, call, start, getattr(self._model, "_sdk_name", ""))

    def _limiter(self) -> RateLimiter | None:
        limiter = self._model.rate_limiter
        return None if limiter is None or is_replaying() else limiter

    def _cut(self, replies: list[AIMessage]) -> list[AIMessage]:
        return [cut_reply(self._cut_at, reply) for reply in replies]

    def _cache_entry(self) -> CacheEntry | None:
        """Return the entry of this request in the cache and the batch's checkpoint, if any."""
        model = self._model
        cache = caching.shared_cache if model.cache is None else model.cache
        checkpoint = current_checkpoint.get()
        if cache is False:
            cache = None
        if cache is None and checkpoint is None:
            return None
        public = {name: value for name, value in vars(model).items() if not name.startswith("_")}
        request = {
            "model": _saved_name(type(model)),
            "attributes": {k: v for k, v in public.items() if k not in self._not_in_key},
            "messages": messages_to_dict(self._messages),
            "stop": self._stop,
            "params": {k: v for k, v in self._params.items() if k not in self._not_in_key},
        }
        key = request_key(request)
        return CacheEntry(check_cache(cache), key, checkpoint, model.provider)


def _saved_name(model: type[object]) -> str:
    """Return the class's name in keys of caches and checkpoints, which outlive its module."""
    own: str | None = vars(model).get("_saved_as")
    return own or f"{model.__module__}.{model.__qualname__}"


def gather_reply(chunks: Iterator[AIMessageChunk], config: RunnableConfig | None) -> AIMessage:
    """Return the reply of a stream, whose chunks the handlers of the run get as tokens."""
    gathered = list[AIMessageChunk]()
    for chunk in chunks:
        notify_token(config, chunk)
        gathered.append(chunk)
    return whole_reply(gathered)


async def agather_reply(
    chunks: AsyncGenerator[AIMessageChunk, None], config: RunnableConfig | None
) -> AIMessage:
    """Return the reply of a stream without blocking; like `gather_reply`."""
    gathered = list[AIMessageChunk]()
    async with aclosing(chunks):
        async for chunk in chunks:
            await anotify_token(config, chunk)
            gathered.append(chunk)
    return whole_reply(gathered)


def whole_reply(chunks: list[AIMessageChunk]) -> AIMessage:
    """Return the message that a provider's chunks add up to."""
    if not chunks:
        raise MalformedReplyError("The model sent an empty reply.", hint="Run it again.")
    return join_chunks(chunks).to_message()


def without_stream(params: dict[str, Any], *, stream: bool) -> dict[str, Any]:
    """Return the parameters without `stream`; the method that is called decides it."""
    given = params["stream"]
    if given is not None and bool(given) != stream:
        other = "for chunk in model.stream(...)" if given else "model.invoke(...)"
        raise TypeError(f"stream={given!r} is no parameter of this method. Write {other} instead.")
    return {name: value for name, value in params.items() if name != "stream"}


def _not_empty(chunks: Iterable[AIMessageChunk]) -> Iterator[AIMessageChunk]:
    rest = iter(chunks)  # A model of a user may return a list.
    first = next(rest, None)
    if first is None:
        raise _empty_stream()
    yield first
    yield from rest  # It costs less than a loop.


def _empty_stream() -> MalformedReplyError:
    return MalformedReplyError("The model sent an empty stream.", hint="Run it again.")
