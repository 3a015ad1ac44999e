"""Replays of a notebook that was just recorded: the outputs to save, and what varies in them."""

# pyright: standard
# nbval has no types.

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty
from typing import Any, Protocol

from chatnb.markdown.media import IMAGE_TYPES
from chatnb.pytest_plugin.failures import error_lines
from chatnb.pytest_plugin.kernel import KernelDiedError, NotebookKernel
from chatnb.pytest_plugin.masks.cell_masks import CellMask, learn_part, mask_to_data
from chatnb.pytest_plugin.masks.dates import a_day_later
from chatnb.pytest_plugin.masks.learning import ReplyTexts
from chatnb.pytest_plugin.masks.line_patterns import LinePattern
from chatnb.pytest_plugin.masks.other_conditions import moved
from chatnb.pytest_plugin.outputs import (
    EQUAL,
    Comparison,
    OutputFolder,
    difference,
    paired_parts,
    split_outputs,
    structure,
)

# Another day of another month, and another day of the week.
_DAYS_LATER = 45
_UNANSWERED = "has no reply to this request"
_IGNORE = (
    "A replay requests something else than the recording. What varies in a request can be left "
    "out: name it under `ignore` in [tool.chatnb] of pyproject.toml."
)
_TAGS = "Give the cell a tag: chatnb-approx if it varies a little, nbval-ignore-output if it may."


class RecordedCell(Protocol):
    """A cell that was recorded: its code, its outputs, its tags and what varied in it before."""

    cell: Any
    options: Mapping[str, Any]
    final_outputs: list[Any]
    is_compared: bool
    is_left_out_of_replays: bool

    @property
    def saved_id(self) -> str | None:
        """The id of the cell in its file, if it has one."""
        ...

    @property
    def rules(self) -> Comparison:
        """The rules by which the outputs are compared, with what varied before."""
        ...

    @property
    def timeout(self) -> float:
        """The seconds that the cell may take."""
        ...


class StartKernel(Protocol):
    """Starts a kernel that replays."""

    def __call__(self, *, elsewhere: bool = False, days_later: int = 0) -> NotebookKernel:
        """Start one: on another machine and at another time of the day, or so many days later."""
        ...


@dataclass
class Verified:
    """The outputs of each cell as replays have them, what varies, and cells that do not repeat.

    Args:
        outputs: The outputs of each cell.
        notes: Notes about cells, by their numbers.
        rules: The rules for comparing cells, by their numbers.
        masks: What varies, for the cassette.
    """

    outputs: list[list[Any]]
    notes: dict[int, str] = field(default_factory=dict)
    rules: dict[int, Comparison] = field(default_factory=dict)
    masks: list[dict[str, Any]] = field(default_factory=list)


def verify(
    cells: Sequence[RecordedCell],
    start: StartKernel,
    replies: ReplyTexts,
    folder: Path,
) -> Verified:
    """Replay a recorded notebook, and learn what varies.

    Args:
        cells: Its cells, with the outputs of the recording.
        start: Starts a kernel that replays.
        replies: The texts of the recorded replies.
        folder: The folder of the notebook.
    """
    # What a slow recording shows (progress, times) is not what a quick replay shows, so that the
    # replay is saved.
    first = _replay(cells, start)
    first.rules = {
        number: _still_matching(cell.rules, first.outputs[number])
        for number, cell in enumerate(cells)
    }
    if first.notes:
        first.outputs = [cell.final_outputs for cell in cells]
        return first
    other = _replay(cells, lambda: start(elsewhere=True), folder)
    if other.notes:  # A prompt may have the time in it.
        other = _replay(cells, start)
    if _learn(cells, first, [other], replies):
        # What was learned from two replays is tried with another one.
        third = _replay(cells, start)
        _learn(cells, first, [other, third], replies)
    _note_other_clocks(cells, first, start, replies)
    first.masks = [
        mask_to_data(number, cells[number].saved_id, rules.mask)
        for number, rules in first.rules.items()
        if rules.mask.parts and cells[number].is_compared
    ]
    return first


def _learn(
    cells: Sequence[RecordedCell], first: Verified, others: Sequence[Verified], replies: ReplyTexts
) -> bool:
    """Learn what varies; return True if it is more than was known."""
    learned = False
    for number, cell in enumerate(cells):
        if cell.is_left_out_of_replays:
            continue
        outputs = first.outputs[number]
        found = [other.outputs[number] for other in others]
        rules = first.rules[number]
        if not _difference(outputs, found, rules):
            continue
        if not rules.is_exact:
            rules = rules._replace(mask=_learned_mask(outputs, found, replies))
            # What varies in cells that are not compared matters to what is saved.
            first.rules[number], learned = rules, learned or cell.is_compared
        if not cell.is_compared:
            continue
        first.notes.pop(number, None)
        if text := _difference(outputs, found, rules):
            shown = text.replace("- in the notebook, + of this run", "- one replay, + another one")
            first.notes[number] = f"does not repeat.\n{shown}\n{_TAGS}"
    return learned


def _note_other_clocks(
    cells: Sequence[RecordedCell],
    first: Verified,
    start: StartKernel,
    replies: ReplyTexts,
) -> None:
    """Note cells that show today's date by a clock which replays cannot set."""
    today = datetime.now(UTC).date()
    kept = [replies.text, *(cell.cell.source for cell in cells)]

    def text(number: int, outputs: Sequence[Any]) -> str:
        later = a_day_later(outputs, today, kept)
        return difference(outputs, later, first.rules[number])

    dated = [
        number
        for number, cell in enumerate(cells)
        if cell.is_compared and number not in first.notes and text(number, first.outputs[number])
    ]
    if not dated:
        return
    later = _outputs_of_cells_that_pass(cells, lambda: start(days_later=_DAYS_LATER))
    for number in dated:
        if text(number, later.get(number, [])):
            shown = text(number, first.outputs[number])
            shown = shown.replace("- in the notebook, + of this run", "- today, + tomorrow")
            first.notes[number] = f"shows the date by a clock that is not set.\n{shown}\n{_TAGS}"


def _difference(one: Sequence[Any], others: Sequence[Sequence[Any]], rules: Comparison) -> str:
    found = (difference(one, other, rules) for other in others)
    return next((text for text in found if text), "")


def _learned_mask(
    outputs: Sequence[Any], others: Sequence[Sequence[Any]], replies: ReplyTexts
) -> CellMask:
    if any(structure(other) != structure(outputs) for other in others):
        return CellMask()
    pairs = zip(*(paired_parts(outputs, other) for other in others), strict=True)
    learned: dict[str, dict[int, LinePattern]] = {}
    for each in pairs:
        part = each[0][0]
        if part.type not in IMAGE_TYPES:
            found = [EQUAL.text(other) for _, other in each]
            learned[part.name] = learn_part(EQUAL.text(part), found, replies)
    return CellMask(learned)


def _still_matching(rules: Comparison, outputs: Sequence[Any]) -> Comparison:
    """Return the rules without patterns of lines that there are no longer."""
    texts = {part.name: EQUAL.text(part) for part in split_outputs(outputs)}
    return rules._replace(mask=rules.mask.matching(texts))


def _replay(
    cells: Sequence[RecordedCell],
    start: Callable[[], NotebookKernel],
    elsewhere: Path | None = None,
) -> Verified:
    """Run all cells once; a cell that fails ends it, as the later ones depend on it.

    Args:
        cells: The cells.
        start: Starts the kernel.
        elsewhere: The notebook's folder, if paths are to be shown as on another machine.
    """
    folder = OutputFolder()
    found = Verified([cell.final_outputs for cell in cells])
    with _running(start) as kernel:
        folders = list[str]()
        if elsewhere is not None:
            folders = [
                *kernel.call("pytest_plugin.masks.other_conditions", "python_folders"),
                str(elsewhere),
                str(Path.home()),
            ]
        for index, cell in enumerate(cells):
            if cell.is_left_out_of_replays:
                continue
            problem = ""
            try:
                outputs = kernel.run_cell(cell.cell.source, folder, cell.timeout)
            except Empty:
                problem = "A replay of it takes too long."
            except KernelDiedError:
                problem = "The kernel died in a replay of it."
            else:
                found.outputs[index] = moved(copy.deepcopy(outputs), folders)
                problem = failure_text(cell.options, outputs) or kernel.call(
                    "cassettes.misses", "take_miss"
                )
            if _UNANSWERED in problem:
                problem += f"\n{_IGNORE}"
            if problem:
                found.notes[index] = f"cannot be replayed.\n{problem}"
                break
    return found


def _outputs_of_cells_that_pass(
    cells: Sequence[RecordedCell], start: Callable[[], NotebookKernel]
) -> dict[int, list[Any]]:
    """Run all cells once, also after one that fails, as a prompt with another date does."""
    folder, found = OutputFolder(), dict[int, list[Any]]()
    with _running(start) as kernel, suppress(Empty, KernelDiedError):
        for index, cell in enumerate(cells):
            if cell.is_left_out_of_replays:
                continue
            outputs = kernel.run_cell(cell.cell.source, folder, cell.timeout)
            if not failure_text(cell.options, outputs):
                found[index] = outputs
    return found


@contextmanager
def _running(start: Callable[[], NotebookKernel]):
    kernel = start()
    try:
        yield kernel
    finally:
        if kernel.is_alive():
            kernel.stop()


def failure_text(options: Mapping[str, Any], outputs: Sequence[Any]) -> str:
    """Return the error of a cell that was to have none, or "" if it has none."""
    errors = [output for output in outputs if output["output_type"] == "error"]
    if not errors or options["check_exception"]:
        return ""
    return "\n".join(error_lines(errors[-1])[1:])
