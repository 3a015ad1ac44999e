"""Seeded mutations of the outputs saved in notebooks, and which of them a comparison catches.

python -m tests.support.output_mutations 500 1     # so many, with this seed
"""

from __future__ import annotations

import base64
import copy
import io
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from chatnb.cassettes.yaml_file import parse_cassette
from chatnb.markdown.media import IMAGE_TYPES
from chatnb.pytest_plugin.masks.cell_masks import NotebookMasks
from chatnb.pytest_plugin.outputs import Comparison, difference
from chatnb.terminal import without_colours

NOTEBOOKS = Path(__file__).parents[1] / "testing" / "notebooks"
Outputs = list[dict[str, Any]]


class SavedCell(NamedTuple):
    """A cell with outputs, and the rules by which it is compared."""

    name: str
    outputs: Outputs
    rules: Comparison


class Mutation(NamedTuple):
    """One mutation: its kind, the cell, whether it was caught, and why it cannot matter if not."""

    kind: str
    cell: str
    is_caught: bool
    reason: str


def saved_cells(folder: Path = NOTEBOOKS) -> list[SavedCell]:
    """Return the compared cells of all notebooks in a folder."""
    return [cell for path in sorted(folder.glob("*.ipynb")) for cell in _cells(path)]


def mutate(cells: Sequence[SavedCell], number: int, seed: int) -> list[Mutation]:
    """Make mutations of all kinds in turn, each of a cell drawn at random."""
    rng = random.Random(seed)
    found = list[Mutation]()
    while len(found) < number:
        for kind, change in KINDS.items():
            cell = rng.choice(cells)
            outputs = copy.deepcopy(cell.outputs)
            # A kind that a cell has nothing for is tried on others.
            while not change(outputs, rng) or outputs == cell.outputs:
                cell = rng.choice(cells)
                outputs = copy.deepcopy(cell.outputs)
            is_caught = bool(difference(cell.outputs, outputs, cell.rules))
            reason = "" if is_caught else _reason(cell, outputs)
            found.append(Mutation(kind, cell.name, is_caught, reason))
    return found[:number]


def _cells(path: Path) -> list[SavedCell]:
    notebook = json.loads(path.read_text())
    cassette = path.parent / "cassettes" / f"{path.stem}.yaml"
    masks = NotebookMasks(parse_cassette(cassette.read_text(), str(cassette)).varies)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [
        SavedCell(f"{path.stem} {number}", outputs, Comparison(masks.get(number, cell.get("id"))))
        for number, cell in enumerate(code)
        if (outputs := [_joined(output) for output in cell["outputs"]])
        and "nbval-ignore-output" not in cell["metadata"].get("tags", [])
    ]


def _joined(output: dict[str, Any]) -> dict[str, Any]:
    """Return an output with joined lines, as kernels send it."""
    joined = dict(output)
    if "text" in joined:
        joined["text"] = "".join(joined["text"])
    if "data" in joined:
        data = joined["data"].items()
        joined["data"] = {m: "".join(d) if isinstance(d, list) else d for m, d in data}
    return joined


def _reason(cell: SavedCell, outputs: Outputs) -> str:
    """Return why a mutation that was not caught cannot matter, or "" for none."""
    if not difference(cell.outputs, outputs):
        plain = [without_colours(json.dumps(each)) for each in (cell.outputs, outputs)]
        return "colours of a terminal" if plain[0] == plain[1] else "spaces at the end of a line"
    return "within a mask" if cell.rules.mask.parts else ""


def _texts(outputs: Outputs) -> list[tuple[dict[str, Any], str]]:
    """Return where the texts of outputs are: a mapping, and the key in it."""
    places = list[tuple[dict[str, Any], str]]()
    for output in outputs:
        if output["output_type"] == "stream":
            places.append((output, "text"))
        elif output["output_type"] == "error":
            places.append((output, "evalue"))
        else:
            data = output["data"]
            places += [(data, mime) for mime in data
                       if mime not in IMAGE_TYPES and isinstance(data[mime], str)]  # fmt: skip
    return places


def _replace(outputs: Outputs, rng: random.Random, wanted: Callable[[str], bool],
             choices: str) -> bool:  # fmt: skip
    """Replace one character of a text."""
    places = [(where, key) for where, key in _texts(outputs) if any(map(wanted, where[key]))]
    if not places:
        return False
    where, key = rng.choice(places)
    text = where[key]
    index = rng.choice([i for i, character in enumerate(text) if wanted(character)])
    where[key] = text[:index] + rng.choice(choices) + text[index + 1 :]
    return True


def _change_lines(
    outputs: Outputs, rng: random.Random, change: Callable[[list[str]], object]
) -> bool:
    places = [(where, key) for where, key in _texts(outputs) if where[key].count("\n") > 1]
    if not places:
        return False
    where, key = rng.choice(places)
    lines = where[key].splitlines(keepends=True)
    change(lines)
    where[key] = "".join(lines)
    return True


def _other_image(outputs: Outputs, rng: random.Random) -> bool:
    """Paint a small box into an image: as large as a point of a plot."""
    from PIL import Image

    places = [(output["data"], mime) for output in outputs if "data" in output
              for mime in output["data"] if mime in IMAGE_TYPES]  # fmt: skip
    if not places:
        return False
    data, mime = rng.choice(places)
    image = Image.open(io.BytesIO(base64.b64decode(data[mime]))).convert("RGB")
    x, y = rng.randrange(image.width - 8), rng.randrange(image.height - 8)
    shade = image.getpixel((x, y))
    assert isinstance(shade, tuple)
    image.paste(tuple(255 - value if abs(value - 128) > 40 else 0 for value in shade),
                (x, y, x + 6, y + 6))  # fmt: skip
    file = io.BytesIO()
    image.save(file, "PNG")
    data[mime] = base64.b64encode(file.getvalue()).decode()
    return True


def _without_part(outputs: Outputs, rng: random.Random) -> bool:
    shown = [output for output in outputs if len(output.get("data", {})) > 1]
    if not shown:
        return False
    data = rng.choice(shown)["data"]
    del data[rng.choice(sorted(data))]
    return True


def _swapped(lines: list[str]) -> None:
    lines[0], lines[1] = lines[1], lines[0]


KINDS: dict[str, Callable[[Outputs, random.Random], bool]] = {
    "a digit": lambda o, rng: _replace(o, rng, str.isdigit, "0123456789"),
    "a letter": lambda o, rng: _replace(o, rng, str.isalpha, "aeiostxyz"),
    "a sign": lambda o, rng: _replace(o, rng, lambda c: c in ".,:;-+()[]{}'\"", "!?*"),
    "a line less": lambda o, rng: _change_lines(o, rng, lambda lines: lines.pop(1)),
    "a line more": lambda o, rng: _change_lines(o, rng, lambda lines: lines.append(lines[0])),
    "lines in another order": lambda o, rng: _change_lines(o, rng, _swapped),
    "a text at the end": lambda o, rng: _append(o, rng, "x"),
    "a space at the end": lambda o, rng: _append(o, rng, " "),
    "an output less": lambda o, rng: bool(o.pop(rng.randrange(len(o)))) if o else False,
    "a type of an output less": _without_part,
    "an image": _other_image,
}
"""The kinds of mutations, each a function that changes outputs, or returns False if it cannot."""


def _append(outputs: Outputs, rng: random.Random, text: str) -> bool:
    places = _texts(outputs)
    if places:
        where, key = rng.choice(places)
        where[key] += text
    return bool(places)


def main(number: int, seed: int) -> None:
    """Print a table of the kinds, and the mutations that were not caught with their reasons."""
    found = mutate(saved_cells(), number, seed)
    for kind in KINDS:
        own = [mutation for mutation in found if mutation.kind == kind]
        missed = Counter(m.reason or f"NOT CAUGHT in {m.cell}" for m in own if not m.is_caught)
        caught = sum(mutation.is_caught for mutation in own)
        reasons = ", ".join(f"{count} {reason}" for reason, count in missed.items())
        print(f"| {kind} | {len(own)} | {caught} | {reasons} |")
    caught = sum(mutation.is_caught for mutation in found)
    unexplained = sum(not mutation.is_caught and not mutation.reason for mutation in found)
    print(f"{len(found)} mutations: {caught} caught, {unexplained} without a reason")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
