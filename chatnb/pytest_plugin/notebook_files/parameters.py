"""Parameters of notebooks, as papermill has them: values for the names in a tagged cell."""

from __future__ import annotations

import ast
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

TAG = "parameters"
_MAX_NAME = 120
_MAGIC = re.compile(r"^\s*[%!].*$", re.MULTILINE)
_WORDS = {"True": True, "False": False, "None": None}


class BadParameterError(Exception):
    """A notebook does not take a parameter."""


def parse_parameters(given: Sequence[str]) -> dict[str, Any]:
    """Parse `NAME=VALUE`; a value is JSON, a word of Python, or else a text.

    Raises:
        ValueError: If one is not of this form, or a number that is not finite.

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
        if not _is_finite(parameters[name]):
            raise ValueError(
                f"{text!r} is no finite number; a text is written {name}='\"{value}\"'"
            )
    return parameters


def _value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    try:
        return json.loads(text)
    except ValueError:
        return text


def _is_finite(value: Any) -> bool:
    """Return whether all numbers in a value can be written in Python."""
    if isinstance(value, dict):
        return all(map(_is_finite, cast("dict[str, Any]", value).values()))
    if isinstance(value, list):
        return all(map(_is_finite, cast("list[Any]", value)))
    return not isinstance(value, float) or math.isfinite(value)


def cassette_suffix(parameters: Mapping[str, Any]) -> str:
    """Return what the name of the cassette has after that of the notebook.

    Other values have another name: one that does not show them all ends with their hash.

    Example:
        >>> cassette_suffix({"city": "Rome", "days": 3})
        '.city=Rome.days=3'
        >>> cassette_suffix({"city": "New York"})
        '.city=New-York.42e470'
    """
    items = sorted(parameters.items())
    shown = "".join(_file_name_part(f".{name}={value}") for name, value in items)
    is_told = all(_is_told(value) for _, value in items)
    if is_told and len(shown.encode()) <= _MAX_NAME:
        return shown
    digest = hashlib.sha256(json.dumps(items).encode()).hexdigest()[:6]
    return f"{shown.encode()[:_MAX_NAME].decode(errors='ignore')}.{digest}"


def _is_told(value: Any) -> bool:
    """Return whether a value can be read in the name of a file."""
    text = str(value)
    is_read_back = _value(text) == value and type(_value(text)) is type(value)
    return is_read_back and "=" not in text and _file_name_part(text) == text


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
        statements = ast.parse(_MAGIC.sub("", source)).body
    except SyntaxError as error:
        raise BadParameterError(f"the cell that is tagged {TAG!r} is no Python: {error}") from None
    names = list[str]()
    for statement in statements:
        if isinstance(statement, ast.Assign):
            targets = (node for target in statement.targets for node in ast.walk(target))
            names += [
                node.id
                for node in targets
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            ]
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            names.append(statement.target.id)
    return names
