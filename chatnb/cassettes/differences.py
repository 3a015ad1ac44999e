"""The differences of two versions of a cassette, call by call; times and random ids are none."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from chatnb.cassettes.http_messages import event_data, is_event_text
from chatnb.cassettes.misses import line_differences
from chatnb.cassettes.requests import request_key
from chatnb.cassettes.yaml_file import as_yaml

Call: TypeAlias = Mapping[str, Any]
Change: TypeAlias = Literal["same", "request", "reply", "added", "removed"]

# How a reply came: its times, and where its chunks begin.
_COURSE = frozenset({"after_ms", "pieces", "chunk"})
_IDS = frozenset({"id", "response_id", "request_id", "item_id", "system_fingerprint"})
_TIMES = frozenset({"created", "created_at", "completed_at"})
_FIRST_TIME = 1_000_000_000
_RANDOM = re.compile(r"(?=.*\d)[\w.:-]{10,}\Z")
_OUTCOMES = ("replies", "stream", "error", "response")


class CallChange(NamedTuple):
    """A call in both versions, or in one of them.

    Args:
        change: What has changed: its request or its reply, or that it is there.
        number: Its number in the new version; of a removed one in the old version.
        old: The call before.
        new: The call now.
    """

    change: Change
    number: int
    old: Call | None
    new: Call | None


def compare_calls(old: Sequence[Call], new: Sequence[Call]) -> list[CallChange]:
    """Compare two versions; times, ids and the order of calls do not count.

    Args:
        old: The calls before.
        new: The calls now.
    """
    earlier = defaultdict[str, deque[int]](deque)
    for index, call in enumerate(old):
        earlier[request_key(call["request"])].append(index)
    found = list[CallChange]()
    partner = dict[int, int]()
    for index, call in enumerate(new):
        if same := earlier[request_key(call["request"])]:
            partner[index] = same.popleft()
    left = set(range(len(old))) - set(partner.values())
    partner |= _changed_requests(left, partner, len(new))
    for index, call in enumerate(new):
        before = old[partner[index]] if index in partner else None
        found.append(CallChange(_change(before, call), index + 1, before, call))
    gone = sorted(left - set(partner.values()))
    return [*found, *(CallChange("removed", index + 1, old[index], None) for index in gone)]


def _changed_requests(left: set[int], partner: dict[int, int], count: int) -> dict[int, int]:
    """Return the old calls that new ones stand in for: those between the same neighbours."""
    # A changed request stays in its place.
    found = dict[int, int]()
    last = -1
    for index in range(count):
        if index in partner:
            last = partner[index]
        elif last + 1 in left:
            last = found[index] = last + 1
    return found


def _change(old: Call | None, new: Call) -> Change:
    if old is None:
        return "added"
    if request_key(old["request"]) != request_key(new["request"]):
        return "request"
    return "same" if reply_substance(old) == reply_substance(new) else "reply"


_COUNTED: dict[Change, str] = {
    "same": "the same",
    "request": "with another request",
    "reply": "with another reply",
    "added": "added",
    "removed": "removed",
}
_HEADS: dict[Change, str] = {
    "request": "has another request",
    "reply": "has another reply",
    "added": "was added",
    "removed": "was removed",
}


def difference_lines(changes: Sequence[CallChange]) -> Iterator[str]:
    """Yield the lines that show changes to people, first how many there are."""
    counts = [
        (sum(item.change == change for item in changes), text) for change, text in _COUNTED.items()
    ]
    yield ", ".join(f"{count} {text}" for count, text in counts if count) or "no calls"
    for item in changes:
        if item.change != "same":
            yield ""
            yield from _change_lines(item)


def _change_lines(item: CallChange) -> Iterator[str]:
    before = as_yaml(_shown(item.old)) if item.old else ""
    now = as_yaml(_shown(item.new)) if item.new else ""
    yield f"Call {item.number} {_HEADS[item.change]}:"
    if item.old and item.new:
        yield from line_differences(before, now)
        return
    sign = "+" if item.new else "-"
    yield from (f"{sign} {line}" for line in (before or now).splitlines())


def _shown(call: Call) -> dict[str, Any]:
    return {"request": call["request"], **reply_substance(call)}


def reply_substance(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a call was answered with; equal for the same reply at another time.

    Example:
        >>> one = {"replies": [{"text": "Oslo", "id": "chatcmpl-8fA02b91"}], "after_ms": [512]}
        >>> reply_substance(one)
        {'replies': [{'text': 'Oslo'}]}
    """
    return {name: _reduced(call[name]) for name in _OUTCOMES if name in call}


def _reduced(value: Any) -> Any:
    if isinstance(value, list):
        return [_reduced(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, Any]", value).items()
    return {name: _field(name, item) for name, item in fields if not _varies(name, item)}


def _field(name: str, value: Any) -> Any:
    if name == "args":  # The arguments of a tool are facts, also where one is named id.
        return value
    if name == "text" and isinstance(value, str) and is_event_text(value):
        return [_event_line(line) for line in value.splitlines()]
    return _reduced(value)


def _event_line(line: str) -> Any:
    """Return a line of server-sent events, its JSON reduced."""
    data = event_data(line)
    return line if data is None else _reduced(data)


def _varies(name: str, value: Any) -> bool:
    if name in _TIMES:
        return isinstance(value, int | float) and value > _FIRST_TIME
    # A short id, or a number, is one of the replied data.
    return name in _COURSE or (name in _IDS and bool(_RANDOM.match(str(value))))
