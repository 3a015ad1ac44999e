"""Replays of a notebook that was just recorded: the outputs to save, and the cells that vary."""

# pyright: standard
# nbval has no types.

from __future__ import annotations

import copy
from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from queue import Empty
from typing import Any, Protocol

from chatnb.pytest_plugin.failures import error_lines
from chatnb.pytest_plugin.kernel import KernelDiedError, NotebookKernel
from chatnb.pytest_plugin.outputs import EXACT, OutputFolder, difference

_TAGS = "Give the cell a tag: chatnb-approx if it varies a little, nbval-ignore-output if it may."


class RecordedCell(Protocol):
    """A cell that was recorded: its code, its outputs and what its tags say."""

    cell: Any
    options: Mapping[str, Any]
    final_outputs: list[Any]
    is_compared: bool
    is_left_out_of_replays: bool
    is_exact: bool
    required_similarity: float | None

    @property
    def timeout(self) -> float:
        """The seconds that the cell may take."""
        ...


@dataclass
class Verified:
    """The outputs of each cell as replays have them, and notes about cells that do not repeat."""

    outputs: list[list[Any]]
    notes: dict[int, str] = field(default_factory=dict)


def verify(
    cells: Sequence[RecordedCell], start: Callable[[], NotebookKernel], facts: Container[str]
) -> Verified:
    """Replay a recorded notebook.

    Args:
        cells: Its cells, with the outputs of the recording.
        start: Starts a kernel that replays.
        facts: What stands in the recorded replies.
    """
    # What a slow recording shows (progress, times) is not what a quick replay shows, so that the
    # replay is saved. Another one says whether it is so each time; where the first one is equal
    # to the recording, it is.
    recorded = [cell.final_outputs for cell in cells]
    first = _replay(cells, start)
    if first.notes:
        return Verified(recorded, first.notes)
    if not any(map(_differ, cells, recorded, first.outputs, repeat(facts))):
        return first
    second = _replay(cells, start)
    for index, cell in enumerate(cells):
        if text := _differ(cell, first.outputs[index], second.outputs[index], facts):
            shown = text.replace("- in the notebook, + of this run", "- one replay, + another one")
            second.notes[index] = f"does not repeat.\n{shown}\n{_TAGS}"
    return Verified(first.outputs, second.notes)


def _differ(
    cell: RecordedCell, one: Sequence[Any], other: Sequence[Any], facts: Container[str]
) -> str:
    if not cell.is_compared or cell.is_left_out_of_replays:
        return ""
    return difference(one, other, cell.required_similarity, EXACT if cell.is_exact else facts)


def _replay(cells: Sequence[RecordedCell], start: Callable[[], NotebookKernel]) -> Verified:
    """Run all cells once; a cell that fails ends it, as the later ones depend on it."""
    folder = OutputFolder()
    found = Verified([cell.final_outputs for cell in cells])
    with _running(start) as kernel:
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
                found.outputs[index] = copy.deepcopy(outputs)
                problem = failure_text(cell.options, outputs)
            if problem:
                found.notes[index] = f"cannot be replayed.\n{problem}"
                break
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
