"""What a `%%chat` cell expects of its reply: a text, a pattern, or a type."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from typing import Any

from IPython.core.error import UsageError

from chatnb.errors import ChatnbError
from chatnb.output_parsers.json import json_body
from chatnb.schema.messages import AIMessage

_SHOWN = 120


class ReplyUnexpected(ChatnbError, AssertionError):
    """A reply is not what its cell expects."""


class Expectation:
    """What a cell says about its reply, checked before anything is asked.

    Args:
        text: A text that is to stand in the reply, in any case of letters; or `/a pattern/`.
        schema: The type that the reply's JSON is to be of.

    Raises:
        ValueError: If the pattern is none, or the text is empty.

    Example:
        >>> Expectation("hello").check(AIMessage("Hello, world."))
        >>> Expectation(r"/^\\d+$/").check(AIMessage("42"))
        >>> Expectation("blue").check(AIMessage("Red."))
        Traceback (most recent call last):
        chatnb.notebook.expectations.ReplyUnexpected: expected 'blue', and what came was: 'Red.'
    """

    def __init__(self, text: str | None = None, schema: Any = None) -> None:
        if text == "":
            raise ValueError("--expect takes a text, or a /pattern/, and is empty")
        self._text = text
        self._pattern = None if text is None else _pattern(text)
        self._schema = schema

    def check(self, reply: AIMessage) -> None:
        """Compare a reply with what is expected.

        Raises:
            ReplyUnexpected: If it is something else.
        """
        if self._pattern is not None and not self._pattern.search(reply.text):
            raise ReplyUnexpected(f"expected {self._text!r}, and what came was: {_shown(reply)}")
        if self._schema is not None:
            _check_type(self._schema, reply)


def expectation_of(options: argparse.Namespace, namespace: Mapping[str, Any]) -> Expectation:
    """Read what a cell's options expect.

    Args:
        options: With `expect` and `expect_schema`.
        namespace: The notebook's variables.

    Raises:
        UsageError: If there is no such variable, or the pattern is none.
    """
    name = options.expect_schema
    if name is not None and name not in namespace:
        raise UsageError(f"%%chat --expect-schema: there is no variable {name}.")
    try:
        return Expectation(options.expect, None if name is None else namespace[name])
    except ValueError as error:
        raise UsageError(f"%%chat: {error}.") from None


def _pattern(text: str) -> re.Pattern[str]:
    if not (len(text) > 2 and text.startswith("/") and text.endswith("/")):
        return re.compile(re.escape(text), re.IGNORECASE)
    try:
        return re.compile(text[1:-1], re.MULTILINE | re.DOTALL)
    except re.error as error:
        raise ValueError(f"--expect {text} is no regular expression: {error}") from None


def _check_type(schema: Any, reply: AIMessage) -> None:
    name = getattr(schema, "__name__", "the schema")
    problem = _problem(schema, json_body(reply.text))
    if problem:
        said = f"expected {name}, and what came was: {_shown(reply)}"
        raise ReplyUnexpected(f"{said} ({' '.join(problem.split())})")


def _problem(schema: Any, text: str) -> str:
    """What keeps a text from being JSON of a type, as its first problem; empty if nothing does."""
    from pydantic import TypeAdapter, ValidationError

    if isinstance(schema, dict):
        return _problem_of_json(schema, text)
    try:
        TypeAdapter(schema).validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg']}" if place else first["msg"]
    return ""


def _problem_of_json(schema: dict[str, Any], text: str) -> str:
    from jsonschema import ValidationError, validate

    try:
        validate(json.loads(text), schema)
    except ValidationError as error:
        return error.message
    except ValueError as error:
        return str(error)
    return ""


def _shown(reply: AIMessage) -> str:
    text = " ".join(reply.text.split())
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
