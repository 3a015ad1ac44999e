"""The display of typed answers, as tables, and of an `LLMResult`, as the table of its calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatnb.markdown.html import SafeHtml, element, with_line_breaks
from chatnb.markdown.safe_markdown import SafeMarkdown, plain_markdown, safe_markdown
from chatnb.notebook.usage_table.sources import calls_from_source
from chatnb.notebook.usage_table.static import usage_mimebundle
from chatnb.notebook.widgets.front_end import widget_form
from chatnb.notebook.widgets.html import NO_MATH
from chatnb.structured_output.parsers import requested_types

_SHOWS_ITSELF = ("_repr_html_", "_repr_markdown_")


def answer_mimebundle(answer: Any) -> Any:
    """Return the tables of a typed answer; nothing for other Pydantic objects."""
    # The display of models that no chat model was asked for, and of those with a `_repr_html_` or
    # the like, is up to their owner.
    model = type(answer)
    if hasattr(model, "_repr_mimebundle_"):
        return answer._repr_mimebundle_(include=None, exclude=None)
    if model not in requested_types or any(hasattr(model, name) for name in _SHOWS_ITSELF):
        return {}
    data = answer.model_dump(mode="json")
    return {"text/html": answer_html(data), "text/markdown": answer_markdown(model.__name__, data)}


def result_mimebundle(result: Any) -> Any:
    """Return the table of an `LLMResult`; its repr stays the plain text."""
    calls, form, metadata = calls_from_source(result), widget_form(), {}
    if not calls:
        return {}
    if form == "static":  # A terminal, for one, loads no widgets.
        shown = usage_mimebundle(calls)
    else:
        from chatnb.notebook.usage_table.table import UsageTable

        shown, metadata = UsageTable(calls).mimebundle(form)
    return {type: data for type, data in shown.items() if type != "text/plain"}, metadata


def answer_html(data: Any) -> SafeHtml:
    """Write JSON data as an HTML table, with tables within it for objects and lists of objects."""
    return element("div", _html(data), class_=NO_MATH)


def _html(data: Any) -> SafeHtml:
    if isinstance(data, list) and data:
        if all(isinstance(item, dict) for item in data):
            return _objects_html(data)
        items = (element("li", _html(item)) for item in data)
        return element("ul", *items, style="text-align: left")
    if isinstance(data, dict) and data:
        rows = (
            element("tr", element("th", _text(key)), element("td", _html(value)))
            for key, value in data.items()
        )
        return element("table", *rows)
    return _text(data)


def answer_markdown(title: str, data: Any) -> SafeMarkdown:
    """Write JSON data as a Markdown table with a row for each value."""
    rows = [
        f"| {plain_markdown(path)} | {plain_markdown(value)} |" for path, value in _values(data, "")
    ]
    return safe_markdown("\n".join([f"| {plain_markdown(title)} | |", "| --- | --- |", *rows]))


def _objects_html(objects: list[dict[str, Any]]) -> SafeHtml:
    keys = list(dict.fromkeys(key for item in objects for key in item))
    head = element("tr", *(element("th", _text(key)) for key in keys))
    cells = ([_html(item[key]) if key in item else "" for key in keys] for item in objects)
    rows = (element("tr", *(element("td", cell) for cell in row)) for row in cells)
    return element("table", element("thead", head), element("tbody", *rows))


def _text(value: Any) -> SafeHtml:
    return with_line_breaks(str(value))


def _values(data: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield each value that is no object or list of some, with its path."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _values(value, f"{path}.{key}" if path else str(key))
    elif isinstance(data, list) and any(isinstance(item, dict | list) for item in data):
        for index, value in enumerate(data):
            yield from _values(value, f"{path}[{index}]")
    elif isinstance(data, list) and data:
        yield path, ", ".join(map(str, data))
    else:
        yield path, str(data)
