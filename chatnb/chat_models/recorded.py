"""A chat model under a cassette: answered from it, or recorded to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from chatnb.chat_models.hooks import Hooks
from chatnb.errors import ModelError
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage

if TYPE_CHECKING:
    from chatnb.testing.call import Call
    from chatnb.testing.cassettes import Cassette
    from chatnb.testing.takes import Take


class Recorded(Hooks):
    """Stands where a model's hooks are called.

    Args:
        model: The model.
        cassette: What has its replies, or takes them.
    """

    def __init__(self, model: Hooks, cassette: Cassette) -> None:
        self._model = model
        self._cassette = cassette

    def _candidates(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> list[AIMessage]:
        call = self._cassette.call(self._model, messages, stop, params, streamed=False)
        if call.take is not None:
            self._cassette.wait(sum(call.take.seconds))
            return _replies(call.take)
        try:
            replies = self._model._candidates(messages, stop=stop, **params)
        except ModelError as error:
            call.keep_error(error)
            raise
        call.keep_replies(replies)
        return replies

    async def _acandidates(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> list[AIMessage]:
        call = self._cassette.call(self._model, messages, stop, params, streamed=False)
        if call.take is not None:
            await self._cassette.await_pace(sum(call.take.seconds))
            return _replies(call.take)
        try:
            replies = await self._model._acandidates(messages, stop=stop, **params)
        except ModelError as error:
            call.keep_error(error)
            raise
        call.keep_replies(replies)
        return replies

    def _stream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> Iterator[AIMessageChunk]:
        call = self._cassette.call(self._model, messages, stop, params, streamed=True)
        if call.take is not None:
            for chunk, seconds in _paced(call.take):
                self._cassette.wait(seconds)
                yield chunk
            _end(call.take)
            return
        try:
            for chunk in self._model._stream(messages, stop=stop, **params):
                call.arrived(chunk)
                yield chunk
        except (ModelError, GeneratorExit) as error:
            _keep_broken(call, error)
            raise
        call.keep_stream()

    async def _astream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        call = self._cassette.call(self._model, messages, stop, params, streamed=True)
        if call.take is not None:
            for chunk, seconds in _paced(call.take):
                await self._cassette.await_pace(seconds)
                yield chunk
            _end(call.take)
            return
        try:
            async with aclosing(self._model._astream(messages, stop=stop, **params)) as chunks:
                async for chunk in chunks:
                    call.arrived(chunk)
                    yield chunk
        except (ModelError, GeneratorExit) as error:
            _keep_broken(call, error)
            raise
        call.keep_stream()


def _replies(take: Take) -> list[AIMessage]:
    _end(take)
    return take.whole()


def _paced(take: Take) -> Iterator[tuple[AIMessageChunk, float]]:
    """The chunks, each with the seconds that it took."""
    return zip(take.pieces(), [*take.seconds, *([0.0] * len(take.pieces()))], strict=False)


def _end(take: Take) -> None:
    from chatnb.testing.call import fresh_error

    error = fresh_error(take)
    if error is not None:
        raise error


def _keep_broken(call: Call, error: ModelError | GeneratorExit) -> None:
    if isinstance(error, ModelError):
        call.keep_stream(error=error)
    else:
        call.keep_stream(cut=True)
