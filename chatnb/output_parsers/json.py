"""Replies as JSON, growing while they are streamed."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from typing import Any

import jiter

from chatnb.errors import OutputParserError
from chatnb.output_parsers.base import BaseOutputParser, Reply, text_of
from chatnb.runnables.config import RunnableConfig
from chatnb.runnables.verbs import Out

_NOTHING: Any = object()
_LANGUAGE = re.compile(r"[\w+-]*")
_INSTRUCTIONS = """\
Answer with one JSON object and nothing else. It must be valid under this JSON Schema:

```json
{schema}
```"""


class GrowingJsonParser(BaseOutputParser[Out]):
    """Reads JSON, whole or as much as there is; a subclass says what it means."""

    chunks_replace = True

    def value(self, data: Any, text: str) -> Out:
        """What whole JSON means.

        Args:
            data: The JSON's value.
            text: The reply, for an error.

        Raises:
            OutputParserError: If it means nothing.
        """
        raise NotImplementedError

    def partial_value(self, data: Any) -> Out:
        """What the beginning of some JSON means.

        Args:
            data: The value of as much of the JSON as there is.
        """
        raise NotImplementedError

    def parse(self, text: str) -> Out:
        return self.value(_read(text), text)

    def transform(
        self, input: Iterator[Reply], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        growing, last = GrowingJson(), _NOTHING
        for chunk in input:
            if growing.add(text_of(chunk)):
                yield (last := self.partial_value(growing.data))
        whole = self.parse(growing.text)
        if repr(whole) != repr(last):
            yield whole

    async def atransform(
        self, input: AsyncIterator[Reply], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        growing, last = GrowingJson(), _NOTHING
        async for chunk in input:
            if growing.add(text_of(chunk)):
                yield (last := self.partial_value(growing.data))
        whole = self.parse(growing.text)
        if repr(whole) != repr(last):
            yield whole


class JsonOutputParser(GrowingJsonParser[Any]):
    """The JSON of a reply, with or without a fence of backquotes around it.

    A stream gives the value again and again as it grows, strings and numbers that are not at
    their end included; each replaces the one before. JSON that ends too early is an error.

    Raises:
        OutputParserError: When it is run, if there is no JSON; `text` has the reply.

    Example:
        >>> parser = JsonOutputParser()
        >>> parser.invoke('{"a": [1, 2]}')
        {'a': [1, 2]}
        >>> list(parser.transform(iter(['{"a": "x', 'y"', "}"])))
        [{'a': 'x'}, {'a': 'xy'}]
    """

    def value(self, data: Any, text: str) -> Any:
        return data

    def partial_value(self, data: Any) -> Any:
        return data


class GrowingJson:
    """JSON of which more and more is there; `data` is its value.

    Example:
        >>> growing = GrowingJson()
        >>> growing.add('{"a": "x'), growing.add('y"'), growing.add(" "), growing.data
        (True, True, False, {'a': 'xy'})
    """

    def __init__(self) -> None:
        self.text = ""
        self.data = _NOTHING

    def add(self, text: str) -> bool:
        """Take in more of it; whether the value changed."""
        self.text += text
        try:
            data = jiter.from_json(json_body(self.text).encode(), partial_mode="trailing-strings")
        except ValueError:
            return False
        changed = self.data is _NOTHING or data != self.data
        self.data = data
        return changed


def _read(text: str) -> Any:
    try:
        return jiter.from_json(json_body(text).encode())
    except ValueError as error:
        raise OutputParserError(f"The reply is not JSON: {error}", text=text) from error


def json_body(text: str) -> str:
    """The JSON of a reply, without the fence and what is said before and after it."""
    before, fence, fenced = text.partition("```")
    if not fence or before.lstrip().startswith(("{", "[")):
        return text.strip()
    body = fenced[_LANGUAGE.match(fenced).end() :]  # pyright: ignore[reportOptionalMemberAccess]
    end = body.rfind("```")
    return (body if end < 0 else body[:end]).strip()


def json_instructions(schema: Mapping[str, Any]) -> str:
    """What to tell a model, so that it replies with such JSON.

    Args:
        schema: The JSON schema.

    Example:
        >>> print(json_instructions({"type": "object"}))
        Answer with one JSON object and nothing else. It must be valid under this JSON Schema:
        <BLANKLINE>
        ```json
        {"type": "object"}
        ```
    """
    return _INSTRUCTIONS.format(schema=json.dumps(schema, ensure_ascii=False))
