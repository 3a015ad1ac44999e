"""A stream decoder of OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from chatnb.chat_models.openai.completions import (
    COMPLETION,
    messages_from_openai,
    read_chunks,
)
from chatnb.chat_models.openai.custom_tools import CustomCalls
from chatnb.chat_models.openai.errors import malformed, parse_json
from chatnb.chat_models.stream_decoder import StreamDecoder
from chatnb.chat_models.wire.payloads import Payload, payload_text
from chatnb.schema.characters import SurrogateJoiner
from chatnb.schema.messages import AIMessage, AIMessageChunk, text_chunk

_ID_TYPES = (str, type(None))


class CompletionDecoder(StreamDecoder):
    """A decoder of a streamed chat completion: the chunks of its first candidate."""

    _text_path = ("choices", 0, "delta", "content")

    def __init__(self, parse: Callable[[bytes], Payload] = parse_json) -> None:
        super().__init__(parse, malformed, COMPLETION)
        self._text = SurrogateJoiner()
        self._reasoning = SurrogateJoiner()
        self._started: set[int] = set()
        self._finished: set[int] = set()
        self._custom_calls = CustomCalls()

    def end(self) -> Iterator[AIMessageChunk]:
        rest = self._text.flush()
        if rest:
            self._partial.take_text(rest)
            yield AIMessageChunk(rest)
        yield from super().end()

    @property
    def is_complete(self) -> bool:
        # Some servers close the connection after the finish reasons, without [DONE].
        return self._done or bool(self._started and self._started <= self._finished)

    def _end_of_stream(self) -> None:
        self._done = bool(self._started) or not self._odd

    def _read_body(self, body: bytes) -> AIMessage:
        return messages_from_openai(self._parse(body))[0]

    def _plain_chunk(self, event: Payload) -> AIMessageChunk | None:
        # Nearly all events only continue the first candidate, and a check is cheaper than a read.
        try:
            (choice,) = event["choices"]
            delta = choice["delta"]
            text, id = delta["content"], event.get("id")
            if type(text) is not str or not text or type(id) not in _ID_TYPES:
                return None
            if len(delta) > 1 and (len(delta) > 2 or "role" not in delta):
                return None
            if choice.get("index") or choice.get("finish_reason") or choice.get("logprobs"):
                return None
            if choice.get("error") or event.get("usage") or event.get("error"):
                return None
        except (KeyError, ValueError, TypeError, AttributeError):
            return None
        self._started.add(0)
        return text_chunk(self._text.push(text), id)

    def _continued(self, event: Payload, text: str) -> AIMessageChunk:
        return text_chunk(self._text.push(text), event.get("id"))

    def _read_event(self, event: Payload) -> AIMessageChunk | None:
        """Return the chunk of the first candidate."""
        first: AIMessageChunk | None = None
        if not ("choices" in event or "usage" in event or "type" in event):
            self._odd = payload_text(event)
        choices: Sequence[Payload] = event.get("choices") or ({},)
        for choice, (index, chunk) in zip(choices, read_chunks(event), strict=False):
            self._started.add(index)
            if chunk.response_metadata.get("finish_reason"):
                self._finished.add(index)
            if index == 0:
                self._join_surrogates(chunk)
                self._custom_calls.read(choice.get("delta") or {}, chunk)
                first = chunk if first is None else first + chunk
        return first

    def _join_surrogates(self, chunk: AIMessageChunk) -> None:
        content, extra = chunk.content, chunk.additional_kwargs
        if content and isinstance(content, str):
            chunk.content = self._text.push(content)
        if extra and isinstance(extra.get("reasoning_content"), str):
            extra["reasoning_content"] = self._reasoning.push(extra["reasoning_content"])
