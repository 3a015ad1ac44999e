"""A reply that is to be a value of a type: how it is asked for, shown as it grows, and read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from IPython.core.error import UsageError

from chatnb.errors import ChatnbError
from chatnb.json_schemas import schema_of
from chatnb.notebook.frontends import Bundle, Frontend, Terminal
from chatnb.notebook.turn import Reply
from chatnb.notebook.views.answer import answer_html, answer_markdown
from chatnb.notebook.views.finished import reply_bundle
from chatnb.structured_output.answers import answers_of
from chatnb.structured_output.inquiry import Inquiry
from chatnb.structured_output.methods import method_named

_AGAIN = "Run the cell again, or ask another model; the text is in _reply."
_OPENING, _CLOSING = "````json\n", "\n````\n"


class TypedReply:
    """What `--schema` asks for.

    Args:
        name: The variable that holds the type.
        namespace: The notebook's variables.

    Raises:
        UsageError: If there is no such variable, or what it holds is no type to ask for.

    Example:
        >>> TypedReply("City", {"City": {"type": "object", "title": "City"}}).params.keys()
        dict_keys(['response_format'])
    """

    def __init__(self, name: str, namespace: Mapping[str, Any]) -> None:
        if name not in namespace:
            raise UsageError(
                f"%%chat --schema takes a variable with a type, and {name!r} is none. "
                "Define a Pydantic model, a dataclass, a TypedDict or a JSON schema first."
            )
        kind = namespace[name]
        try:
            self._named = schema_of(kind)
            self._answers = answers_of(kind)
        except (TypeError, ValueError, ChatnbError) as error:
            raise UsageError(f"%%chat --schema {name}: {error}") from None
        self._method = method_named("json_schema", self._named, None)

    @property
    def params(self) -> dict[str, Any]:
        """The parameters that have a model answer with the type."""
        return self._method.params()

    def frontend(self, inner: Frontend) -> Frontend:
        """Where the JSON is shown as it comes; a terminal shows no Markdown."""
        return inner if isinstance(inner, Terminal) else _JsonFrontend(inner)

    def read(self, reply: Reply) -> tuple[Any, Reply, Bundle | None]:
        """What a reply says.

        Returns:
            The value, or the message if there is none; the reply, failed if it is not valid; and
            what stays in the cell.
        """
        if reply.outcome != "done":
            return reply.message, reply, _as_it_came(reply)
        inquiry = Inquiry(self._method, self._answers, [], include_raw=True, repair=0)
        with inquiry.keeping_refusals():
            inquiry.take(reply.message)
        result = inquiry.result()
        error = result["parsing_error"]
        if error is None:
            return result["parsed"], reply, self._shown(result["parsed"], reply)
        if "repair" in error.hint:  # Which a cell cannot ask for.
            error.hint = _AGAIN
        failed = replace(reply, outcome="failed", error=error)
        return reply.message, failed, _as_it_came(reply)

    def _shown(self, value: Any, reply: Reply) -> Bundle:
        data = _as_data(value)
        return {
            "text/plain": reply.message.text if data is None else repr(value),
            "text/html": answer_html(data),
            "text/markdown": answer_markdown(self._named.name, data),
        }


class _JsonFrontend:
    """A frontend to which a reply is a block of JSON."""

    def __init__(self, inner: Frontend) -> None:
        self._inner = inner
        self._opened = False
        self.make_room, self.finish = inner.make_room, inner.finish

    def append(self, text: str) -> None:
        """Show the next piece."""
        if not self._opened:
            self._opened = True
            text = _OPENING + text.lstrip()
        self._inner.append(text)

    def end(self) -> None:
        """Show the end of the block."""
        if self._opened:
            self._inner.append(_CLOSING)
        self._inner.end()


def _as_it_came(reply: Reply) -> Bundle | None:
    if not reply.message.text:
        return None
    return {**reply_bundle(f"{_OPENING}{reply.message.text}{_CLOSING}")} | {
        "text/plain": reply.message.text
    }


def _as_data(value: Any) -> Any:
    """A value as JSON data."""
    from pydantic_core import to_jsonable_python

    return json.loads(json.dumps(to_jsonable_python(value)))
