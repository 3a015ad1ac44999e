"""The masks of a notebook's cells, and how they are written into its cassette."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from chatnb.errors import CassetteError
from chatnb.pytest_plugin.masks.learning import ReplyTexts, learn_line
from chatnb.pytest_plugin.masks.line_patterns import STAND_IN, LinePattern

WHOLE = 0
"""The number in place of a line's for the pattern of all lines, joined by spaces."""

_MAX_JOINED = 2000


class CellMask:
    """The lines of a cell's outputs in which something varies, by part of the output and number.

    Example:
        >>> mask = CellMask({"stdout": {1: LinePattern("Took \u27e60.34 s\u27e7")}})
        >>> mask.masked("stdout", "Took 12 s") == mask.masked("stdout", "Took 1 s")
        True
    """

    def __init__(self, parts: Mapping[str, Mapping[int, LinePattern]] | None = None) -> None:
        self.parts = {
            name: dict(sorted(lines.items())) for name, lines in (parts or {}).items() if lines
        }

    def masked(self, part: str, text: str) -> str:
        """Return the text of a part of the output with stand-ins for what varies."""
        return self._apply(part, text)[0]

    def matching(self, texts: Mapping[str, str]) -> CellMask:
        """Return the mask without the patterns of lines that are not in these parts."""
        return CellMask({part: self._apply(part, text)[1] for part, text in texts.items()})

    def _apply(self, part: str, text: str) -> tuple[str, dict[int, LinePattern]]:
        """Return the masked text, and the patterns that match it."""
        patterns = self.parts.get(part)
        if not patterns:
            return text, {}
        found = dict[int, LinePattern]()
        if WHOLE in patterns:
            joined = " ".join(text.split())
            matches = patterns[WHOLE].match(joined) is not None
            return (patterns[WHOLE].masked, patterns) if matches else (text, {})
        lines = text.split("\n")
        for number, pattern in patterns.items():
            names = pattern.match(lines[number - 1]) if number <= len(lines) else None
            if names is not None:
                lines = _without_names(lines, names)
                lines[number - 1] = pattern.masked
                found[number] = pattern
        return "\n".join(lines), found


NOTHING_VARIES = CellMask()


def learn_part(text: str, others: Sequence[str], replies: ReplyTexts) -> dict[int, LinePattern]:
    """Return the patterns of the lines that differ from one replay to another.

    Args:
        text: A part of an output in the replay that is saved.
        others: The same part in other replays.
        replies: What stands in recorded replies, and is never masked.

    Returns:
        The patterns by number of the line, counted from 1, or by 0 for all lines joined, if they
        are not as many. Without those of which the differences are no numbers, names or paths.
    """
    learned = dict[int, LinePattern]()
    lines, *replays = (each.split("\n") for each in (text, *others))
    if any(len(replay) != len(lines) for replay in replays):
        # Python breaks a long repr by its length.
        joined, *found = (" ".join(each.split()) for each in (text, *others))
        whole = learn_line(joined, found, replies) if len(joined) <= _MAX_JOINED else None
        return {WHOLE: whole} if whole else {}
    for index in range(len(lines)):
        found = [replay[index] for replay in replays]
        if all(line == lines[index] for line in found):
            continue
        pattern = learn_line(lines[index], found, replies)
        if pattern is None:
            continue
        learned[index + 1] = pattern
        # A name that varies does so wherever it stands.
        lines = _without_names(lines, pattern.match(lines[index]) or [])
        for number, replay in enumerate(replays):
            replays[number] = _without_names(replay, pattern.match(replay[index]) or [])
    return learned


def _without_names(lines: list[str], names: Sequence[str]) -> list[str]:
    for name in names:
        whole = re.compile(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])")
        lines = [whole.sub(STAND_IN, line) if name in line else line for line in lines]
    return lines


class NotebookMasks:
    """The masks of the cells of a notebook.

    Args:
        data: The entries of the cassette's `varies`.

    Raises:
        CassetteError: If the entries are no masks.
    """

    def __init__(self, data: Sequence[Any] = ()) -> None:
        self._by_id: dict[str, CellMask] = {}
        self._by_number: dict[int, CellMask] = {}
        for entry in data:
            try:
                self._read(entry)
            except (ValueError, TypeError, LookupError, AttributeError) as error:
                raise CassetteError(
                    f"varies has an entry that is no mask ({error!s:.200}). "
                    "Remove it, and record again."
                ) from None

    def _read(self, entry: Any) -> None:
        parts: dict[str, Any] = dict(entry)
        number, cell_id = parts.pop("cell"), parts.pop("id", None)
        mask = CellMask(
            {
                str(name): {
                    _checked(line, int): LinePattern(_checked(text, str))
                    for line, text in cast("dict[Any, Any]", lines).items()
                }
                for name, lines in parts.items()
            }
        )
        if cell_id is None:
            self._by_number[_checked(number, int)] = mask
        else:
            self._by_id[_checked(cell_id, str)] = mask

    def get(self, number: int, cell_id: str | None) -> CellMask:
        """Return the mask of a cell: by its id, or its number if it has none."""
        if cell_id is not None:
            return self._by_id.get(cell_id, NOTHING_VARIES)
        return self._by_number.get(number, NOTHING_VARIES)


def mask_to_data(number: int, cell_id: str | None, mask: CellMask) -> dict[str, Any]:
    """Return the entry of a cell in the cassette's `varies`."""
    parts = {
        name: {number: pattern.text for number, pattern in lines.items()}
        for name, lines in mask.parts.items()
    }
    named = {} if cell_id is None else {"id": cell_id}
    return {"cell": number, **named, **parts}


def _checked(value: Any, type_: Any) -> Any:
    if type(value) is not type_:
        raise TypeError(f"{value!r:.80}")
    return value
