"""One question and its answers, until one is valid or there were enough: no input or output."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypedDict, TypeVar

from chatnb.errors import ContentFilterError, OutputParserError, StructuredOutputError
from chatnb.output_parsers.json import GrowingJson, GrowingJsonParser
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage
from chatnb.structured_output.methods import ByJsonSchema

T = TypeVar("T")

_CUT_OFF = ("length", "max_tokens", "max_output_tokens")
_REFUSED = ("refusal", "content_filter")
"""What providers give as the reason why a reply ended."""


class StructuredReply(TypedDict, Generic[T]):
    """An answer with the message it came in: what `include_raw=True` gives.

    Both `parsed` and `parsing_error` are None only while an answer streams in that says nothing
    yet; otherwise one of them is.
    """

    raw: AIMessage
    parsed: T | None
    parsing_error: Exception | None


class Inquiry:
    """A question to a model, from its first answer to the last.

    Whoever asks sends `messages` while it is not `over`, and hands in what comes: each whole
    reply with `take`; or each chunk with `grow`, and then `take_grown`.

    Args:
        method: How the model is asked.
        answers: What reads its answers.
        messages: The question.
        include_raw: Whether messages and errors are part of the result.
        repair: How often the model is shown what is wrong with its answer, and asked again.
    """

    def __init__(
        self,
        method: ByJsonSchema,
        answers: GrowingJsonParser[Any],
        messages: list[BaseMessage],
        *,
        include_raw: bool,
        repair: int,
    ) -> None:
        self.messages = method.question(messages)
        self.over = False
        self._method = method
        self._answers = answers
        self._include_raw = include_raw
        self._repair = repair
        self._attempts = list[AIMessage]()
        self._reply: StructuredReply[Any]
        self._start_growing()

    def take(self, reply: AIMessage) -> None:
        """Take in a whole reply.

        Raises:
            ContentFilterError: If the model refused to answer.
        """
        self._attempts.append(reply)
        _raise_if_refused(reply)
        try:
            answer = self._answers.parse(self._method.text(reply))
        except OutputParserError as error:
            self._complain(reply, error)
        else:
            self._end(reply, answer, None)

    def grow(self, chunk: AIMessageChunk) -> Iterator[Any]:
        """Take in a chunk of a reply.

        Yields:
            The answer as far as it goes, if the chunk changed it.
        """
        self._grown += chunk
        if self._growing.add(self._method.piece(chunk)):
            partial = self._answers.partial_value(self._growing.data)
            yield self._shown(StructuredReply(raw=self._grown, parsed=partial, parsing_error=None))

    def take_grown(self) -> None:
        """Take the chunks that came as the whole reply; like `take`."""
        grown = self._grown.to_message()
        self._start_growing()
        self.take(grown)

    @contextmanager
    def keeping_refusals(self) -> Generator[None]:
        """Make a refusal a part of the result, where errors are."""
        try:
            yield
        except ContentFilterError as error:
            if not self._include_raw or error.partial is None:
                raise
            self._end(error.partial, None, error)

    def result(self) -> Any:
        """The answer, or the `StructuredReply` with it.

        Raises:
            StructuredOutputError: If no answer was valid, unless errors are part of the result.
        """
        error = self._reply["parsing_error"]
        if error is not None and not self._include_raw:
            raise error
        return self._shown(self._reply)

    def _start_growing(self) -> None:
        self._grown, self._growing = AIMessageChunk(""), GrowingJson()

    def _complain(self, reply: AIMessage, error: OutputParserError) -> None:
        if len(self._attempts) <= self._repair:
            self.messages = [*self.messages, *self._method.complaint(reply, str(error))]
            return
        failure = StructuredOutputError(
            f"{str(error).rstrip('.')}.",
            text=error.text,
            hint=self._hint(reply),
            raw=reply,
            attempts=self._attempts,
        )
        failure.__cause__ = error.__cause__
        self._end(reply, None, failure)

    def _hint(self, reply: AIMessage) -> str:
        if _finish(reply) in _CUT_OFF:
            return "The reply was cut off at its limit of tokens: give more with max_tokens=."
        if self._repair:
            return "Ask for something simpler, or ask another model."
        return "repair=1 has the model shown what is wrong, and asked again."

    def _end(self, raw: AIMessage, parsed: Any, error: Exception | None) -> None:
        self._reply = StructuredReply(raw=raw, parsed=parsed, parsing_error=error)
        self.over = True

    def _shown(self, reply: StructuredReply[Any]) -> Any:
        return reply if self._include_raw else reply["parsed"]


def _finish(reply: AIMessage) -> Any:
    return reply.response_metadata.get("finish_reason")


def _raise_if_refused(reply: AIMessage) -> None:
    """Providers that raise this themselves have done so by now."""
    declined = reply.additional_kwargs.get("refusal")
    if not declined and _finish(reply) not in _REFUSED:
        return
    said = f": {declined}" if declined else "."
    hint = "Rephrase the prompt."
    raise ContentFilterError(f"The model refused to answer{said}", hint=hint, partial=reply)
