"""The state of a run log: the logged run, and an entry for each run within it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NotRequired, TypeAlias, TypedDict, cast

from chatnb.schema.json_patch import split_path
from chatnb.schema.serialization import is_usage
from chatnb.schema.usage import UsageMetadata


class RunFailure(TypedDict):
    """The failure of a run; `stopped` if it was cancelled, interrupted or closed by its reader.

    Example:
        >>> failure = RunFailure(type="ValueError", message="No.", traceback="", stopped=False)
        >>> failure["type"]
        'ValueError'
    """

    type: str
    message: str
    traceback: str
    stopped: bool


class LogEntry(TypedDict):
    """A run within the logged one. Times are ISO 8601 in UTC; `type` is LangChain's run type.

    Example:
        >>> from chatnb import ChatPromptTemplate, RunLog, ScriptedChatModel
        >>> chain = ChatPromptTemplate(["Hi {name}"]) | ScriptedChatModel(["Hello."])
        >>> log = RunLog(*chain.stream_log("Bob"))
        >>> {name: entry["type"] for name, entry in log.state["logs"].items()}
        {'ChatPromptTemplate': 'prompt', 'ScriptedChatModel': 'llm'}
    """

    id: str
    name: str
    type: str
    tags: list[str]
    metadata: dict[str, Any]
    start_time: str
    streamed_output_str: list[str]
    final_output: Any
    end_time: str | None
    parent_id: NotRequired[str | None]
    inputs: NotRequired[Any]
    error: NotRequired[RunFailure | None]
    first_token_time: NotRequired[str | None]
    usage_metadata: NotRequired[UsageMetadata | None]
    cost: NotRequired[float]


class RunState(TypedDict):
    """The logged run; `error` is there only if it failed or was stopped.

    Example:
        >>> from chatnb import RunLog, ScriptedChatModel
        >>> log = RunLog(*ScriptedChatModel(["Hello."]).stream_log("Hi"))
        >>> log.state["final_output"]["generations"][0][0]["text"]
        'Hello.'
    """

    id: str
    streamed_output: list[Any]
    final_output: Any
    logs: dict[str, LogEntry]
    error: NotRequired[RunFailure]


class RunRoot(TypedDict, total=False):
    """Metadata of the logged run that LangChain's state has no field for.

    Example:
        >>> from chatnb import RunLog, ScriptedChatModel
        >>> log = RunLog(*ScriptedChatModel(["Hello."]).stream_log("Hi"))
        >>> log.root["name"], log.root["type"]
        ('ScriptedChatModel', 'llm')
    """

    name: str
    type: str
    tags: list[str]
    metadata: dict[str, Any]
    start_time: str
    inputs: Any
    end_time: str | None
    first_token_time: str | None
    usage_metadata: UsageMetadata | None
    cost: float


def check_op(op: Mapping[str, Any]) -> None:
    """Raise a ValueError for an operation that gives a field of the state another type."""
    parts = split_path(op["path"])
    if op["op"] == "remove":
        _check_removal(parts)
    else:
        _check_value(parts, op.get("value"))


def check_root(root: Mapping[str, Any]) -> None:
    """Raise a ValueError for metadata of the logged run that have another type."""
    _check(root, _ENTRY)


_Check: TypeAlias = Callable[[Any], bool]


def _check_removal(parts: tuple[str, ...]) -> None:
    match parts:
        case ("logs", _, name) | (name,):
            if name in (_NEEDED_OF_ENTRIES if len(parts) > 1 else _NEEDED):
                raise ValueError(f"A state needs its {name}")
        case ("logs", _, "streamed_output_str" | "tags", _) | ("logs", _):
            pass
        case ("logs", _, name, *_) | (name, *_):
            _check_is_free(name)
        case _:
            pass


def _check_value(parts: tuple[str, ...], value: Any) -> None:
    match parts:
        case ():
            _check(value, _STATE, _NEEDED)
        case ("logs", _):
            _check(value, _ENTRY, _NEEDED_OF_ENTRIES)
        case ("logs", _, name) | (name,):
            _check({name: value}, _ENTRY if len(parts) > 1 else _STATE)
        case ("logs", _, "streamed_output_str" | "tags", _):
            _check({"name": value}, _ENTRY)
        case ("logs", _, name, *_) | (name, *_):
            _check_is_free(name)
        case _:
            pass


def _check_is_free(name: str) -> None:
    if name not in _FREE:
        raise ValueError(f"Nothing within the {name!r:.80} of a run is changed")


def _check(values: object, checks: Mapping[str, _Check], needed: tuple[str, ...] = ()) -> None:
    if not isinstance(values, dict):
        raise ValueError(f"The state of a run cannot be {values!r:.80}")
    fields = cast("dict[str, Any]", values)
    missing = [name for name in needed if name not in fields]
    if missing:
        raise ValueError(f"The state of a run has no {missing[0]}: {values!r:.80}")
    for name, value in fields.items():
        if name in checks and not checks[name](value):
            raise ValueError(f"The {name} of a run cannot be {value!r:.80}")


def format_time(time: datetime | None) -> str | None:
    """Return a time as logs have it: ISO 8601 in UTC, with microseconds."""
    return None if time is None else time.isoformat(timespec="microseconds")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, cast("list[object]", value)))


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def _is_failure(value: object) -> bool:
    fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    return (
        all(map(_is_text, map(fields.get, ("type", "message", "traceback"))))
        and "stopped" in fields
    )


def _is_cost(value: object) -> bool:
    return type(value) in (int, float) and 0 <= cast("float", value) <= _MAX_COST


def _are_entries(value: object) -> bool:
    for entry in cast("dict[str, Any]", value).values() if isinstance(value, dict) else [None]:
        _check(entry, _ENTRY, _NEEDED_OF_ENTRIES)
    return True


def _or_none(check: _Check) -> _Check:
    return lambda value: value is None or check(value)


_MAX_COST = 2.0**53
_NEEDED = ("id", "streamed_output", "final_output", "logs")
_NEEDED_OF_ENTRIES = ("id", "name", "type", "start_time", "end_time", "streamed_output_str")
_FREE = ("streamed_output", "final_output", "metadata", "inputs")
_STATE: Mapping[str, _Check] = {
    "id": _is_text,
    "streamed_output": lambda value: isinstance(value, list),
    "logs": _are_entries,
    "error": _or_none(_is_failure),
}
_ENTRY: Mapping[str, _Check] = {
    **dict.fromkeys(("id", "name", "type"), _is_text),
    **dict.fromkeys(("tags", "streamed_output_str"), _are_texts),
    "streamed_output": lambda value: isinstance(value, list),
    "metadata": lambda value: isinstance(value, dict),
    "start_time": _is_time,
    **dict.fromkeys(("end_time", "first_token_time"), _or_none(_is_time)),
    "parent_id": _or_none(_is_text),
    "error": _or_none(_is_failure),
    "usage_metadata": is_usage,
    "cost": _or_none(_is_cost),
}
