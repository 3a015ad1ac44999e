"""What makes something of a model's reply."""

from __future__ import annotations

from typing import Any, TypeAlias

from chatnb.runnables.base import Runnable
from chatnb.runnables.config import RunnableConfig
from chatnb.runnables.verbs import Out
from chatnb.schema.messages import BaseMessage

Reply: TypeAlias = BaseMessage | str


class BaseOutputParser(Runnable[Reply, Out]):
    """Makes something of a model's reply; a subclass implements `parse`.

    Example:
        >>> class Lines(BaseOutputParser[list[str]]):
        ...     def parse(self, text):
        ...         return text.splitlines()
        >>> Lines().invoke("a\\nb")
        ['a', 'b']
    """

    in_place = True
    run_type = "parser"

    def parse(self, text: str) -> Out:
        """What a whole reply means.

        Args:
            text: The reply's text.

        Raises:
            OutputParserError: If it means nothing.
        """
        raise NotImplementedError

    def invoke(self, input: Reply, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        return self.parse(text_of(input))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def text_of(reply: Reply) -> str:
    """The text of a reply.

    Raises:
        TypeError: If it is neither a message nor a string.
    """
    if isinstance(reply, str):
        return reply
    if isinstance(reply, BaseMessage):  # pyright: ignore[reportUnnecessaryIsInstance]
        return reply.text
    raise TypeError(f"A parser takes a message or a string, not {type(reply).__name__}: {reply!r}")
