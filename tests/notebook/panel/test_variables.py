"""Variables of the notebook beside a message of a panel, and suggestions about them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from chatnb.notebook.attachments import item_attachments, typed_text
from chatnb.notebook.panel.requests import ListVariables, Send, parse_request
from chatnb.notebook.panel.variables import (
    content_with_variables,
    list_variables,
    suggestions_about,
    summary,
)
from chatnb.schema import HumanMessage


class Odd:
    """An object whose shape cannot be read."""

    @property
    def shape(self) -> Any:
        raise RuntimeError("shape")


TABLE = pd.DataFrame({"a": range(200), "b": 1.5})
KEY = "sk-" + "x" * 40


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (TABLE, "200 x 2"),
        (TABLE["a"], "200"),
        ([1, 2], "2 items"),
        ({"a": 1}, "1 item"),
        (KEY, "43 characters"),
        (2.5, "2.5"),
        (True, "True"),
        (Odd(), "Odd"),
        (len, "builtin_function_or_method"),
    ],
)
def test_a_variable_is_listed_with_its_size(value: Any, size: str) -> None:
    """The list names sizes and types, and never a text, which may be a key."""
    assert summary(value) == size


def test_tables_are_listed_first_and_asked_about() -> None:
    """A notebook with tables suggests questions about them, one without suggests none."""
    listed = list_variables({"n": 1, "df": TABLE})["variables"]
    assert [variable["name"] for variable in listed] == ["df", "n"]
    assert len(suggestions_about({"n": 1, "df": TABLE, "x": TABLE, "y": TABLE})) == 4
    assert suggestions_about({"n": 1}) == []


@pytest.mark.parametrize(
    ("name", "value", "sent"),
    [
        ("df", TABLE, "{df} is:\n\n|  | a | b |\n| --- | --- | --- |\n| 0 | 0"),
        ("n", 5, "{n} is:\n\n```\n5\n```"),
        ("words", "```\nx\n```", "{words} is:\n\n````\n```\nx\n```\n````"),
        ("f", Odd, "{f} is:\n\n```python\nclass Odd:"),
    ],
)
def test_a_variable_goes_along_as_a_file(name: str, value: Any, sent: str) -> None:
    """The typed text stays as it is; the value is a part of its own, with a label."""
    typed = f"Look at {{{name}}}."
    content, files = content_with_variables(typed, {}, [name, name], {name: value})
    message = HumanMessage(content)
    assert typed_text(message, files) == typed
    assert str(content[1]["text"]).startswith(sent)  # type: ignore[index]
    (shown,) = item_attachments(message, files)
    assert shown["name"] == f"{name} · {summary(value)}"


def test_a_variable_that_is_gone_is_named() -> None:
    """Nothing is sent then; without variables a message stays the text that it is."""
    with pytest.raises(LookupError, match="no variable df any more"):
        content_with_variables("x", {}, ["df"], {})
    assert content_with_variables("x", {}, [], {}) == ("x", {})


def test_requests_with_variables_are_read_as_untrusted_input() -> None:
    """Names are texts of bounded length and number; everything else is dropped."""
    given = {"type": "send", "text": "x", "variables": ["df", 1, None, "", "y" * 201]}
    assert parse_request(given) == Send("x", variables=("df",))
    read = parse_request({**given, "variables": ["a"] * 1000})
    assert isinstance(read, Send)
    assert len(read.variables) == 50
    assert parse_request({**given, "variables": "df"}) == Send("x")
    assert parse_request({"type": "list_variables"}) == ListVariables()
