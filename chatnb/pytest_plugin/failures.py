"""The text of a cell that failed: its error first, then the notebook's lines that led there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chatnb.terminal import without_colours

_FRAME = re.compile(r"(?:Cell In|File )")
# Parts of the paths of code that the notebook only uses.
_NOT_ITS_OWN = ("site-packages", "dist-packages", "/lib/python", "\\Lib\\", "<frozen ")
_MAX_FRAMES = 4
_MAX_LINES = 60


def error_lines(output: Mapping[str, Any]) -> list[str]:
    """Return the lines that say how a cell failed; frames of libraries are left out."""
    traceback = [without_colours(entry).strip("\n") for entry in output["traceback"]]
    frames = list(dict.fromkeys(entry for entry in traceback if _is_own_frame(entry)))
    message = f"{output['ename']}: {without_colours(output['evalue'])}".rstrip(": ")
    lines = ["The cell failed:", *_bounded(message.splitlines())]
    if not frames and output["ename"] == "SyntaxError":
        # It has no frames, but the line is in it.
        frames = [entry for entry in traceback if "^" in entry]
    for frame in frames[-_MAX_FRAMES:]:
        lines += ["", *_bounded(frame.splitlines())]
    return lines


def _is_own_frame(entry: str) -> bool:
    if not _FRAME.match(entry):
        return False
    path = entry.partition("\n")[0].removeprefix("File ").replace("~", str(Path.home()), 1)
    package = str(Path(__file__).parents[1])
    return not path.startswith(package) and not any(part in path for part in _NOT_ITS_OWN)


def _bounded(lines: Sequence[str]) -> list[str]:
    if len(lines) <= _MAX_LINES:
        return list(lines)
    return [*lines[: _MAX_LINES // 2], "...", *lines[-_MAX_LINES // 2 :]]
