"""Notebooks in eight styles, recorded once from a server on loopback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.mutation_runs import replayed
from tests.support.notebook_mutations import KINDS as NOTEBOOK_KINDS
from tests.support.notebook_mutations import mutants, sources
from tests.support.output_mutations import KINDS, mutate, saved_cells
from tests.support.style_runs import NAMES, NOTEBOOKS, copied, counted, replay

SEED = 12
_TAGGED = 1  # A coin that is really tossed.


@pytest.mark.slow
@pytest.mark.thorough
def test_notebooks_of_all_styles_replay_alike(tmp_path: Path) -> None:
    """With the SDKs of OpenAI and Anthropic, LangChain, plain HTTP, magics, plots and times, and
    without a network or a key: every cell is equal."""
    ran = replay(copied(tmp_path / "notebooks"))
    assert ran.code == 0, ran.said
    assert counted(ran) == {"passed": sum(map(len, map(_code_cells, NAMES)))}


def test_no_cell_has_a_tag_but_where_it_is_random() -> None:
    """Neither an output that is ignored nor one that is compared less."""
    tags = [tag for name in NAMES for cell in _code_cells(name)
            for tag in cell["metadata"].get("tags", []) if tag != "raises-exception"]  # fmt: skip
    assert tags == ["nbval-ignore-output"] * _TAGGED


def test_mutations_of_outputs_are_caught() -> None:
    """Or they are within a mask, or spaces at the end of a line; of all kinds, some each."""
    found = mutate(saved_cells(), 10 * len(KINDS), seed=1)
    assert {mutation.kind for mutation in found} == set(KINDS)
    assert [mutation for mutation in found if not mutation.is_caught and not mutation.reason] == []
    missed = [mutation for mutation in found if mutation.reason == "within a mask"]
    assert len(missed) < len(found) / 10


@pytest.mark.thorough
def test_mutations_of_notebooks_and_replies_are_caught(tmp_path: Path) -> None:
    """Another character of a reply or a prompt, a recording less, and a call more by a note."""
    kinds = (
        "a character of a reply",
        "a character of a prompt",
        "a recorded call less",
        "a call more",
    )
    made = [*mutants(sources(), 1, SEED, kinds)]
    outcomes = {outcome.mutant.kind: outcome for outcome in replayed(made, sources())}
    more = outcomes.pop("a call more")
    assert (more.caught, more.is_noted) == ("", True)
    assert all(outcome.caught for outcome in outcomes.values()), outcomes


def test_mutants_of_all_kinds_can_be_made() -> None:
    """And each differs from its source."""
    originals = {source.name: source for source in sources()}
    found = [*mutants([*originals.values()], 2, SEED, [*NOTEBOOK_KINDS])]
    assert {mutant.kind for mutant in found} == set(NOTEBOOK_KINDS)
    assert all(mutant.source != originals[mutant.source.name] for mutant in found)


def _code_cells(name: str) -> list[dict[str, Any]]:
    notebook = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
