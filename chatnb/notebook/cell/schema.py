"""Typed replies and expectations: the cell options --schema, --expect and --expect-schema."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from IPython.core.error import UsageError

from chatnb.errors import ChatnbError
from chatnb.evaluation.checks import schema_name, text_pattern, type_problem
from chatnb.json_schemas import schema_from_type
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.notebook.cell.display import ReplySink, reply_mimebundle
from chatnb.notebook.cell.terminal import TerminalDisplay
from chatnb.notebook.reply_stream import Reply
from chatnb.notebook.tables.answers import answer_html, answer_markdown
from chatnb.schema.messages import AIMessage
from chatnb.structured_output.methods import get_method
from chatnb.structured_output.parsers import parser_from_type
from chatnb.structured_output.runnable import RepairLoop
from chatnb.terminal import SafeText

_MAX_SHOWN = 120
_HINT = "Run the cell again, or ask another model; the text is in _reply."
_OPENING, _CLOSING = "````json\n", "\n````\n"


class ReplyUnexpected(ChatnbError, AssertionError):
    """A reply does not have what its cell expects."""


class Expectation:
    """The text that a cell expects in its reply, or `/a pattern/`, or the type of its JSON."""

    def __init__(self, text: str | None = None, schema: Any = None) -> None:
        self._text = text
        self._pattern = None if text is None else text_pattern(text)
        self._schema = schema

    def check(self, reply: AIMessage) -> None:
        """Raise `ReplyUnexpected` if a reply does not have what is expected."""
        if self._pattern is not None and not self._pattern.search(reply.text):
            raise ReplyUnexpected(f"expected {self._text!r}, but the reply is: {_shorten(reply)}")
        if self._schema is not None:
            _check_type(self._schema, reply)


def expectation_from_options(
    options: argparse.Namespace, namespace: Mapping[str, Any]
) -> Expectation:
    """Return the expectation of a cell's options; namespace holds the notebook's variables."""
    name = options.expect_schema
    if name is not None and name not in namespace:
        raise UsageError(f"%%chat --expect-schema: there is no variable {name}.")
    try:
        return Expectation(options.expect, None if name is None else namespace[name])
    except ValueError as error:
        raise UsageError(f"%%chat: --expect {error}.") from None


def _check_type(schema: Any, reply: AIMessage) -> None:
    problem = type_problem(schema, reply.text)
    if problem:
        wanted = schema_name(schema)
        raise ReplyUnexpected(f"expected {wanted}, but the reply is: {_shorten(reply)} ({problem})")


def _shorten(reply: AIMessage) -> str:
    text = " ".join(reply.text.split())
    return repr(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…")


class TypedReply:
    """A reply of the type in a variable, for `--schema`."""

    def __init__(self, name: str, namespace: Mapping[str, Any]) -> None:
        if name not in namespace:
            raise UsageError(
                f"%%chat --schema takes a variable with a type, and {name!r} is none. "
                "Define a Pydantic model, a dataclass, a TypedDict or a JSON schema first."
            )
        try:
            self._named = schema_from_type(namespace[name])
            self._parser = parser_from_type(namespace[name])
        except (TypeError, ValueError, ChatnbError) as error:
            raise UsageError(f"%%chat --schema {name}: {error}") from None
        self._method = get_method("json_schema", self._named, None)

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of a call that ask for the type."""
        return self._method.params()

    def sink(self, display: ReplySink) -> ReplySink:
        """Return a sink that shows the JSON as it comes, fenced unless as plain text."""
        return display if isinstance(display, TerminalDisplay) else _JsonSink(display)

    def read(self, reply: Reply) -> tuple[Any, Reply, Mimebundle | None]:
        """Return the value or the message, the reply, failed if not valid, and the output."""
        if reply.outcome != "done":
            return reply.message, reply, _json_output(reply)
        loop = RepairLoop(self._method, self._parser, [], include_raw=True, repair=0)
        with loop.catch_refusals():
            loop.add_reply(reply.message)
        result = loop.result()
        error = result["parsing_error"]
        if error is None:
            return result["parsed"], reply, self._output(result["parsed"], reply)
        if "repair" in error.hint:  # Cells have no option for it.
            error.hint = _HINT
        failed = replace(reply, outcome="failed", error=error)
        return reply.message, failed, _json_output(reply)

    def _output(self, value: Any, reply: Reply) -> Mimebundle:
        data = _json_data(value)
        return {
            "text/plain": SafeText(reply.message.text if data is None else repr(value)),
            "text/html": answer_html(data),
            "text/markdown": answer_markdown(self._named.name, data),
        }


class _JsonSink:
    """A sink that fences a reply as a block of JSON."""

    def __init__(self, inner: ReplySink) -> None:
        self._inner = inner
        self._opened = False
        self.append_reasoning, self.show_note = inner.append_reasoning, inner.show_note
        self.show_calls = inner.show_calls

    def append(self, text: str) -> None:
        """Show the next text."""
        if not self._opened:
            self._opened = True
            text = _OPENING + text.lstrip()
        self._inner.append(text)

    def end(self) -> None:
        """Show the end of the block."""
        if self._opened:
            self._inner.append(_CLOSING)
        self._inner.end()


def _json_output(reply: Reply) -> Mimebundle | None:
    if not reply.message.text:
        return None
    fenced = reply_mimebundle(f"{_OPENING}{reply.message.text}{_CLOSING}")
    return {**fenced, "text/plain": SafeText(reply.message.text)}


def _json_data(value: Any) -> Any:
    from pydantic_core import to_jsonable_python

    return json.loads(json.dumps(to_jsonable_python(value)))
