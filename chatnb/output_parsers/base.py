"""The base of output parsers, and the parser of plain text."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Never, NoReturn, TypeAlias

from chatnb.lazy_names import names_of_package
from chatnb.runnables.base import Runnable
from chatnb.runnables.batches.checkpoint import stored_replies
from chatnb.runnables.config import RunnableConfig
from chatnb.runnables.methods import Out
from chatnb.schema.message_types import plain_text
from chatnb.schema.messages import AIMessage, BaseMessage
from chatnb.schema.results import ChatGeneration, Generation

Reply: TypeAlias = BaseMessage | str


class BaseOutputParser(Runnable[Reply, Out]):
    """A parser of a model's reply; a subclass implements `parse`.

    Example:
        >>> class Lines(BaseOutputParser[list[str]]):
        ...     def parse(self, text):
        ...         return text.splitlines()
        >>> Lines().invoke("a\\nb")
        ['a', 'b']
    """

    in_place = True
    run_type = "parser"

    def __init__(self, *given: Never, **fields: Never) -> None:
        if given or fields:
            _refuse_fields(type(self).__name__)

    def parse(self, text: str) -> Out:
        """Return the value of a complete reply.

        Args:
            text: The reply's text.

        Raises:
            OutputParserError: If it cannot be parsed.
        """
        raise NotImplementedError

    def invoke(self, input: Reply, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        return self.parse_reply(reply_text(input))

    def parse_result(self, result: Sequence[Generation], *, partial: bool = False) -> Out:
        """Return the value of the first candidate of a result, by LangChain's name.

        Args:
            result: Candidates, such as one prompt's of `generate(...).generations`.
            partial: Accepted as LangChain's; `stream` and `transform` parse what arrives.

        Raises:
            OutputParserError: If it cannot be parsed.

        Example:
            >>> from chatnb.output_parsers import CommaSeparatedListOutputParser
            >>> from chatnb.schema import Generation
            >>> CommaSeparatedListOutputParser().parse_result([Generation("a, b")])
            ['a', 'b']
        """
        candidate = result[0]
        return self.invoke(
            candidate.message if isinstance(candidate, ChatGeneration) else candidate.text
        )

    async def aparse_result(self, result: Sequence[Generation], *, partial: bool = False) -> Out:
        """Return the value of a `result`, for asynchronous code; see `parse_result`."""
        return self.parse_result(result, partial=partial)

    async def aparse(self, text: str) -> Out:
        """Return the value of a reply's `text`, for asynchronous code; see `parse`."""
        return self.parse(text)

    def parse_reply(self, text: str) -> Out:
        """Return the value of a reply; caches and checkpoints forget one that has none.

        Args:
            text: The reply's text.

        Raises:
            OutputParserError: If it cannot be parsed.
        """
        try:
            return self.parse(text)
        except Exception:
            stored_replies.forget(text)
            raise

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _refuse_fields(name: str) -> NoReturn:
    raise TypeError(
        f"{name} takes no arguments. A parser with fields is a dataclass: "
        f"write @dataclass above class {name}, or an __init__."
    )


def reply_text(reply: Reply) -> str:
    """Return the text of a reply, without commentary before its final answer."""
    if isinstance(reply, str):
        return reply
    if isinstance(reply, AIMessage):
        return reply.answer
    if isinstance(reply, BaseMessage):  # pyright: ignore[reportUnnecessaryIsInstance]
        return plain_text(reply)
    raise TypeError(f"A parser takes a message or a string, not {type(reply).__name__}: {reply!r}")


class StrOutputParser(BaseOutputParser[str]):
    """A parser that returns a reply's text, streamed chunk by chunk.

    Example:
        >>> from chatnb.schema import AIMessage
        >>> StrOutputParser().invoke(AIMessage("Hello"))
        'Hello'
    """

    def parse(self, text: str) -> str:
        return text

    def transform(
        self, input: Iterator[Reply], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[str]:
        yield from map(reply_text, input)

    async def atransform(
        self, input: AsyncIterator[Reply], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[str, None]:
        async for chunk in input:
            yield reply_text(chunk)


if not TYPE_CHECKING:  # LangChain's module of this path has the package's other names, too.
    __getattr__ = names_of_package("chatnb.output_parsers")
