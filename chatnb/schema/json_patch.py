"""JSON Patch: changes to a document of dicts and lists, as data.

Source: https://www.rfc-editor.org/rfc/rfc6902 and, for paths, https://www.rfc-editor.org/rfc/rfc6901
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NoReturn, cast

_INDEX = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_BAD_ESCAPE = re.compile(r"~(?![01])")


def escape_key(key: str) -> str:
    """Return a dict's key as a part of a path, with `~` and `/` escaped."""
    return key.replace("~", "~0").replace("/", "~1")


@lru_cache(maxsize=4096)
def split_path(path: str) -> tuple[str, ...]:
    """Return the unescaped parts of a JSON Pointer such as `/logs/a~1b/0`."""
    if not path:
        return ()
    if not path.startswith("/") or _BAD_ESCAPE.search(path):
        raise ValueError(f"A path begins with / and escapes ~ as ~0 and / as ~1: {path!r:.200}")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/"))


class PatchedDocument:
    """A document that patches change in place, except for the states that `share` returned."""

    # Values of patches and shared states are never changed: where a patch reaches into one, only
    # the dicts and lists on the way are copied. `_own` holds these copies by id.

    def __init__(self, value: Any) -> None:
        self._value = value
        self._own = dict[int, object]()
        # The path, its parts and the list of the last operation, if it appended to one.
        self._end: tuple[str, tuple[str, ...], list[Any]] | None = None

    def share(self) -> Any:
        """Return the document as it is now; later patches do not change it."""
        self._own = {}
        return self._value

    def apply(self, op: Mapping[str, Any]) -> None:
        """Apply an operation; after a ValueError the document is unchanged."""
        end = self._end
        if end and op.get("path") == end[0] and op.get("op") == "add" and "value" in op:
            items = end[2] if self._own else self._own_end(*end[:2])
            items.append(op["value"])
            return
        name, path, value = _read(op)
        parts, self._end = split_path(path), None
        if not parts:
            if name == "remove":
                raise ValueError("The whole document cannot be removed, only replaced")
            self._value, self._own = value, {}
            return
        holder = self._holder(parts, path)
        if not _OPERATIONS[name](holder, parts[-1], value):
            _raise_missing(name, path)
        if parts[-1] == "-" and isinstance(holder, list):
            self._end = path, parts, cast("list[Any]", holder)

    def _own_end(self, path: str, parts: tuple[str, ...]) -> list[Any]:
        """Return the list of the last operation, copied: the document has been shared since."""
        items = self._holder(parts, path)
        self._end = path, parts, items
        return items

    def _holder(self, parts: tuple[str, ...], path: str) -> Any:
        """Return the dict or list of the last part, copied where it is shared."""
        holder = self._value = self._owned(self._value)
        for part in parts[:-1]:
            key = _find(holder, part)
            if key is None:
                _raise_missing("reach", path)
            inner = holder[key]
            own = self._owned(inner)
            if own is not inner:
                holder[key] = own
            holder = own
        return holder

    def _owned(self, value: Any) -> Any:
        if id(value) in self._own or not isinstance(value, dict | list):
            return value
        copied = cast("dict[str, Any] | list[Any]", value).copy()
        self._own[id(copied)] = copied
        return copied


def json_diff(before: Any, after: Any, path: str = "") -> list[dict[str, Any]]:
    """Return the operations that make one document of another.

    Example:
        >>> json_diff({"a": [1]}, {"a": [1, 2]})
        [{'op': 'add', 'path': '/a/1', 'value': 2}]
    """
    if isinstance(before, dict) and isinstance(after, dict):
        return _dict_diff(cast("dict[str, Any]", before), cast("dict[str, Any]", after), path)
    if isinstance(before, list) and isinstance(after, list):
        return _list_diff(cast("list[Any]", before), cast("list[Any]", after), path)
    if type(cast("object", before)) is type(cast("object", after)) and before == after:
        return []
    return [{"op": "replace", "path": path, "value": after}]


def _dict_diff(before: dict[str, Any], after: dict[str, Any], path: str) -> list[dict[str, Any]]:
    ops = list[dict[str, Any]]()
    for key in (key for key in before if key not in after):
        ops.append({"op": "remove", "path": f"{path}/{escape_key(key)}"})
    for key, value in after.items():
        place = f"{path}/{escape_key(key)}"
        if key in before:
            ops += json_diff(before[key], value, place)
        else:
            ops.append({"op": "add", "path": place, "value": value})
    return ops


def _list_diff(before: list[Any], after: list[Any], path: str) -> list[dict[str, Any]]:
    ops = list[dict[str, Any]]()
    for index, (old, new) in enumerate(zip(before, after, strict=False)):
        ops += json_diff(old, new, f"{path}/{index}")
    # The last first, so that each index is right when its turn comes.
    for index in range(len(before) - 1, len(after) - 1, -1):
        ops.append({"op": "remove", "path": f"{path}/{index}"})
    for index in range(len(before), len(after)):
        ops.append({"op": "add", "path": f"{path}/{index}", "value": after[index]})
    return ops


def copy_document(value: Any) -> Any:
    """Copy dicts and lists recursively, cycles included, and share everything else."""
    return _copied(value, {})


def _copied(value: Any, copies: dict[int, Any]) -> Any:
    value_id = id(value)
    if value_id in copies:
        return copies[value_id]
    if isinstance(value, list):
        items: list[Any] = []
        copies[value_id] = items
        items += (_copied(item, copies) for item in cast("list[Any]", value))
        return items
    if isinstance(value, dict):
        fields: dict[Any, Any] = {}
        copies[value_id] = fields
        fields |= {key: _copied(v, copies) for key, v in cast("dict[Any, Any]", value).items()}
        return fields
    return value


def _read(op: Mapping[str, Any]) -> tuple[str, str, Any]:
    match op:
        case {"op": "add" | "replace" as name, "path": str(path), "value": value}:
            return name, path, value
        case {"op": "remove", "path": str(path)}:
            return "remove", path, None
        case _:
            raise ValueError(
                "An operation is an add or a replace with path and value, or a remove with path: "
                f"{op!r:.200}"
            )


def _find(holder: Any, part: str) -> str | int | None:
    """Return the key or index of a part in a dict or list, None if it is not there."""
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
    key = _find(holder, part)
    if key is not None:
        holder[key] = value
    return key is not None


def _remove(holder: Any, part: str, value: None) -> bool:
    key = _find(holder, part)
    if key is not None:
        del holder[key]
    return key is not None


_OPERATIONS: dict[str, Callable[[Any, str, Any], bool]] = {
    "add": _add,
    "replace": _replace,
    "remove": _remove,
}


def _raise_missing(verb: str, path: str) -> NoReturn:
    raise ValueError(f"Cannot {verb} {path!r:.200}: there is no such path")
