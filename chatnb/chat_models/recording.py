"""Replies of a chat model from a cassette, or recorded to it.

Each function takes the cassette, its record of the call, a function that starts the call of the
provider, and the name of the provider's SDK, whose errors a replay raises where it is loaded.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING

from chatnb.cassettes.network import model_call
from chatnb.chat_models.wire.error_classes import make_sdk_error
from chatnb.errors import MalformedReplyError, ModelError
from chatnb.schema.messages import AIMessage, AIMessageChunk

if TYPE_CHECKING:
    from chatnb.cassettes.cassette import Cassette, CassetteCall
    from chatnb.cassettes.recordings import Recording


def recorded_replies(
    cassette: Cassette, call: CassetteCall, start: Callable[[], list[AIMessage]], sdk: str
) -> list[AIMessage]:
    """Return whole replies."""
    if call.recording is not None:
        call.wait(sum(call.recording.seconds))
        return _replayed(call.recording, sdk)
    with _recording_errors(call), model_call():
        replies = start()
    call.record_replies(replies)
    return replies


async def arecorded_replies(
    cassette: Cassette,
    call: CassetteCall,
    start: Callable[[], Awaitable[list[AIMessage]]],
    sdk: str,
) -> list[AIMessage]:
    """Return whole replies without blocking."""
    if call.recording is not None:
        await call.await_pace(sum(call.recording.seconds))
        return _replayed(call.recording, sdk)
    with _recording_errors(call), model_call():
        replies = await start()
    call.record_replies(replies)
    return replies


def recorded_stream(
    cassette: Cassette, call: CassetteCall, start: Callable[[], Iterator[AIMessageChunk]], sdk: str
) -> Iterator[AIMessageChunk]:
    """Yield the chunks of a reply."""
    if call.recording is not None:
        for chunk, seconds in _paced(call.recording):
            call.wait(seconds)
            yield chunk
        _raise_error(call.recording, sdk)
        return
    with _recording_stream(call):
        with model_call():
            chunks = iter(start())
        while True:
            with model_call():
                chunk = next(chunks, None)
            if chunk is None:
                break
            call.add_chunk(chunk)
            yield chunk


async def arecorded_stream(
    cassette: Cassette,
    call: CassetteCall,
    start: Callable[[], AsyncGenerator[AIMessageChunk, None]],
    sdk: str,
) -> AsyncGenerator[AIMessageChunk, None]:
    """Yield the chunks of a reply without blocking."""
    if call.recording is not None:
        for chunk, seconds in _paced(call.recording):
            await call.await_pace(seconds)
            yield chunk
        _raise_error(call.recording, sdk)
        return
    with _recording_stream(call):
        async with aclosing(start()) as chunks:
            while True:
                with model_call():
                    chunk = await anext(chunks, None)
                if chunk is None:
                    break
                call.add_chunk(chunk)
                yield chunk


@contextmanager
def _recording_errors(call: CassetteCall) -> Generator[None]:
    try:
        yield
    except ModelError as error:
        call.record_error(error)
        raise


@contextmanager
def _recording_stream(call: CassetteCall) -> Generator[None]:
    """Record the stream when it ends: complete, with an error, or closed early by the caller."""
    try:
        yield
    except ModelError as error:
        call.record_stream(error=error)
        raise
    except GeneratorExit:
        call.record_stream(cut=True)
        raise
    call.record_stream()


def _replayed(recording: Recording, sdk: str) -> list[AIMessage]:
    _raise_error(recording, sdk)
    if not (replies := recording.whole()):
        raise MalformedReplyError("The recorded reply is empty.", hint="Record it again.")
    return replies


def _paced(recording: Recording) -> Iterator[tuple[AIMessageChunk, float]]:
    """Yield the chunks, each with the seconds that it took."""
    chunks = recording.as_chunks()
    return zip(chunks, [*recording.seconds, *([0.0] * len(chunks))], strict=False)


def _raise_error(recording: Recording, sdk: str) -> None:
    from chatnb.cassettes.cassette import fresh_error

    error = fresh_error(recording)
    if error is None:
        return
    if (module := sys.modules.get(sdk)) is not None:
        make_sdk_error(error, module)
    raise error
