"""The replies of a recording whose outputs a person has rejected: the earlier ones come back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from chatnb.cassettes.differences import compare_calls
from chatnb.cassettes.yaml_file import call_yaml, head_yaml, parse_cassette
from chatnb.files import replace_text

RECORDED = "chatnb-recorded"


class Recorded(NamedTuple):
    """The cassette of a notebook that was recorded, before a person has decided.

    Args:
        notebook: The path of the notebook, for people.
        cassette: The path of the cassette.
        before: The text of the cassette before the recording; None if there was none.
        cells: The number of the cell that made each call of the cassette.
    """

    notebook: str
    cassette: str
    before: str | None
    cells: list[int]


def read_text_before(cassette: Path) -> str | None:
    """Return the text of a cassette that is about to be recorded; None if there is none."""
    with suppress(FileNotFoundError):
        return cassette.read_text(encoding="utf-8")
    return None


def calling_cells(requests: Sequence[int], made: Mapping[int, int]) -> list[int]:
    """Return the cell that made each call.

    Args:
        requests: The number of the request that each call of the cassette was recorded for.
        made: How many requests there had been after each cell.

    Example:
        >>> calling_cells([1, 2, 3], {0: 0, 1: 2, 2: 3})
        [1, 1, 2]
    """
    last = max(made)
    return [
        next((cell for cell, count in sorted(made.items()) if request <= count), last)
        for request in requests
    ]


def restore_rejected(recorded: Recorded, decisions: Mapping[int, bool | None]) -> bool:
    """Put the earlier replies of rejected cells back into the cassette.

    A cell without a change of its own is decided by the next one that has one, which shows what
    the cell has asked for.

    Args:
        recorded: The cassette, and the cells of its calls.
        decisions: For each cell with changed outputs True, False, or None if it has no answer.

    Returns:
        True if a cell was rejected that may have asked for something.

    Raises:
        CassetteError: If the cassette cannot be read.
        OSError: If it cannot be written.
    """
    rejected = {cell for cell, decision in decisions.items() if decision is False}
    path = Path(recorded.cassette)
    if not rejected or not path.exists():
        return False
    if rejected != set(decisions):
        replace_text(path, _merged(recorded, decisions, rejected))
    elif recorded.before is None:
        path.unlink()
    else:
        replace_text(path, [recorded.before])
    return True


def _merged(recorded: Recorded, decisions: Collection[int], rejected: Collection[int]) -> list[str]:
    old = parse_cassette(recorded.before or head_yaml(), recorded.cassette)
    text = Path(recorded.cassette).read_text(encoding="utf-8")
    new = parse_cassette(text, recorded.cassette)
    calls = list[Mapping[str, Any]]()
    found = (change for change in compare_calls(old.calls, new.calls) if change.new)
    for change, cell in zip(found, recorded.cells, strict=True):
        deciding = min((other for other in decisions if other >= cell), default=None)
        kept = change.old if deciding in rejected else change.new
        calls += [kept] if kept else []
    masks = [mask for mask in new.varies if mask["cell"] not in rejected]
    masks += [mask for mask in old.varies if mask["cell"] in rejected]
    masks.sort(key=lambda mask: mask["cell"])
    head = head_yaml(new.default_model, new.recorded_at, masks, new.outputs)
    return [head, *(call_yaml(dict(call)) for call in calls)]
