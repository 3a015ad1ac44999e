"""Parsers of JSON replies, also while they stream."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from chatnb.errors import OutputParserError
from chatnb.json_schemas import schema_from_type
from chatnb.lazy_names import names_of_package
from chatnb.loose_json import FoundJson, find_json, is_weak, partial_value, search_json
from chatnb.output_parsers.base import BaseOutputParser, Reply, reply_text
from chatnb.runnables.config import RunnableConfig
from chatnb.runnables.methods import Out
from chatnb.schema.json_patch import json_diff

_MISSING: Any = object()
_ANY_JSON = "Answer with one JSON value and nothing else."
_INSTRUCTIONS = """\
Answer with one JSON object and nothing else. It must be valid under this JSON Schema:

```json
{schema}
```"""


class GrowingJsonParser(BaseOutputParser[Out]):
    """A parser of complete and partial JSON; a subclass converts its value."""

    chunks_replace = True

    def value(self, found: FoundJson, text: str) -> Out:
        """Return the value of complete JSON, `found` in `text`, or raise an OutputParserError."""
        raise NotImplementedError

    def partial_value(self, data: Any) -> Out:
        """Return the value of the JSON so far, whose `data` may be incomplete."""
        raise NotImplementedError

    def parse(self, text: str) -> Out:
        try:
            found = find_json(text)
        except ValueError as error:
            raise OutputParserError(f"The reply is not JSON: {error}", text=text) from error
        return self.value(found, text)

    def transform(
        self, input: Iterator[Reply], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        growing, last = GrowingJson(), _MISSING
        for chunk in input:
            if growing.add(reply_text(chunk)):
                yield (last := self.partial_value(growing.data))
        whole = self.parse_reply(growing.text)
        if repr(whole) != repr(last):
            yield whole

    async def atransform(
        self, input: AsyncIterator[Reply], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        growing, last = GrowingJson(), _MISSING
        async for chunk in input:
            if growing.add(reply_text(chunk)):
                yield (last := self.partial_value(growing.data))
        whole = self.parse_reply(growing.text)
        if repr(whole) != repr(last):
            yield whole


class JsonOutputParser(GrowingJsonParser[Any]):
    """A parser of JSON, also with prose or fences around it and raw line breaks in its strings.

    Of several fences the first that is JSON counts. A stream yields the value so far at each
    change, including incomplete strings and numbers; each replaces the one before. Truncated JSON
    is an error.

    Args:
        pydantic_object: A Pydantic model, dataclass, TypedDict or JSON schema for the format
            instructions; the output is a dict nevertheless, and not validated.
        diff: True to have a stream yield the changes of the value, as lists of JSON Patch's
            operations.

    Raises:
        TypeError: If there are no instructions for such an object.
        OutputParserError: When it runs, if there is no JSON; `text` has the reply.

    Example:
        >>> parser = JsonOutputParser()
        >>> parser.invoke('{"a": [1, 2]}')
        {'a': [1, 2]}
        >>> list(parser.transform(iter(['{"a": "x', 'y"', "}"])))
        [{'a': 'x'}, {'a': 'xy'}]
        >>> list(JsonOutputParser(diff=True).transform(iter(['{"a": 1', ', "b": 2}'])))[-1]
        [{'op': 'add', 'path': '/b', 'value': 2}]
    """

    def __init__(self, pydantic_object: Any = None, *, diff: bool = False) -> None:
        self.pydantic_object = pydantic_object
        self.diff = diff
        self.chunks_replace = not diff
        self._schema = None if pydantic_object is None else schema_from_type(pydantic_object)

    def get_format_instructions(self) -> str:
        """Return instructions for a model to reply with JSON, of the schema if there is one."""
        return json_instructions(self._schema.schema) if self._schema else _ANY_JSON

    def value(self, found: FoundJson, text: str) -> Any:
        return found.value

    def partial_value(self, data: Any) -> Any:
        return data

    def transform(
        self, input: Iterator[Reply], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        last: Any = None
        for value in super().transform(input, config, **kwargs):
            yield json_diff(last, value) if self.diff else value
            last = value

    async def atransform(
        self, input: AsyncIterator[Reply], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        last: Any = None
        async with aclosing(super().atransform(input, config, **kwargs)) as values:
            async for value in values:
                yield json_diff(last, value) if self.diff else value
                last = value


class GrowingJson:
    """JSON that streams in; `data` is its value so far."""

    def __init__(self) -> None:
        self.text = ""
        self.data = _MISSING
        self._start = 0
        self._next_search = 0

    def add(self, text: str) -> bool:
        """Append text; return whether the value changed."""
        self.text += text
        data = self._read()
        changed = data is not _MISSING and (self.data is _MISSING or data != self.data)
        if changed:
            self.data = data
        return changed

    def _read(self) -> Any:
        try:
            data = partial_value(self.text[self._start :])
        except ValueError:
            data = _MISSING
        # A search reads all of the text, so that there is one whenever a twentieth has been added.
        if not is_weak(data) or len(self.text) < self._next_search:
            return data
        self._next_search = len(self.text) * 21 // 20
        found = search_json(self.text)
        if found is None or (is_weak(found.value) and self.text[: found.start].strip()):
            return data
        self._start = found.start
        return found.value


def json_instructions(schema: Mapping[str, Any]) -> str:
    """Return instructions for a model to reply with JSON of a schema."""
    return _INSTRUCTIONS.format(schema=json.dumps(schema, ensure_ascii=False))


if not TYPE_CHECKING:  # LangChain's module of this path has the package's other names, too.
    __getattr__ = names_of_package("chatnb.output_parsers")
