"""Parts of requests that do not count when a cassette looks for a reply."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

from chatnb.errors import ConfigurationError

_STAND_IN = "(ignored)"


class IgnoredParts:
    """Fields and texts that are left out of a request before it is compared.

    Args:
        parts: Each a field, such as `parameters.user`, or a regular expression between slashes,
            such as `/[0-9]{4}-[0-9]{2}-[0-9]{2}/`, for parts of any text.

    Raises:
        ConfigurationError: If a part is neither.

    Example:
        >>> ignored = IgnoredParts(["parameters.user", "/run [0-9]+/"])
        >>> ignored.without({"parameters": {"user": "a", "n": 2}, "messages": [{"human": "run 7"}]})
        {'parameters': {'n': 2}, 'messages': [{'human': '(ignored)'}]}
    """

    def __init__(self, parts: Iterable[str]) -> None:
        if isinstance(parts, str):
            raise ConfigurationError(f"ignore is a list of texts: ignore=[{parts!r}]")
        self._fields = list[tuple[str, ...]]()
        self._patterns = list[re.Pattern[str]]()
        for part in parts:
            self._add(part)

    def _add(self, part: object) -> None:
        if not isinstance(part, str) or not part.strip("/. "):
            raise ConfigurationError(
                f"{part!r} cannot be ignored: write a field, such as 'parameters.user', or a "
                "regular expression between slashes, such as '/[0-9]+ ms/'"
            )
        if not (part.startswith("/") and part.endswith("/")):
            self._fields.append(tuple(part.split(".")))
            return
        try:
            self._patterns.append(re.compile(part[1:-1]))
        except re.error as error:
            raise ConfigurationError(f"{part!r} is no regular expression: {error}") from None

    def without(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a request without these parts."""
        if not self._fields and not self._patterns:
            return request
        return self._left(request, ())

    def _left(self, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, str):
            for pattern in self._patterns:
                value = pattern.sub(_STAND_IN, value)
            return value
        if isinstance(value, dict):
            pairs = cast("dict[str, Any]", value).items()
            left = {
                name: self._left(item, (*path, name))
                for name, item in pairs
                if (*path, name) not in self._fields
            }
            # What has lost its last field is as if it had never been there.
            return {name: item for name, item in left.items() if item != {}}
        if isinstance(value, list):
            return [self._left(item, path) for item in cast("list[Any]", value)]
        return value
