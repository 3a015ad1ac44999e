"""The YAML of a cassette, which is readable in a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from types import NoneType
from typing import Any, NamedTuple, cast

from chatnb.cassettes.recorded_clock import checked_moment
from chatnb.errors import CassetteError, MissingRuntimeError
from chatnb.schema.characters import replace_surrogates

FORMAT = 1
_MAX_DEPTH = 100

_HEAD = """\
# Replies of chat models, recorded by chatnb, which replays them by the content of the request.
chatnb_cassette: {format}
{moment}{default}{varies}{outputs}calls:
"""
_HEAD_NAMES = {"chatnb_cassette", "default_model", "recorded_at", "varies", "outputs", "calls"}
_VARIES = """\
# The parts between \u27e6 and \u27e7 differ from replay to replay, and are not compared.
varies:
{entries}"""
_OUTPUTS = """\
# The outputs of cells, by number: the notebook itself is saved without them.
outputs:{entries}
"""
NO_LIBRARIES = (
    "Cassettes need the packages PyYAML and filelock. "
    'Install them with: pip install "chatnb[testing]"'
)
# Texts within a cassette are indented.
_CONFLICT = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)
DAMAGED = "Restore it from version control, or delete it and record it again."


class CassetteContents(NamedTuple):
    """The contents of a cassette's file.

    Args:
        calls: The calls in order, each with its request and its outcome.
        default_model: The model that answered cells that name none, if it was recorded.
        recorded_at: The moment that replays of a notebook take for now, if it was recorded.
        varies: The masks of a notebook's cells: what differs from replay to replay.
        outputs: The outputs of the cells of a notebook that is saved without them.
        can_append: True if the text has the form in which a call can be appended to it.
    """

    calls: list[dict[str, Any]]
    default_model: str | None = None
    recorded_at: str | None = None
    varies: Sequence[dict[str, Any]] = ()
    outputs: list[dict[str, Any]] | None = None
    can_append: bool = False


def parse_cassette(text: str, name: str) -> CassetteContents:
    """Parse the text of a cassette."""
    written = _load(text, name)
    if not isinstance(written, dict) or "chatnb_cassette" not in written:
        raise CassetteError(f"{name} is not a cassette of chatnb. {DAMAGED}")
    found = cast("dict[str, Any]", written)
    version = found["chatnb_cassette"]
    if isinstance(version, int) and version > FORMAT:
        raise CassetteError(
            f"{name} was written by a newer chatnb: its format is {version}, and this one reads "
            f"{FORMAT}. Upgrade with: pip install --upgrade chatnb"
        )
    calls: Any = found.get("calls") or []
    default: Any = found.get("default_model")
    moment: Any = found.get("recorded_at")
    varies: Any = found.get("varies")
    is_name = default is None or (isinstance(default, str) and default.isprintable())
    is_head = (
        is_name and (moment is None or _is_moment(moment)) and isinstance(varies, list | NoneType)
    )
    if version != FORMAT or not isinstance(calls, list) or not is_head:
        raise CassetteError(f"{name} is damaged: its head is not a cassette's. {DAMAGED}")
    masks = cast("list[dict[str, Any]]", varies or [])
    outputs = _checked_outputs(found.get("outputs"), name)
    head, _, rest = text.partition(head_yaml(default, moment, masks, outputs))
    is_plain = not head and rest.startswith("\n- ") and rest.endswith("\n")
    can_append = is_plain and found.keys() <= _HEAD_NAMES
    return CassetteContents(
        cast("list[dict[str, Any]]", calls), default, moment, masks, outputs, can_append
    )


def _checked_outputs(outputs: Any, name: str) -> list[dict[str, Any]] | None:
    """Return the outputs of cells, or None if there are none."""
    if outputs is None:
        return None
    cells = cast("list[Any]", outputs) if isinstance(outputs, list) else list[Any]([None])
    for cell in cells:
        fields = cast("dict[str, Any]", cell) if isinstance(cell, dict) else {}
        if type(fields.get("cell")) is not int or not isinstance(fields.get("outputs"), list):
            raise CassetteError(f"{name} is damaged: its outputs cannot be read. {DAMAGED}")
    return cells


def _is_moment(text: Any) -> bool:
    with suppress(ValueError, TypeError):
        return bool(checked_moment(text))
    return False


def parse_calls(text: str, name: str) -> list[dict[str, Any]]:
    """Parse calls that were appended to a cassette."""
    calls: Any = _load(text, name) or []
    if not isinstance(calls, list):
        raise CassetteError(f"{name} is damaged: its last calls cannot be read. {DAMAGED}")
    return cast("list[dict[str, Any]]", calls)


def _load(text: str, name: str) -> Any:
    yaml = _yaml()
    if conflict := _CONFLICT.search(text):
        line = text.count("\n", 0, conflict.start()) + 1
        raise CassetteError(
            f"{name} has a conflict of version control in line {line}. Keep the calls of both "
            "sides, without the marks; what is not requested is dropped when it is recorded again."
        )
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_events(yaml, yaml.parse(text, loader))
        return yaml.load(text, loader)
    except yaml.YAMLError as error:
        raise CassetteError(f"{name} is damaged{_location(error)}. {DAMAGED}") from error
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        # A number or date that Python refuses, or a key that is a list.
        raise CassetteError(f"{name} is damaged ({error!s:.200}). {DAMAGED}") from error


def _check_events(yaml: Any, events: Iterable[Any]) -> None:
    """Raise a ValueError for what no cassette has and what can be as costly as one likes."""
    # Aliases make small files large, and deep nesting exhausts the stack of the C loader.
    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1
            raise ValueError(f"line {line} has an alias, and cassettes have none")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise ValueError(f"line {event.start_mark.line + 1} is nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def call_yaml(call: dict[str, Any]) -> str:
    """Write one call as the YAML of the file."""
    text: str = _yaml().dump(
        [_flowing(call)], Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=96
    )
    return "\n" + text


def head_yaml(
    default_model: str | None = None,
    recorded_at: str | None = None,
    varies: Sequence[dict[str, Any]] = (),
    outputs: Sequence[Mapping[str, Any]] | None = None,
) -> str:
    """Write the head of the file, before the calls."""
    moment = f'recorded_at: "{recorded_at}"\n' if recorded_at else ""
    default = f"default_model: {default_model}\n" if default_model else ""
    masks = _VARIES.format(entries=as_yaml(list(varies))) if varies else ""
    kept = "" if outputs is None else _OUTPUTS.format(entries=_indented(outputs))
    return _HEAD.format(format=FORMAT, moment=moment, default=default, varies=masks, outputs=kept)


def _indented(entries: Sequence[Mapping[str, Any]]) -> str:
    return "\n" + as_yaml(list(entries)).rstrip("\n") if entries else " []"


def as_yaml(value: Any) -> str:
    """Write a value as in a cassette, for people to compare."""
    text: str = _yaml().dump(
        _flowing(value), Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=96
    )
    return text


def _yaml() -> Any:
    try:
        import yaml
    except ImportError as error:
        raise MissingRuntimeError(NO_LIBRARIES) from error
    return yaml


def _location(error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return f" in line {mark.line + 1} ({problem})" if mark else f" ({problem})"


class _Flow(dict[str, Any]):
    """A dict that is written on one line."""


class _FlowList(list[Any]):
    """A list that is written on one line, or on few."""


# Dicts that are written on one line if they have at most so many characters.
_MAX_FLOW_LENGTH = {"usage_metadata": 400, "response_metadata": 400, "parameters": 90}


def _flowing(value: Any) -> Any:
    """Mark short dicts and lists of numbers to be written on one line."""
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        written = {name: _flowing(item) for name, item in pairs}
        for name in _MAX_FLOW_LENGTH:
            if isinstance(written.get(name), dict) and _is_short(
                written[name], _MAX_FLOW_LENGTH[name]
            ):
                written[name] = _Flow(written[name])
        return _Flow(written) if "chunk" in written and _is_short(written, 100) else written
    if isinstance(value, list):
        items = cast("list[Any]", value)
        if items and all(isinstance(item, int | float) for item in items):
            return _FlowList(items)
        return [_flowing(item) for item in items]
    return value


def _is_short(value: dict[str, Any], max_length: int) -> bool:
    return len(repr(value)) < max_length and "\\n" not in repr(value)


# Line ends that a block scalar does not keep.
_NOT_IN_BLOCKS = ("\r", "\x85", "\u2028", "\u2029", "\ufeff")


def _dumper() -> Any:
    yaml = _yaml()
    if "dumper" not in _made:

        class Dumper(yaml.SafeDumper):
            """A YAML dumper that writes texts of several lines as blocks."""

            def ignore_aliases(self, data: Any) -> bool:
                return True

        Dumper.add_representer(str, _represent_text)
        Dumper.add_representer(_Flow, _represent_flow)
        Dumper.add_representer(_FlowList, _represent_flow_list)
        _made["dumper"] = Dumper
    return _made["dumper"]


_made: dict[str, Any] = {}


def _represent_text(dumper: Any, text: str) -> Any:
    style = None
    # YAML has no half of a character, which a server may send within a title or an argument.
    text = replace_surrogates(text)
    # After blank lines at its end, the file's own would belong to the text.
    if any(end in text for end in _NOT_IN_BLOCKS) or f"\n{text}".endswith("\n\n"):
        style = '"'
    elif "\n" in text:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_flow(dumper: Any, value: _Flow) -> Any:
    return dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=True)


def _represent_flow_list(dumper: Any, value: Sequence[Any]) -> Any:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)
