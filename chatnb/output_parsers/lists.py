"""Parsers of replies that are lists, whose items are streamed one by one."""

from __future__ import annotations

import csv
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any, ClassVar

from chatnb.output_parsers.base import BaseOutputParser, Reply, reply_text
from chatnb.runnables.config import RunnableConfig


class ListOutputParser(BaseOutputParser[list[str]]):
    """A parser of lists; a subclass implements `parse` and `split`.

    A stream yields each item, in a list, as soon as it is whole; the lists add up.

    Example:
        >>> class Words(ListOutputParser):
        ...     def parse(self, text):
        ...         return text.split()
        ...     def split(self, text):
        ...         whole, space, rest = text.rpartition(" ")
        ...         return whole + space, rest
        >>> list(Words().transform(iter(["one t", "wo three"])))
        [['one'], ['two'], ['three']]
    """

    instructions: ClassVar[str] = ""

    def split(self, text: str) -> tuple[str, str]:
        """Return the whole items of text that streams in, and the rest, which may grow.

        Args:
            text: The text since the last whole item.
        """
        raise NotImplementedError

    def get_format_instructions(self) -> str:
        """Return instructions for a model to reply with such a list."""
        return self.instructions

    def transform(
        self, input: Iterator[Reply], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[list[str]]:
        items = _Items(self)
        for chunk in input:
            yield from items.add(reply_text(chunk))
        yield from items.rest()

    async def atransform(
        self, input: AsyncIterator[Reply], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[list[str], None]:
        items = _Items(self)
        async for chunk in input:
            for item in items.add(reply_text(chunk)):
                yield item
        for item in items.rest():
            yield item


class _Items:
    """The items of a text that comes in pieces, each in a list of its own."""

    def __init__(self, parser: ListOutputParser) -> None:
        self._parser = parser
        self._open, self._is_empty = "", True

    def add(self, text: str) -> list[list[str]]:
        """Return the items that more text completes."""
        whole, self._open = self._parser.split(self._open + text)
        return self._parsed(whole) if whole else []

    def rest(self) -> list[list[str]]:
        """Return the last items; of a text without any, one empty list."""
        last = self._parsed(self._open)
        return [[]] if self._is_empty else last

    def _parsed(self, text: str) -> list[list[str]]:
        found = [[item] for item in self._parser.parse(text)]
        self._is_empty = self._is_empty and not found
        return found


class CommaSeparatedListOutputParser(ListOutputParser):
    """A parser of values with commas between them; a quoted value may have commas.

    Example:
        >>> CommaSeparatedListOutputParser().invoke('red, "blue, dark", green')
        ['red', 'blue, dark', 'green']
    """

    instructions = "Answer with values that are separated by commas, and nothing else: `a, b, c`"

    def parse(self, text: str) -> list[str]:
        lines = [line for line in text.splitlines() if line.strip()]
        rows = csv.reader(lines, skipinitialspace=True)
        return [value.strip() for row in rows for value in row if value.strip()]

    def split(self, text: str) -> tuple[str, str]:
        end = text.rfind(",") + 1
        if text.count('"', 0, end) % 2:
            end = 0  # The last comma may be within quotes.
        return text[:end], text[end:]


class _LinesOutputParser(ListOutputParser):
    pattern: ClassVar[re.Pattern[str]]

    def parse(self, text: str) -> list[str]:
        return [found[1].strip() for found in self.pattern.finditer(text)]

    def split(self, text: str) -> tuple[str, str]:
        end = text.rfind("\n") + 1
        return text[:end], text[end:]


class NumberedListOutputParser(_LinesOutputParser):
    """A parser of numbered lines.

    Example:
        >>> NumberedListOutputParser().invoke("Here:\\n1. red\\n2. blue")
        ['red', 'blue']
    """

    pattern = re.compile(r"^[ \t]*\d+[.)][ \t]+(\S[^\n]*)$", re.MULTILINE)
    instructions = "Answer with a numbered list, one item a line:\n\n1. first\n\n2. second"


class MarkdownListOutputParser(_LinesOutputParser):
    """A parser of the items of a Markdown list.

    Example:
        >>> MarkdownListOutputParser().invoke("Here:\\n- red\\n- blue")
        ['red', 'blue']
    """

    pattern = re.compile(r"^[ \t]*[-*+][ \t]+(\S[^\n]*)$", re.MULTILINE)
    instructions = "Answer with a Markdown list, one item a line:\n\n- first\n- second"
