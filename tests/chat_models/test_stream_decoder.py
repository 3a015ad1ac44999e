"""Stream decoders: the reply so far, and streams that end as they should not."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest

from chatnb.chat_models.openai.completions_stream import CompletionDecoder
from chatnb.chat_models.stream_decoder import PartialReply
from chatnb.chat_models.wire.reasoning_tags import TaggedDecoder
from chatnb.errors import (
    ContentFilterError,
    MalformedReplyError,
    ModelError,
    StreamInterruptedError,
)
from chatnb.schema import AIMessage, AIMessageChunk
from chatnb.schema.tool_calls import tool_call_chunk
from tests.support.loopback import delta, event

DONE = event("[DONE]")


def decoded(*pieces: bytes, kind: str = "") -> AIMessage | None:
    """Read a stream to its end, and return what is kept of it."""
    with closing(CompletionDecoder()) as decoder:
        decoder.begin(kind)
        for piece in pieces:
            list(decoder.decode(piece))
        list(decoder.end())
        return decoder.partial


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        ("application/json", MalformedReplyError, "an empty body"),
        ("Text/HTML; charset=utf-8", MalformedReplyError, "an empty body"),
        ("", StreamInterruptedError, "The reply broke off"),
        ("Text/Event-Stream", StreamInterruptedError, "The reply broke off"),
        ("text/event-stream; charset=utf-8", StreamInterruptedError, "The reply broke off"),
    ],
)
def test_a_response_without_bytes_is_what_its_type_says(
    kind: str, error: type[ModelError], text: str
) -> None:
    """A stream that broke off, or a body that is empty; also with reasoning in tags."""
    with pytest.raises(error, match=text):
        decoded(kind=kind)
    with closing(TaggedDecoder("think", CompletionDecoder)) as tagged:
        tagged.begin(kind)
        with pytest.raises(error, match=text):
            list(tagged.end())


@pytest.mark.parametrize("split", [True, False])
def test_nothing_counts_after_the_end(split: bool) -> None:
    """It may come with the end, or later."""
    last = delta("c", "length") + event("broken")
    pieces = [delta("a"), delta("b", "stop") + DONE]
    pieces = [*pieces, last] if split else [pieces[0], pieces[1] + last]
    assert decoded(*pieces) == AIMessage("ab")


@pytest.mark.parametrize(
    ("odd", "text"),
    [
        (b"data: upstream hung up\n\n", " The server sent: upstream hung up"),
        (b"data: " + b"x" * 201 + b"\n\n", " The server sent: " + "x" * 200),
        (b"data: : a comment\n\n", ""),
        (b"data:   \n\n", ""),
    ],
)
def test_a_reply_that_broke_off_tells_what_the_server_said_last(odd: bytes, text: str) -> None:
    """As far as it was neither a part of the reply nor a comment."""
    with pytest.raises(StreamInterruptedError) as raised:
        decoded(delta("a"), odd)
    assert str(raised.value).startswith(
        f"The reply broke off: the connection ended before the model did.{text}"
    )
    assert ("The server sent" in str(raised.value)) is bool(text)


def choice(finish: str | None = None, **fields: Any) -> bytes:
    return event({"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]})


@pytest.mark.parametrize(
    ("pieces", "error"),
    [
        ([delta("a"), delta("b", "content_filter")], ContentFilterError),
        ([choice(refusal="No."), choice("stop")], ContentFilterError),
        ([delta("a", "abort")], StreamInterruptedError),
    ],
)
def test_a_bad_ending_is_raised_once_all_is_there(
    pieces: list[bytes], error: type[ModelError]
) -> None:
    """Chunks come before the error."""
    with closing(CompletionDecoder()) as decoder:
        assert all(list(decoder.decode(piece)) for piece in pieces)
        list(decoder.decode(DONE))
        with pytest.raises(error):
            list(decoder.end())


def test_a_reply_at_its_limit_ends_well() -> None:
    """The metadata says that it was cut."""
    assert decoded(delta("ab", "length"), DONE) == AIMessage("ab")


@pytest.mark.parametrize("count", [1, 255, 256, 257, 600])
def test_what_has_arrived_is_kept_however_many_chunks_it_is(count: int) -> None:
    """Texts, calls and reasoning; nothing is one before anything has come."""
    with closing(PartialReply()) as partial:
        assert partial.message() is None
        partial.take(AIMessageChunk(""))
        assert partial.message() is None
        for number in range(count):
            partial.take_text(f"{number} ")
            call = tool_call_chunk(name="f" if number == 0 else None, args="1", id=None, index=0)
            partial.take(AIMessageChunk("", tool_call_chunks=[call]))
            partial.take(AIMessageChunk("", additional_kwargs={"reasoning_content": "r"}))
        message = partial.message()
    assert message is not None
    assert message.text == "".join(f"{number} " for number in range(count))
    assert message.reasoning == "r" * count
    assert message.invalid_tool_calls[0]["args"] == "1" * count


def test_half_an_emoji_at_the_end_is_text() -> None:
    """It waits for the other half, which never comes."""
    half = b"data: " + json.dumps({"choices": [{"delta": {"content": "a\ud83d"}}]}).encode()
    end = choice("stop")
    with closing(CompletionDecoder()) as decoder:
        chunks = [*decoder.decode(half + b"\n\n"), *decoder.decode(end + DONE), *decoder.end()]
        assert "".join(chunk.text for chunk in chunks) == "a\ufffd"
        assert decoder.partial == AIMessage("a\ufffd")
