"""Failures of cells: a line for pytest's summary, and the text with the lines that led there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

# The parts of a failure that pytest-xdist sends whole; pytest has no public names for them.
from _pytest._code.code import ReprEntryNative, ReprExceptionInfo, ReprFileLocation, ReprTraceback

from chatnb.terminal import SafeText, without_colours

_FRAME = re.compile(r"(?:Cell In|File )")
# Parts of the paths of code that the notebook only uses.
_NOT_ITS_OWN = ("site-packages", "dist-packages", "/lib/python", "\\Lib\\", "<frozen ")
_MAX_FRAMES = 4
# What to do about errors that say nothing about it, by their names.
_HINTS = {
    "StdinNotImplementedError": (
        "A test has nobody to type an answer: take it from a name in a cell that is tagged "
        "parameters, or from the environment."
    ),
}
_MAX_LINES = 60


class Failure(NamedTuple):
    """A failure of a cell or a notebook.

    Args:
        summary: The line that says what is the matter.
        text: The whole text.
    """

    summary: str
    text: str

    def pytest_repr(self, path: Path) -> ReprExceptionInfo:
        """Return the failure as pytest prints it, in full and in its summary."""
        text = ReprEntryNative([f"{SafeText(self.text)}\n"])
        place = ReprFileLocation(str(path), 1, str(SafeText(self.summary)))
        return ReprExceptionInfo(ReprTraceback([text], None, "native"), place)


def difference_summary(text: str) -> str:
    """Return the first difference in the text of `outputs.difference`.

    Example:
        >>> difference_summary("stdout differs (- in the notebook, + of this run):\\n- a\\n+ b")
        "stdout differs: 'a' is now 'b'"
    """
    head, *lines = text.splitlines()
    head = head.partition(" (- ")[0].rstrip(".")
    gone, added = ([line[2:] for line in lines if line.startswith(sign)][:1] for sign in "-+")
    if gone and added:
        return f"{head}: {gone[0]!r} is now {added[0]!r}"
    if gone or added:
        return f"{head}: {(gone or added)[0]!r} is {'gone' if gone else 'new'}"
    return head


def error_lines(output: Mapping[str, Any]) -> list[str]:
    """Return the lines that say how a cell failed; frames of libraries are left out."""
    traceback = [without_colours(entry).strip("\n") for entry in output["traceback"]]
    frames = list(dict.fromkeys(entry for entry in traceback if _is_own_frame(entry)))
    message = f"{output['ename']}: {without_colours(output['evalue'])}".rstrip(": ")
    lines = ["The cell failed:", *_bounded(message.splitlines())]
    if not frames and output["ename"] == "SyntaxError":
        # It has no frames, but the line is in it.
        frames = [entry for entry in traceback if "^" in entry]
    if hint := _HINTS.get(output["ename"]):
        lines.append(hint)
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
