"""Parameters of notebooks, as papermill has them: values for the names in a tagged cell."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any

TAG = "parameters"
_WORDS = {"True": True, "False": False, "None": None}


class BadParameterError(Exception):
    """A notebook does not take a parameter."""


def parse_parameters(given: Sequence[str]) -> dict[str, Any]:
    """Parse `NAME=VALUE`; a value is JSON, a word of Python, or else a text.

    Raises:
        ValueError: If one is not of this form.

    Example:
        >>> parse_parameters(["days=3", "city=Rome", "tags=[1, 2]", "draft=True"])
        {'days': 3, 'city': 'Rome', 'tags': [1, 2], 'draft': True}
    """
    parameters = dict[str, Any]()
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"a parameter is NAME=VALUE, not {text!r}")
        parameters[name] = _value(value)
    return parameters


def _value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    try:
        return json.loads(text)
    except ValueError:
        return text


def cassette_suffix(parameters: Mapping[str, Any]) -> str:
    """Return what the name of the cassette has after that of the notebook.

    Example:
        >>> cassette_suffix({"city": "New York", "days": 3})
        '.city=New-York.days=3'
    """
    texts = (f".{name}={value}" for name, value in sorted(parameters.items()))
    return "".join(_file_name_part(text) for text in texts)


def _file_name_part(text: str) -> str:
    return "".join(c if c.isalnum() or c in ".=_-" else "-" for c in text)


def with_parameters(source: str, parameters: Mapping[str, Any]) -> str:
    """Return the source of the tagged cell with values after its own.

    Raises:
        BadParameterError: If the cell has no such name.
    """
    names = _assigned_names(source)
    if unknown := [name for name in parameters if name not in names]:
        known = f"It has {', '.join(names)}" if names else "It has none"
        raise BadParameterError(
            f"there is no parameter {' and no '.join(unknown)} in the cell that is tagged "
            f"{TAG!r}. {known}."
        )
    lines = (f"{name} = {value!r}" for name, value in parameters.items())
    return "\n".join([source.rstrip(), "", "# Parameters of this run", *lines])


def _assigned_names(source: str) -> list[str]:
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise BadParameterError(f"the cell that is tagged {TAG!r} is no Python: {error}") from None
    names = list[str]()
    for statement in statements:
        if isinstance(statement, ast.Assign):
            names += [target.id for target in statement.targets if isinstance(target, ast.Name)]
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names.append(statement.target.id)
    return names
