"""Replays of mutated notebooks, and which mutations they catch.

python -m tests.support.mutation_runs 22 1               # 22 of each kind, with seed 1
python -m tests.support.mutation_runs 22 1 "a cell less"   # of one kind

Their rows of the table in docs/testing_reference.md are replaced.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

from chatnb.pytest_plugin.outputs import difference
from tests.support.forked_kernels import CLIENTS
from tests.support.notebook_mutations import KINDS, Mutant, Source, mutants, sources
from tests.support.notebook_runs import run_pytest
from tests.support.output_mutations import KINDS as OUTPUT_KINDS
from tests.support.output_mutations import Mutation, mutate, saved_cells

_GUIDE = Path(__file__).parents[2] / "docs" / "testing_reference.md"
# Replays in one run of pytest, which has a time limit.
_AT_ONCE = 24
_NOTHING = "nothing that is sent or shown depends on it"
# Those of outputs need no kernel.
_OUTPUTS = 45
_HEAD = "| mutation | of | caught | by a note | not caught |", "|---|---:|---:|---:|---|"
_MARKS = "<!-- mutations -->", "<!-- end of mutations -->"


class Outcome(NamedTuple):
    """A replay of a mutant.

    Args:
        mutant: The mutant.
        caught: The first line of the failure, or "" if every cell has passed.
        is_noted: True if only a note after the run names what is the matter.
        reason: The reason why it was not caught, if it is known.
    """

    mutant: Mutant
    caught: str
    is_noted: bool
    reason: str


def replayed(found: Sequence[Mutant], originals: Sequence[Source]) -> Iterator[Outcome]:
    """Replay the mutants, beside the originals, which have to pass."""
    mutated = {mutant.source.name for mutant in found}
    originals = [source for source in originals if source.name in mutated]
    with tempfile.TemporaryDirectory() as made:
        whole = Mutant("", next(iter(originals)), "")
        unchanged = [whole._replace(source=source) for source in originals]
        base = _run(Path(made, "base"), unchanged)
        assert not base.failures, base.failures
        assert not base.noted, base.noted
        plain = dict(zip((source.name for source in originals), base.executed, strict=True))
        rest = iter(found)
        for number, some in enumerate(iter(lambda: list(islice(rest, _AT_ONCE)), [])):
            ran = _run(Path(made, str(number)), some)
            for index, mutant in enumerate(some):
                failure = ran.failures.get(index, "")
                is_noted = index in ran.noted and not failure
                reason = ""
                if not failure and not is_noted:
                    reason = _reason(mutant, plain[mutant.source.name], ran.executed[index])
                yield Outcome(mutant, failure, is_noted, reason)


class _Ran(NamedTuple):
    failures: dict[int, str]
    noted: set[int]
    executed: list[dict[str, Any]]


def _run(folder: Path, some: Sequence[Mutant]) -> _Ran:
    """Replay mutants; return failures, notes and executed cells by their ids."""
    for index, mutant in enumerate(some):
        mutant.source.write(folder, f"m{index:03}")
    ran = run_pytest(folder, "--chatnb", "--chatnb-executed", "executed", "--junitxml=cells.xml",
                     ".", imported=CLIENTS)  # fmt: skip
    failures = dict[int, str]()
    if not (folder / "cells.xml").exists():
        raise RuntimeError(ran.said[-2000:])
    for case in ElementTree.parse(folder / "cells.xml").iter("testcase"):
        problem = next((each for each in case if each.tag in ("failure", "error")), None)
        number = re.search(r"m(\d{3})", f"{case.get('classname')} {case.get('name')}")
        if problem is not None and number is not None:
            failures.setdefault(int(number[1]), problem.get("message") or "failed")
    noted = {int(number) for number in re.findall(r"cassettes/m(\d{3})\.yaml has ", ran.said)}
    written = sorted((folder / "executed").glob("*.ipynb"))
    return _Ran(failures, noted, [_outputs(path) for path in written])


def _outputs(path: Path) -> dict[str, Any]:
    """Return the outputs of the cells of a notebook by their ids."""
    cells = json.loads(path.read_text())["cells"]
    return {cell["id"]: [_joined(output) for output in cell["outputs"]] for cell in cells
            if cell["cell_type"] == "code"}  # fmt: skip


def _joined(output: dict[str, Any]) -> dict[str, Any]:
    lines = output.get("text")
    return {**output, "text": "".join(lines)} if lines is not None else output


def _reason(mutant: Mutant, plain: Mapping[str, Any], mutated: Mapping[str, Any]) -> str:
    """Return why a mutation that was not caught cannot matter, or "" if it is not known."""
    if "timeout" in mutant.change:
        return "a time limit is not sent"
    changed = (name for name in mutated if difference(plain[name], mutated[name]))
    return "" if set(changed) - mutant.source.varying else _NOTHING


def rows(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Return the rows of the table for replays of mutants, by their kinds."""
    found = dict[str, str]()
    for kind in dict.fromkeys(outcome.mutant.kind for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome.mutant.kind == kind]
        left = [o.reason for o in own if not o.caught and not o.is_noted]
        found[kind] = _row(kind, len(own), sum(o.is_noted for o in own), left)
    return found


def output_rows(outputs: Sequence[Mutation]) -> dict[str, str]:
    """Return those for mutations of outputs."""
    found = dict[str, str]()
    for kind in OUTPUT_KINDS:
        own = [mutation for mutation in outputs if mutation.kind == kind]
        left = [mutation.reason for mutation in own if not mutation.is_caught]
        found[f"output: {kind}"] = _row(f"output: {kind}", len(own), 0, left)
    return found


def _row(kind: str, count: int, noted: int, left: Sequence[str]) -> str:
    reasons = Counter(reason or "NO REASON" for reason in left)
    shown = ", ".join(f"{number} {reason}" for reason, number in reasons.items())
    return f"| {kind} | {count} | {count - noted - len(left)} | {noted or ''} | {shown} |"


def write_rows(new: Mapping[str, str]) -> None:
    """Write rows into the table of the guide, in place of earlier ones of the same kinds."""
    text = _GUIDE.read_text()
    start, end = text.index(_MARKS[0]) + len(_MARKS[0]), text.index(_MARKS[1])
    lines = text[start:end].strip().splitlines()
    kept = {line.split(" | ")[0].removeprefix("| "): line for line in lines[len(_HEAD) :]}
    names = (*KINDS, *(f"output: {kind}" for kind in OUTPUT_KINDS))
    all_rows = {**kept, **new}
    table = "\n".join(
        ["", "", *_HEAD, *(all_rows[name] for name in names if name in all_rows), "", ""]
    )
    _GUIDE.write_text(text[:start] + table + text[end:])


def main(each: int, seed: int, kinds: Sequence[str]) -> None:
    """Make and replay so many mutants of each kind, and print each; write the table."""
    originals = sources()
    outcomes = list[Outcome]()
    for outcome in replayed([*mutants(originals, each, seed, kinds or [*KINDS])], originals):
        outcomes.append(outcome)
        mutant = outcome.mutant
        found = outcome.caught or ("A NOTE" if outcome.is_noted else "NOT CAUGHT")
        print(f"{mutant.kind}; {mutant.source.name}; {mutant.change}; {found[:100]}", flush=True)
    outputs = mutate(saved_cells(), _OUTPUTS * len(OUTPUT_KINDS), seed)
    found = {**rows(outcomes), **output_rows(outputs)}
    print("\n".join([*_HEAD, *found.values()]))
    write_rows(found)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
