"""The table `[tool.chatnb]` of a project's pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

from chatnb.cassettes.ignored_parts import IgnoredParts
from chatnb.errors import ConfigurationError

_OUTPUTS = ("notebook", "cassette")


class Settings(NamedTuple):
    """The entries of the table.

    Args:
        ignore: Parts of requests that do not count.
        allow_hosts: Hosts that notebooks may call in replays.
        outputs: Where outputs are kept: in the `notebook` or the `cassette`; "" lets each notebook
            say.
    """

    ignore: list[str]
    allow_hosts: list[str]
    outputs: str = ""


def read_settings(folder: Path) -> Settings:
    """Read the table in a folder, which may have none.

    Raises:
        pytest.UsageError: If it has something else in it.
    """
    path = folder / "pyproject.toml"
    if not path.exists():
        return Settings([], [])
    try:
        project: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:  # With a pytest.ini, some pytests do not read it.
        raise pytest.UsageError(f"{path} cannot be read: {error}") from None
    tools: Any = project.get("tool", {})
    try:
        return _checked(
            cast("dict[str, Any]", tools).get("chatnb", {}) if isinstance(tools, dict) else {}
        )
    except ConfigurationError as error:
        raise pytest.UsageError(f"{path}, [tool.chatnb]: {error}") from None


def _checked(table: Any) -> Settings:
    known = Settings._fields
    if not isinstance(table, dict):
        raise ConfigurationError("it is a table.")
    found = dict(cast("dict[str, Any]", table))
    if unknown := sorted(found.keys() - set(known)):
        raise ConfigurationError(
            f"there is no {' and no '.join(unknown)}. There are {', '.join(known)}."
        )
    outputs: Any = found.pop("outputs", "")
    if outputs not in ("", *_OUTPUTS):
        raise ConfigurationError(f"outputs is one of {', '.join(_OUTPUTS)}, not {outputs!r}.")
    for name, value in found.items():
        items = cast("list[Any]", value) if isinstance(value, list) else [None]
        if not all(isinstance(item, str) for item in items):
            raise ConfigurationError(f'{name} is a list of texts, such as {name} = ["..."].')
    settings = Settings(found.get("ignore", []), found.get("allow_hosts", []), outputs)
    IgnoredParts(settings.ignore)
    return settings
