"""The error text of a request that no cassette has a reply to."""

from __future__ import annotations

import difflib
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from chatnb.cassettes.requests import compared_parts
from chatnb.cassettes.yaml_file import as_yaml
from chatnb.errors import CassetteError, error_line

# The command that records what is missing, set by a program that runs the kernel.
COMMAND_VARIABLE = "CHATNB_RECORD_COMMAND"

_MAX_COMPARED = 20_000
_noted = list[str]()


@contextmanager
def noted_misses() -> Generator[None]:
    """Note the first error of a cassette, also if the code that called it catches the error."""
    try:
        yield
    except CassetteError as error:
        if not _noted:
            _noted.append(error_line(error))
        raise


def take_miss() -> str:
    """Return the first error that was noted since the last time, or ""."""
    first = next(iter(_noted), "")
    _noted.clear()
    return first


def nearest_request(
    request: dict[str, Any], recorded: Sequence[dict[str, Any]]
) -> dict[str, Any] | None:
    """Return the recorded request that is most similar to one."""
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(as_yaml(request)[:_MAX_COMPARED].splitlines())
    best, nearest = -1.0, None
    for other in recorded:
        matcher.set_seq1(as_yaml(other)[:_MAX_COMPARED].splitlines())
        similarity = matcher.ratio() + _last_message_similarity(request, other)
        if similarity > best:
            best, nearest = similarity, other
    return nearest


def miss_message(file: str, request: dict[str, Any], recorded: Sequence[dict[str, Any]]) -> str:
    """Write the error text for a request without a recording, with the nearest one and a remedy."""
    other = nearest_request(request, recorded)
    if other is None:
        head = f"{file} has no reply to this request; it holds none at all."
        lines = [f"+ {line}" for line in as_yaml(request).splitlines()]
    else:
        head = f"{file} has no reply to this request. The nearest that it has differs (- recorded):"
        compared = [as_yaml(compared_parts(each)) for each in (other, request)]
        lines = line_differences(*compared)
    return "\n".join([head, *lines, f"To record what is missing: {record_command()}"])


def record_command() -> str:
    """Return the command that records what is missing."""
    command = os.environ.get(COMMAND_VARIABLE)
    return command or "set CHATNB_CASSETTE_MODE=record and run it again."


def line_differences(recorded: str, requested: str) -> list[str]:
    """Return the lines that differ, with those around them."""
    compared = difflib.unified_diff(recorded.splitlines(), requested.splitlines(), n=2, lineterm="")
    return [f"{line[:1]} {line[1:]}" for line in list(compared)[2:] if not line.startswith("@@")]


def _last_message_similarity(request: dict[str, Any], other: dict[str, Any]) -> float:
    """Return the similarity of the last messages: mostly it is the prompt that has changed."""
    texts = [str((data.get("messages") or [""])[-1])[:2000] for data in (request, other)]
    return difflib.SequenceMatcher(None, *texts, autojunk=False).ratio()
