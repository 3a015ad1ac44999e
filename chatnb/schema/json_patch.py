"""Changes to a document of dicts and lists, written as data (JSON Patch)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NoReturn, cast

_INDEX = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_BAD_ESCAPE = re.compile(r"~(?![01])")


def escape_key(key: str) -> str:
    """Write a dict's key as a part of a path.

    Args:
        key: Any key.

    Returns:
        The key with `~` and `/` escaped.

    Source:
        RFC 6901, section 3: https://www.rfc-editor.org/rfc/rfc6901#section-3

    Example:
        >>> escape_key("a/b~c")
        'a~1b~0c'
    """
    return key.replace("~", "~0").replace("/", "~1")


@lru_cache(maxsize=4096)
def split_path(path: str) -> tuple[str, ...]:
    """Split a path into the keys and indexes that it leads through.

    Args:
        path: A JSON Pointer, such as `/logs/a~1b/end_time`; empty for the whole document.

    Returns:
        The parts, unescaped.

    Raises:
        ValueError: If this is no JSON Pointer.

    Source:
        RFC 6901, section 3: https://www.rfc-editor.org/rfc/rfc6901#section-3

    Example:
        >>> split_path("/logs/a~1b/0")
        ('logs', 'a/b', '0')
    """
    if not path:
        return ()
    if not path.startswith("/") or _BAD_ESCAPE.search(path):
        raise ValueError(f"A path begins with / and escapes ~ as ~0 and / as ~1: {path!r}")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/"))


class PatchedDocument:
    """A document that patches change in place, unless somebody has seen it.

    What is in a patch is never changed, nor is what `share` gave: where a later patch reaches
    into it, the document first takes a copy of the dicts and lists on the way, of them alone.

    Args:
        value: What the document begins as.

    Example:
        >>> document = PatchedDocument({"a": []})
        >>> before = document.share()
        >>> document.apply({"op": "add", "path": "/a/-", "value": 1})
        >>> before, document.share()
        ({'a': []}, {'a': [1]})
    """

    def __init__(self, value: Any) -> None:
        self._value = value
        self._own = dict[int, object]()

    def share(self) -> Any:
        """The document as it is now; no later patch changes it."""
        self._own = {}
        return self._value

    def apply(self, op: Mapping[str, Any]) -> None:
        """Change the document.

        Args:
            op: One operation: `op` (add, replace or remove), `path` and, but for remove, `value`.

        Raises:
            ValueError: If the operation is none of these, or its path is not there; the document
                is as it was.

        Source:
            RFC 6902, section 4: https://www.rfc-editor.org/rfc/rfc6902#section-4
        """
        kind, path, value = _read(op)
        parts = split_path(path)
        if not parts:
            if kind == "remove":
                raise ValueError("The whole document cannot be removed, only replaced")
            self._value, self._own = value, {}
        elif not _CHANGES[kind](self._holder(parts, path), parts[-1], value):
            _refuse(kind, path)

    def _holder(self, parts: tuple[str, ...], path: str) -> Any:
        """The dict or list that the last part is in, from the top down the document's own."""
        holder = self._value = self._owned(self._value)
        for part in parts[:-1]:
            place = _place(holder, part)
            if place is None:
                _refuse("reach", path)
            inner = holder[place]
            own = self._owned(inner)
            if own is not inner:
                holder[place] = own
            holder = own
        return holder

    def _owned(self, value: Any) -> Any:
        if id(value) in self._own or not isinstance(value, dict | list):
            return value
        copied = cast("dict[str, Any] | list[Any]", value).copy()
        self._own[id(copied)] = copied
        return copied


def copy_document(value: Any) -> Any:
    """Copy dicts and lists, however deep, and share everything else.

    Args:
        value: A document; it may hold itself.

    Returns:
        The copy.

    Example:
        >>> given = {"a": [1]}
        >>> copied = copy_document(given)
        >>> copied["a"].append(2)
        >>> given
        {'a': [1]}
    """
    return _copied(value, {})


def _copied(value: Any, copies: dict[int, Any]) -> Any:
    place = id(value)
    if place in copies:
        return copies[place]
    if isinstance(value, list):
        items: list[Any] = []
        copies[place] = items
        items += (_copied(item, copies) for item in cast("list[Any]", value))
        return items
    if isinstance(value, dict):
        fields: dict[Any, Any] = {}
        copies[place] = fields
        fields |= {key: _copied(v, copies) for key, v in cast("dict[Any, Any]", value).items()}
        return fields
    return value


def _read(op: Mapping[str, Any]) -> tuple[str, str, Any]:
    match op:
        case {"op": "add" | "replace" as kind, "path": str(path), "value": value}:
            return kind, path, value
        case {"op": "remove", "path": str(path)}:
            return "remove", path, None
        case _:
            raise ValueError(
                "An operation is an add or a replace with path and value, or a remove with path: "
                f"{op!r:.200}"
            )


def _place(holder: Any, part: str) -> str | int | None:
    """Where in a dict or list a part of a path is, if it is there."""
    if isinstance(holder, dict):
        return part if part in cast("dict[str, Any]", holder) else None
    if isinstance(holder, list) and _INDEX.fullmatch(part):
        return int(part) if int(part) < len(cast("list[Any]", holder)) else None
    return None


def _add(holder: Any, part: str, value: Any) -> bool:
    if isinstance(holder, dict):
        holder[part] = value
        return True
    if not isinstance(holder, list):
        return False
    items = cast("list[Any]", holder)
    if part == "-":
        items.append(value)
        return True
    if not _INDEX.fullmatch(part) or int(part) > len(items):
        return False
    items.insert(int(part), value)
    return True


def _replace(holder: Any, part: str, value: Any) -> bool:
    place = _place(holder, part)
    if place is not None:
        holder[place] = value
    return place is not None


def _remove(holder: Any, part: str, value: None) -> bool:
    place = _place(holder, part)
    if place is not None:
        del holder[place]
    return place is not None


_CHANGES: dict[str, Callable[[Any, str, Any], bool]] = {
    "add": _add,
    "replace": _replace,
    "remove": _remove,
}


def _refuse(verb: str, path: str) -> NoReturn:
    raise ValueError(f"Cannot {verb} {path!r}: there is nothing of that path")
