"""What is said when a cassette has no reply to a request."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from typing import Any

from chatnb.testing.cassette_file import as_yaml

COMMAND_VARIABLE = "CHATNB_RECORD_COMMAND"
"""What to type to record what is missing, where a program that runs the kernel knows it."""

_LONGEST_COMPARED = 20_000


def nearest(request: dict[str, Any], recorded: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Find the recorded request that is most like one.

    Args:
        request: The request, as plain data.
        recorded: The requests that were recorded.

    Returns:
        One of them, or None if there are none.

    Example:
        >>> nearest({"messages": ["Hi!"]}, [{"messages": ["Bye"]}, {"messages": ["Hi"]}])
        {'messages': ['Hi']}
    """
    asked = difflib.SequenceMatcher(autojunk=False)
    asked.set_seq2(as_yaml(request)[:_LONGEST_COMPARED].splitlines())
    best, found = -1.0, None
    for other in recorded:
        asked.set_seq1(as_yaml(other)[:_LONGEST_COMPARED].splitlines())
        likeness = asked.ratio() + _of_last_message(request, other)
        if likeness > best:
            best, found = likeness, other
    return found


def miss(file: str, request: dict[str, Any], recorded: Sequence[dict[str, Any]]) -> str:
    """Say that a request was not recorded, how it differs from the nearest, and what to do.

    Args:
        file: The cassette's name.
        request: The request, as plain data.
        recorded: The requests that were recorded.

    Example:
        >>> print(miss("a.yaml", {"model": "m"}, []))
        a.yaml has no reply to this request; it holds none at all.
        + model: m
        To record what is missing: set CHATNB_CASSETTE_MODE=record and run it again.
    """
    other = nearest(request, recorded)
    if other is None:
        said = f"{file} has no reply to this request; it holds none at all."
        lines = [f"+ {line}" for line in as_yaml(request).splitlines()]
    else:
        said = f"{file} has no reply to this request. The nearest that it has differs (- recorded):"
        lines = _differences(as_yaml(other), as_yaml(request))
    return "\n".join([said, *lines, f"To record what is missing: {record_command()}"])


def record_command() -> str:
    """What to type to record what is missing."""
    known = os.environ.get(COMMAND_VARIABLE)
    return known or "set CHATNB_CASSETTE_MODE=record and run it again."


def _differences(recorded: str, asked: str) -> list[str]:
    compared = difflib.unified_diff(recorded.splitlines(), asked.splitlines(), n=2, lineterm="")
    return [f"{line[:1]} {line[1:]}" for line in list(compared)[2:] if not line.startswith("@@")]


def _of_last_message(request: dict[str, Any], other: dict[str, Any]) -> float:
    """How alike the last messages are, which is what a changed prompt is told by."""
    texts = [str((each.get("messages") or [""])[-1])[:2000] for each in (request, other)]
    return difflib.SequenceMatcher(None, *texts, autojunk=False).ratio()
