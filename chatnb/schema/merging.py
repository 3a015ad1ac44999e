"""How the pieces of a stream join: text grows, the rest is kept or replaced, never doubled.

Each function takes all pieces at once, so that joining any number of them is linear.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from chatnb.schema.tool_calls import ToolCallChunk

ContentPart: TypeAlias = str | dict[str, Any]
Content: TypeAlias = str | list[ContentPart]

_SAID_ONCE = frozenset({"finish_reason", "id", "index", "model_name", "name", "role", "type"})
"""What providers may repeat with each piece; a repetition is not a continuation."""


def merge_content(left: Content, right: Content) -> Content:
    """Join two pieces of content.

    Args:
        left: What came first.
        right: What follows.

    Returns:
        A string for two strings, otherwise the list of parts, with adjacent text joined.

    Example:
        >>> merge_content("a", [{"type": "image_url", "image_url": {"url": "u"}}])
        ['a', {'type': 'image_url', 'image_url': {'url': 'u'}}]
    """
    return join_content([left, right])


def join_content(pieces: Sequence[Content]) -> Content:
    """Join any number of pieces of content.

    Args:
        pieces: Strings and lists of parts, in order.

    Returns:
        A string if all are strings, otherwise the list of parts: adjacent text of two pieces
        joined, parts of one `index` merged.

    Example:
        >>> join_content(["a", "b", [{"type": "x"}], "c", "d"])
        ['ab', {'type': 'x'}, 'cd']
    """
    texts = [piece for piece in pieces if isinstance(piece, str)]
    if len(texts) == len(pieces):
        return "".join(texts)
    gathered = list[list[str] | dict[str, Any]]()
    for piece in pieces:
        parts: list[ContentPart] = piece if isinstance(piece, list) else [piece] if piece else []
        for position, part in enumerate(parts):
            last = gathered[-1] if gathered else None
            if isinstance(part, dict):
                gathered.append(part)
            elif position == 0 and isinstance(last, list):
                last.append(part)
            else:
                gathered.append([part])
    parts = [part if isinstance(part, dict) else "".join(part) for part in gathered]
    return cast("list[ContentPart]", join_lists([parts]))


def merge_kwargs(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Join the additional fields of two chunks: text grows, dicts merge, the rest is replaced.

    Args:
        left: What came first.
        right: What follows.

    Returns:
        A new dict.

    Example:
        >>> merge_kwargs({"f": {"arguments": '{"a"'}}, {"f": {"arguments": ": 1}"}})
        {'f': {'arguments': '{"a": 1}'}}
    """
    return join_dicts([left, right])


def join_dicts(dicts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Join the additional fields of any number of chunks.

    Args:
        dicts: The fields of each, in order.

    Returns:
        Text joined, dicts and lists merged, of anything else the last; None says nothing, and a
        name, id or type that is only repeated stays as it is.

    Example:
        >>> join_dicts([{"name": "f", "n": 1, "x": "a"}, {"name": "f", "n": 2, "x": "b"}])
        {'name': 'f', 'n': 2, 'x': 'ab'}
    """
    gathered = dict[str, list[Any]]()
    for said in dicts:
        for key, value in said.items():
            gathered.setdefault(key, []).append(value)
    return {key: _join(key, values) for key, values in gathered.items()}


def _join(key: str, values: list[Any]) -> Any:
    told = [value for value in values if value is not None]
    if len(told) < 2:
        return told[0] if told else None
    kind = next((kind for kind in (str, dict, list) if isinstance(told[-1], kind)), None)
    if kind is None:
        return cast("Any", told[-1])
    before = (n for n in range(len(told), 0, -1) if not isinstance(told[n - 1], kind))
    alike = told[next(before, 0) :]
    if kind is dict:
        return join_dicts(alike)
    if kind is list:
        return join_lists(alike)
    return _join_text(key, alike)


def _join_text(key: str, texts: list[str]) -> str:
    if key not in _SAID_ONCE:
        return "".join(texts)
    told = [text for text in texts if text]
    if key == "name" and len(set(told)) > 1:
        return "".join(told)
    return told[-1] if told else ""


def join_lists(lists: Iterable[Sequence[Any]]) -> list[Any]:
    """Join lists: dicts of one `index` are pieces of one thing, everything else follows.

    Args:
        lists: The lists in order.

    Returns:
        A new list.

    Example:
        >>> join_lists([[{"index": 0, "text": "a"}], [{"index": 0, "text": "b"}], ["c"]])
        [{'index': 0, 'text': 'ab'}, 'c']
    """
    joined, places = list[list[Any]](), dict[int, int]()
    for item in (item for items in lists for item in items):
        index = cast("dict[str, Any]", item).get("index") if isinstance(item, dict) else None
        if not isinstance(index, int):
            joined.append([item])
        elif index in places:
            joined[places[index]].append(item)
        else:
            places[index] = len(joined)
            joined.append([item])
    return [join_dicts(items) if len(items) > 1 else items[0] for items in joined]


def join_metadata(dicts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Join what chunks say of their call: the last word counts, only logprobs add up.

    Args:
        dicts: The metadata of each, in order.

    Returns:
        A new dict.

    Example:
        >>> join_metadata([{"finish_reason": "stop"}, {"finish_reason": "stop"}])
        {'finish_reason': 'stop'}
    """
    joined, logprobs = dict[str, Any](), list[Mapping[str, Any]]()
    for said in dicts:
        joined.update(said)
        if isinstance(said.get("logprobs"), Mapping):
            logprobs.append(said["logprobs"])
    if len(logprobs) > 1:
        joined["logprobs"] = join_dicts(logprobs)
    return joined


def join_tool_call_chunks(chunks: Iterable[ToolCallChunk]) -> list[ToolCallChunk]:
    """Join pieces of tool calls.

    Args:
        chunks: The pieces in order. Those of one index belong together, unless a new id starts a
            new call; those without an index stay alone.

    Returns:
        A chunk a call.

    Example:
        >>> first = ToolCallChunk(name="add", args='{"a":', id="c1", index=0)
        >>> rest = ToolCallChunk(name=None, args=" 1}", id=None, index=0)
        >>> [call["args"] for call in join_tool_call_chunks([first, rest])]
        ['{"a": 1}']
    """
    calls, open_calls = list[list[ToolCallChunk]](), dict[int, list[ToolCallChunk]]()
    ids = dict[int, str]()
    for chunk in chunks:
        index, id = chunk.get("index"), chunk.get("id")
        if index is None or index not in open_calls or (id and ids.get(index, id) != id):
            calls.append([])
            if index is not None:
                open_calls[index] = calls[-1]
                ids.pop(index, None)
        if index is not None and id:
            ids[index] = id
        (calls[-1] if index is None else open_calls[index]).append(chunk)
    return [cast("ToolCallChunk", _join_call(pieces)) for pieces in calls]


def _join_call(pieces: list[ToolCallChunk]) -> dict[str, Any]:
    if len(pieces) == 1:
        return dict(pieces[0])
    return join_dicts(cast("list[dict[str, Any]]", pieces))
