"""Typed answers as tables: what a notebook shows of a Pydantic object that a model gave."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

from chatnb.markdown.plain_text import plain_markdown
from chatnb.markdown.safe_markdown import safe_markdown
from chatnb.structured_output.answers import asked_kinds

_SHOWS_ITSELF = ("_repr_html_", "_repr_markdown_")
_NO_FORMULAS = "tex2jax_ignore mathjax_ignore"
"""JupyterLab typesets what stands between dollars in HTML, prices included, but not in these."""


def show_answers(shell: Any) -> None:
    """Have a shell show typed answers as tables.

    Only objects of Pydantic models that a chat model was asked for are: how other models look is
    up to their owner, as it is for those with a `_repr_html_` or the like of their own. Pydantic
    is not loaded for it.

    Args:
        shell: The IPython shell.
    """
    formatter = shell.display_formatter.mimebundle_formatter
    formatter.for_type_by_name("pydantic.main", "BaseModel", answer_bundle)


def answer_bundle(answer: Any) -> Any:
    """What to show of a Pydantic object beside its repr.

    Args:
        answer: The object.

    Returns:
        A table in HTML and in Markdown; nothing for an object that is no answer; its own bundle
        for one that has one.
    """
    kind = type(answer)
    if hasattr(kind, "_repr_mimebundle_"):
        return answer._repr_mimebundle_(include=None, exclude=None)
    if kind not in asked_kinds or any(hasattr(kind, name) for name in _SHOWS_ITSELF):
        return {}
    data = answer.model_dump(mode="json")
    return {"text/html": answer_html(data), "text/markdown": answer_markdown(kind.__name__, data)}


def answer_html(data: Any) -> str:
    """JSON data as an HTML table, with tables within it for objects and lists of objects.

    Args:
        data: The data.

    Returns:
        HTML in which all that the data says is text.

    Example:
        >>> answer_html({"a": "<b>"})
        '<table class="tex2jax_ignore mathjax_ignore"><tr><th>a</th><td>&lt;b&gt;</td></tr></table>'
    """
    if isinstance(data, list) and data:
        if all(isinstance(each, dict) for each in data):
            return _html_of_objects(data)
        items = "".join(f"<li>{answer_html(each)}</li>" for each in data)
        return f'<ul style="text-align: left">{items}</ul>'
    if isinstance(data, dict) and data:
        rows = (f"<th>{_text(key)}</th><td>{answer_html(data[key])}</td>" for key in data)
        return _html_table("".join(f"<tr>{row}</tr>" for row in rows))
    return _text(data)


def answer_markdown(title: str, data: Any) -> str:
    """JSON data as a Markdown table with a row for each value.

    Args:
        title: What stands above it.
        data: The data.

    Returns:
        Markdown in which all that the data says is text.

    Example:
        >>> print(answer_markdown("City", {"name": "Oslo", "people": [{"age": 7}]}))
        | City | |
        | --- | --- |
        | name | Oslo |
        | people\\[0\\].age | 7 |
    """
    rows = [
        f"| {plain_markdown(place)} | {plain_markdown(value)} |"
        for place, value in _values(data, "")
    ]
    return safe_markdown("\n".join([f"| {plain_markdown(title)} | |", "| --- | --- |", *rows]))


def _html_of_objects(objects: list[dict[str, Any]]) -> str:
    keys = list(dict.fromkeys(key for each in objects for key in each))
    head = "".join(f"<th>{_text(key)}</th>" for key in keys)
    rows = (
        "".join(f"<td>{answer_html(each[key]) if key in each else ''}</td>" for key in keys)
        for each in objects
    )
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return _html_table(f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>")


def _html_table(inner: str) -> str:
    return f'<table class="{_NO_FORMULAS}">{inner}</table>'


def _text(value: Any) -> str:
    return html.escape(str(value)).replace("\n", "<br>")


def _values(data: Any, place: str) -> Iterator[tuple[str, str]]:
    """Each value that is no object or list of some, and where it stands."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _values(value, f"{place}.{key}" if place else str(key))
    elif isinstance(data, list) and any(isinstance(each, dict | list) for each in data):
        for index, value in enumerate(data):
            yield from _values(value, f"{place}[{index}]")
    elif isinstance(data, list) and data:
        yield place, ", ".join(map(str, data))
    else:
        yield place, str(data)
