"""A cassette's file: YAML that reads well in a pull request, and is whole at every moment."""

from __future__ import annotations

import getpass
import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from chatnb.errors import CassetteError, MissingRuntimeError

if TYPE_CHECKING:
    from filelock import BaseFileLock

FORMAT = 1
"""The version of the format that is written; a newer one is not read."""

_HEAD = """\
# Replies of chat models, recorded by chatnb, which replays them by the content of the request.
chatnb_cassette: {format}
{default}calls:
"""
_NO_LIBRARIES = (
    "Cassettes need the packages PyYAML and filelock. "
    'Install them with: pip install "chatnb[testing]"'
)
_DAMAGED = "Restore it from version control, or delete it and record it again."


class Contents(NamedTuple):
    """What is in a cassette's file.

    Args:
        calls: The calls in their order, each with its request and what came of it.
        default_model: The model that cells without one were answered by, if that was noted.
    """

    calls: list[dict[str, Any]]
    default_model: str | None = None


def read_contents(text: str, name: str) -> Contents:
    """Read the text of a cassette.

    Args:
        text: The text of the file.
        name: The file's name, for errors.

    Raises:
        CassetteError: If it is damaged, is something else, or was written by a newer chatnb.

    Example:
        >>> read_contents("chatnb_cassette: 1\\ncalls: []", "a.yaml").calls
        []
    """
    yaml = _yaml()
    try:
        written: Any = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise CassetteError(f"{name} is damaged{_place(error)}. {_DAMAGED}") from error
    if not isinstance(written, dict) or "chatnb_cassette" not in written:
        raise CassetteError(f"{name} is not a cassette of chatnb. {_DAMAGED}")
    found = cast("dict[str, Any]", written)
    version = found["chatnb_cassette"]
    if isinstance(version, int) and version > FORMAT:
        raise CassetteError(
            f"{name} was written by a newer chatnb: its format is {version}, and this one reads "
            f"{FORMAT}. Upgrade with: pip install --upgrade chatnb"
        )
    calls: Any = found.get("calls") or []
    if version != FORMAT or not isinstance(calls, list):
        raise CassetteError(f"{name} is damaged: its head is not a cassette's. {_DAMAGED}")
    return Contents(cast("list[dict[str, Any]]", calls), found.get("default_model"))


def written_call(call: dict[str, Any]) -> str:
    """Write one call as the YAML that stands in the file.

    Example:
        >>> print(written_call({"request": {"messages": [{"human": "Hi"}]}}))
        <BLANKLINE>
        - request:
            messages:
            - human: Hi
        <BLANKLINE>
    """
    text: str = _yaml().dump(
        [_flowing(call)], Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=96
    )
    return "\n" + text


def written_head(default_model: str | None = None) -> str:
    """Write what stands before the calls."""
    default = f"default_model: {default_model}\n" if default_model else ""
    return _HEAD.format(format=FORMAT, default=default)


def as_yaml(value: Any) -> str:
    """Write a value the way it stands in a cassette, for people to compare.

    Example:
        >>> print(as_yaml({"human": "Hi"}), end="")
        human: Hi
    """
    text: str = _yaml().dump(
        _flowing(value), Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=96
    )
    return text


def replace_text(path: Path, text: str) -> None:
    """Replace a file by another text at once, so that no reader ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def lock_of(path: Path) -> BaseFileLock:
    """The lock that processes take before they change a cassette.

    It lies among the machine's temporary files: beside the cassette it would be one more file to
    keep out of version control.
    """
    try:
        from filelock import FileLock
    except ImportError as error:
        raise MissingRuntimeError(_NO_LIBRARIES) from error
    told = hashlib.sha256(f"{getpass.getuser()} {path.resolve()}".encode()).hexdigest()[:24]
    return FileLock(Path(tempfile.gettempdir()) / f"chatnb-cassette-{told}.lock", timeout=60)


def _yaml() -> Any:
    try:
        import yaml
    except ImportError as error:
        raise MissingRuntimeError(_NO_LIBRARIES) from error
    return yaml


def _place(error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return f" in line {mark.line + 1} ({said})" if mark else f" ({said})"


class _Flow(dict[str, Any]):
    """A dict that is written on one line."""


class _FlowList(list[Any]):
    """A list that is written on one line, or as few as hold it."""


_MOST = {"usage_metadata": 400, "response_metadata": 400, "parameters": 90}
"""What is written on one line, if it takes no more characters than this."""


def _flowing(value: Any) -> Any:
    """Mark what is short, so that it does not take a line for each of its numbers."""
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        written = {name: _flowing(said) for name, said in pairs}
        for name in _MOST:
            if isinstance(written.get(name), dict) and _is_short(written[name], _MOST[name]):
                written[name] = _Flow(written[name])
        return _Flow(written) if "chunk" in written and _is_short(written, 100) else written
    if isinstance(value, list):
        items = cast("list[Any]", value)
        if items and all(isinstance(item, int | float) for item in items):
            return _FlowList(items)
        return [_flowing(item) for item in items]
    return value


def _is_short(value: dict[str, Any], most: int) -> bool:
    return len(repr(value)) < most and "\\n" not in repr(value)


_UNLIKE_BLOCKS = ("\r", "\x85", "\u2028", "\u2029", "\ufeff")
"""Line ends that a block scalar would not keep."""


def _dumper() -> Any:
    yaml = _yaml()
    if "dumper" not in _made:

        class Dumper(yaml.SafeDumper):
            """Writes text of several lines as a block."""

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
    if any(end in text for end in _UNLIKE_BLOCKS):
        style = '"'
    elif "\n" in text:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_flow(dumper: Any, value: _Flow) -> Any:
    return dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=True)


def _represent_flow_list(dumper: Any, value: Sequence[Any]) -> Any:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True)
