"""Rules by which the chunks of a stream merge: text is appended, other fields kept or replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from chatnb.schema.tool_calls import ToolCallChunk, is_json_object
from chatnb.schema.usage import latest_usage

ContentPart: TypeAlias = str | dict[str, Any]
Content: TypeAlias = str | list[ContentPart]

# All functions take any number of chunks at once, so that joining a stream is linear.

# Providers may repeat these in each chunk; a repetition is not a continuation.
_NOT_APPENDED = frozenset({"finish_reason", "id", "index", "model_name", "name", "role", "type"})


def merge_content(left: Content, right: Content) -> Content:
    """Merge two contents."""
    return join_content([left, right])


def merge_kwargs(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Merge the additional fields of two chunks: append text, merge dicts, replace the rest."""
    return join_dicts([left, right])


def join_content(contents: Sequence[Content]) -> Content:
    """Join contents: a string if all are strings, else parts with adjacent text joined."""
    texts = [content for content in contents if isinstance(content, str)]
    if len(texts) == len(contents):
        return "".join(texts)
    joined = list[list[str] | dict[str, Any]]()
    for content in contents:
        parts: list[ContentPart] = content if isinstance(content, list) else [content]
        for index, part in enumerate(parts if content else ()):
            last = joined[-1] if joined else None
            if isinstance(part, dict):
                joined.append(part)
            elif index == 0 and isinstance(last, list):
                last.append(part)
            else:
                joined.append([part])
    parts = [part if isinstance(part, dict) else "".join(part) for part in joined]
    return cast("list[ContentPart]", join_lists([parts]))


def join_dicts(dicts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Join the additional fields of chunks key by key; None stands for no value."""
    values_by_key = dict[str, list[Any]]()
    for fields in dicts:
        for key, value in fields.items():
            values_by_key.setdefault(key, []).append(value)
    return {key: _join_values(key, values) for key, values in values_by_key.items()}


def _join_values(key: str, values: list[Any]) -> Any:
    values = [value for value in values if value is not None]
    if len(values) < 2:
        return values[0] if values else None
    type_ = next((type_ for type_ in (str, dict, list) if isinstance(values[-1], type_)), None)
    if type_ is None:
        return cast("Any", values[-1])
    # A value of another type replaces those before it, so only the last run of one type is joined.
    ends = (n for n in range(len(values), 0, -1) if not isinstance(values[n - 1], type_))
    values = values[next(ends, 0) :]
    if type_ is dict:
        return join_dicts(values)
    if type_ is list:
        return join_lists(values)
    return _join_texts(key, values)


def _join_texts(key: str, texts: list[str]) -> str:
    if key not in _NOT_APPENDED:
        return "".join(texts)
    texts = [text for text in texts if text]
    if key == "name" and len(set(texts)) > 1:
        return "".join(texts)
    return texts[-1] if texts else ""


def join_lists(lists: Iterable[Sequence[Any]]) -> list[Any]:
    """Join lists; dicts with the same `index` are chunks of one item and merge."""
    groups, group_by_index = list[list[Any]](), dict[int, list[Any]]()
    for item in (item for items in lists for item in items):
        index = cast("dict[str, Any]", item).get("index") if isinstance(item, dict) else None
        if isinstance(index, int) and index in group_by_index:
            group_by_index[index].append(item)
            continue
        groups.append([item])
        if isinstance(index, int):
            group_by_index[index] = groups[-1]
    return [join_dicts(group) if len(group) > 1 else group[0] for group in groups]


def join_metadata(dicts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Join the response metadata of chunks: the last value counts, but logprobs are joined."""
    joined, logprobs = dict[str, Any](), list[Mapping[str, Any]]()
    for metadata in dicts:
        joined.update(metadata)
        if isinstance(metadata.get("logprobs"), Mapping):
            logprobs.append(metadata["logprobs"])
    if len(logprobs) > 1:
        joined["logprobs"] = join_dicts(logprobs)
    return joined


class ToolCallGroups:
    """The chunks of tool calls, grouped by call in the order in which the calls begin."""

    # Chunks of one index belong together, and those without an index to the latest call. A new id
    # begins a call, and so does a name after arguments that are whole: some servers number every
    # call 0 or none, and some give no ids.

    def __init__(self) -> None:
        self.calls = list[list[ToolCallChunk]]()
        self._open = dict[int, int]()
        self._ids = dict[tuple[int | None, str], int]()

    def push(self, chunk: ToolCallChunk) -> int:
        """Add a chunk, and return the number of its call."""
        index, id = chunk.get("index"), chunk.get("id")
        if index in self._open and not (id or chunk.get("name")):  # Nearly all chunks.
            self.calls[self._open[index]].append(chunk)
            return self._open[index]
        latest = len(self.calls) - 1 if self.calls else None
        call = latest if index is None else self._open.get(index)
        if id:
            call = self._ids.get((index, id), call)
        if call is None or _begins_call(self.calls[call], chunk):
            call = len(self.calls)
            self.calls.append([])
        self.calls[call].append(chunk)
        if index is not None:
            self._open[index] = call
        if id:
            self._ids[index, id] = call
        return call


def join_tool_call_chunks(chunks: Iterable[ToolCallChunk]) -> list[ToolCallChunk]:
    """Join the chunks of tool calls into one chunk a call."""
    groups = ToolCallGroups()
    for chunk in chunks:
        groups.push(chunk)
    return [join_tool_call(call) for call in groups.calls]


def _begins_call(call: list[ToolCallChunk], chunk: ToolCallChunk) -> bool:
    id, name = chunk.get("id"), chunk.get("name")
    if not (id or name):
        return False
    known_id = next((known["id"] for known in reversed(call) if known.get("id")), None)
    if id and known_id:
        return id != known_id
    known_name = next((known["name"] for known in call if known.get("name")), None)
    if not (name and known_name):
        return False
    args = "".join(known.get("args") or "" for known in call).strip()
    # A server that repeats the name may send {} before the arguments.
    is_empty = args.strip("{} \n") == ""
    return is_json_object(args) and (name != known_name or bool(not is_empty and chunk["args"]))


def join_tool_call(chunks: Sequence[ToolCallChunk]) -> ToolCallChunk:
    """Join the chunks of one tool call."""
    joined = dict(chunks[0]) if len(chunks) == 1 else join_dicts(chunks)
    return cast("ToolCallChunk", joined)


def last_given(left: Any, right: Any) -> Any:
    """Return the later value, unless it is None."""
    return left if right is None else right


def _same(what: str) -> Callable[[str | None, str | None], str | None]:
    def same(left: str | None, right: str | None) -> str | None:
        if left and right and left != right:
            raise ValueError(f"Chunks of different {what} do not add up: {left!r} and {right!r}")
        return left or right

    return same


def _error_if_any(left: str, right: str | None) -> str:
    return "error" if "error" in (left, right) else left


# The fields that are combined as soon as two chunks are added.
FIELD_COMBINERS: Mapping[str, Callable[[Any, Any], Any]] = {
    "name": _same("speakers"),
    "role": _same("roles"),
    "tool_call_id": _same("tool calls"),
    "id": lambda left, right: left or right,
    "usage_metadata": latest_usage,
    "status": _error_if_any,
}
