"""Variables of the notebook that go along with a message, and questions about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Literal, TypedDict

from IPython.core.getipython import get_ipython

from chatnb.notebook.attachments import Files, content_with_attachments, fenced, sized_part
from chatnb.notebook.pictures import attachment_of
from chatnb.notebook.values import as_text, is_table, written
from chatnb.notebook.widgets.formatting import count
from chatnb.schema.characters import replace_surrogates
from chatnb.schema.content.parts import text_part
from chatnb.schema.merging import Content, ContentPart

_MAX_LISTED = 200
_MAX_SUGGESTIONS = 4
_MAX_SUMMARY = 40


class Variable(TypedDict):
    """A variable of the notebook: its name, and its size or type."""

    name: str
    summary: str


class Variables(TypedDict):
    """The variables that may go along with a message."""

    type: Literal["variables"]
    variables: list[Variable]


def notebook_variables(shell: Any = None) -> dict[str, Any]:
    """Return the user's own variables, of this process's shell or another, the latest one first."""
    shell = shell or get_ipython()
    if shell is None:
        return {}
    hidden = shell.user_ns_hidden
    own = {
        name: value
        for name, value in shell.user_ns.copy().items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name not in hidden
    }
    return dict(reversed(own.items()))


def list_variables(namespace: Mapping[str, Any]) -> Variables:
    """Return the variables of a notebook, its tables first."""
    ordered = sorted(namespace, key=lambda name: not is_table(namespace[name]))
    listed = [Variable(name=name, summary=summary(namespace[name])) for name in ordered]
    return Variables(type="variables", variables=listed[:_MAX_LISTED])


def suggestions_about(namespace: Mapping[str, Any]) -> list[str]:
    """Return questions about the tables of a notebook."""
    tables = [name for name in namespace if is_table(namespace[name])][:2]
    patterns = ("What stands out in {%s}?", "Write code that plots {%s}.")
    return [pattern % name for name in tables for pattern in patterns][:_MAX_SUGGESTIONS]


def summary(value: Any) -> str:
    """Return the size of a value, or its type: `200 x 5`, `12 items`, `float`."""
    # Never the text itself, which may be a key.
    try:
        shape = getattr(value, "shape", None)
    except Exception:  # Attributes of objects may raise anything.
        shape = None
    if isinstance(shape, tuple) and shape and all(isinstance(size, int) for size in shape):
        return " x ".join(str(size) for size in shape)[:_MAX_SUMMARY]
    match value:
        case bool() | int() | float():
            return written(value, repr)[:_MAX_SUMMARY]
        case str():
            return count(len(value), "character")
        case list() | tuple() | dict() | set() | frozenset():
            return count(len(value), "item")
        case _:
            return replace_surrogates(type(value).__name__)[:_MAX_SUMMARY]


def content_with_variables(
    content: Content, files: Files, names: Sequence[str], namespace: Mapping[str, Any]
) -> tuple[Content, Files]:
    """Return a message and its files with these variables as further files."""
    if not names:
        return content, files
    parts: list[ContentPart] = [text_part(content)] if isinstance(content, str) else [*content]
    files = dict(files)
    for name in dict.fromkeys(names):
        if name not in namespace:
            raise LookupError(f"There is no variable {name} any more. Nothing was sent.")
        value = namespace[name]
        picture = attachment_of(name, value)
        if picture is not None:
            (part,), found = content_with_attachments("", [picture])
            files[str(len(parts))] = found["0"]
            parts.append(part)
            continue
        text = as_text(value)
        body = text if is_table(value) else fenced(text, "python" if callable(value) else "")
        part, size = sized_part(name, f"{{{name}}} is:\n\n{body}")
        label = f"{name} · {summary(value)}"
        files[str(len(parts))] = {"name": label, "mime": "text/markdown", "size": size}
        parts.append(part)
    return parts, files
