"""A conversation of a model with tools, round by round: state, without input or output."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from chatnb.errors import ModelError, ToolRoundsError
from chatnb.schema.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ToolMessage,
    as_chunk,
    join_chunks,
)
from chatnb.tools.call_check import CallCheck
from chatnb.tools.streamed_calls import StreamedCalls

Said: TypeAlias = AIMessageChunk | ToolMessage
"""What comes of a loop of calls: pieces of the model's replies, and results of tools."""


class Rounds:
    """The rounds of one run: a reply that streams in, then the results of its calls.

    Args:
        messages: What the model is asked.
        max_rounds: How often it may be asked.
        check: Which calls it may make.
    """

    def __init__(self, messages: Sequence[BaseMessage], max_rounds: int, check: CallCheck) -> None:
        self._asked = list(messages)
        self._said = list[BaseMessage]()
        self._left = max_rounds
        self._max_rounds = max_rounds
        self._check = check
        self._begin()
        self.open = True

    @property
    def messages(self) -> list[BaseMessage]:
        """What the model is asked now."""
        return [*self._asked, *self._said]

    def heard(self, chunk: AIMessage) -> AIMessageChunk:
        """Take the next chunk of the reply.

        Returns:
            The chunk, in which calls that cannot be made are marked.
        """
        checked = self._calls.push(chunk if isinstance(chunk, AIMessageChunk) else as_chunk(chunk))
        self._chunks.append(checked)
        return checked

    def replied(self) -> AIMessage:
        """End the reply; without calls it is the answer, and the last round is over.

        Returns:
            The reply.

        Raises:
            ToolRoundsError: If there are calls and no round is left for their results.
        """
        reply = join_chunks(self._chunks).to_message()
        self._said.append(reply)
        self._begin()
        self._left -= 1
        self.open = bool(reply.tool_calls or reply.invalid_tool_calls)
        if self.open and not self._left:
            raise ToolRoundsError(
                f"The model was asked {self._max_rounds} times and still calls tools. "
                "max_rounds= allows more; the error's messages have all that was said.",
                self._said,
            )
        return reply

    def answered(self, message: ToolMessage) -> ToolMessage:
        """Take the result of a call, and give it back."""
        self._said.append(message)
        return message

    @contextmanager
    def kept(self) -> Generator[None]:
        """Let an error of the model keep what was said in the rounds before."""
        try:
            yield
        except ModelError as error:
            error.messages = list(self._said)
            raise

    def _begin(self) -> None:
        self._chunks = list[AIMessageChunk]()
        self._calls = StreamedCalls(self._check.problem)


def messages_of(said: Iterable[Said]) -> list[BaseMessage]:
    """Put together what a loop of calls streamed.

    Args:
        said: What it streamed, in order.

    Returns:
        The messages: replies with calls, the results of these, and the answer.

    Example:
        >>> messages_of([AIMessageChunk("Hel"), AIMessageChunk("lo.")])
        [AIMessage(content='Hello.')]
    """
    messages, chunks = list[BaseMessage](), list[AIMessageChunk]()
    for each in said:
        if isinstance(each, AIMessageChunk):
            chunks.append(each)
            continue
        if chunks:
            messages.append(join_chunks(chunks).to_message())
            chunks = []
        messages.append(each)
    return [*messages, join_chunks(chunks).to_message()] if chunks else messages
