"""Outputs of notebooks that are saved without them, kept in the cassette."""

# pyright: standard
# nbformat has no types.

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from chatnb.cassettes.entries import CassetteEntries
from chatnb.errors import CassetteError
from chatnb.pytest_plugin.outputs import EQUAL, WIDGET_VIEW, Comparison, difference

# Where repositories say that notebooks are committed without outputs.
_STRIPPING = (".gitattributes", ".git/info/attributes", ".pre-commit-config.yaml")
_STRIPPER = "nbstripout"


def is_stripped(path: Path) -> bool:
    """Return whether the repository of a notebook commits it without outputs."""
    for folder in path.absolute().parents:
        for name in _STRIPPING:
            with suppress(OSError, UnicodeDecodeError):
                if _STRIPPER in (folder / name).read_text(encoding="utf-8"):
                    return True
        if (folder / ".git").exists():
            return False
    return False


def read_outputs(cassette: Path) -> dict[int, list[Any]] | None:
    """Return the outputs in a cassette by the numbers of cells; None if it has none."""
    with suppress(CassetteError):  # The first call says what is the matter with the file.
        kept = _entries(cassette).outputs
        return None if kept is None else {cell["cell"]: cell["outputs"] for cell in kept}
    return None


def write_outputs(
    cassette: Path, outputs: Sequence[Sequence[Any]], rules: Mapping[int, Comparison]
) -> None:
    """Write the outputs of all cells; those that differ only in what varies stay."""
    entries = _entries(cassette)
    saved = {cell["cell"]: cell["outputs"] for cell in entries.outputs or []}
    merged = {
        number: _merged(saved.get(number, []), shown, rules.get(number, EQUAL))
        for number, shown in enumerate(outputs)
    }
    entries.note_outputs([{"cell": n, "outputs": kept} for n, kept in merged.items() if kept])


def accept_kept_outputs(cassette: Path, accepted: Mapping[int, Sequence[Any]]) -> None:
    """Write the outputs of some cells, and leave those of the others as they are."""
    entries = _entries(cassette)
    saved = {cell["cell"]: cell["outputs"] for cell in entries.outputs or []}
    merged = {**saved, **{n: [_plain(shown) for shown in new] for n, new in accepted.items()}}
    entries.note_outputs([{"cell": n, "outputs": kept} for n, kept in sorted(merged.items())])


def _merged(saved: list[Any], shown: Sequence[Mapping[str, Any]], rules: Comparison) -> list[Any]:
    new = [_plain(output) for output in shown]
    return saved if saved and not difference(saved, new, rules._replace(similarity=None)) else new


def _plain(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return an output without its number and its widget, which are others in each run."""
    output: dict[str, Any] = json.loads(json.dumps(shown))
    output.get("data", {}).pop(WIDGET_VIEW, None)
    if "execution_count" in output:
        output["execution_count"] = None
    return {name: value for name, value in output.items() if value != {}}


def _entries(cassette: Path) -> CassetteEntries:
    entries = CassetteEntries(cassette)
    entries.load()
    return entries
