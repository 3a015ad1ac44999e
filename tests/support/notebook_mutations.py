"""Mutations of notebooks and of their recorded replies: what a person or a model may change."""

from __future__ import annotations

import ast
import copy
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from chatnb.cassettes.yaml_file import call_yaml, head_yaml, parse_cassette
from tests.support.output_mutations import NOTEBOOKS

_REPLIES = {"content", "text", "arguments", "city", "partial_json"}
_PARAMETERS = re.compile(
    r"""(?:"?(?:model|temperature|max_tokens|method|stream|timeout|type)"?(?:=|: ?)|MODEL = |"""
    r"""ChatOpenAI\()("[^"]+"|[0-9.]+|True)"""
)
_CALLS = re.compile(
    r"(?<!environ\.)\b(?:ask|invoke|ainvoke|create|post|batch|get|generate|evaluate)\("
)
_EVENT_TEXT = re.compile(r'(?<="content": ")[^"]+|(?<="text": ")[^"]+|(?<="partial_json": ")[^"]+')
_PLOTS = re.compile(r"plt\.|axes\.|display\(|HTML\(|\.style\.")
_MIN_TEXT = 3


class Source(NamedTuple):
    """A notebook, and the calls of its cassette with the text before them.

    Args:
        name: Its name, without a suffix.
        notebook: The notebook.
        head: The head of the cassette.
        calls: The recorded calls.
        varying: The ids of cells in which something varies, or that are not compared.
    """

    name: str
    notebook: dict[str, Any]
    head: str
    calls: list[dict[str, Any]]
    varying: frozenset[str]

    @property
    def requests(self) -> str:
        """The requests as one text."""
        return json.dumps([call["request"] for call in self.calls], ensure_ascii=False)

    def write(self, folder: Path, name: str) -> None:
        """Write the notebook and its cassette into a folder."""
        (folder / "cassettes").mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.ipynb").write_text(json.dumps(self.notebook, indent=1))
        written = "\n".join([self.head, *map(call_yaml, self.calls)])
        (folder / "cassettes" / f"{name}.yaml").write_text(written)


class Mutant(NamedTuple):
    """A source with one change.

    Args:
        kind: The kind of the change.
        source: The changed source.
        change: The change, for people.
    """

    kind: str
    source: Source
    change: str


Change: TypeAlias = Callable[[Source, random.Random], str]
"""Changes a source, and returns what it has done, or "" if the source has nothing for it."""


def sources(folder: Path = NOTEBOOKS) -> list[Source]:
    """Return the notebooks of a folder with their cassettes."""
    return [_source(path) for path in sorted(folder.glob("*.ipynb"))]


def mutants(
    found: Sequence[Source], number: int, seed: int, kinds: Sequence[str]
) -> Iterator[Mutant]:
    """Yield so many mutants of each of the kinds, no two alike while there are others."""
    for kind in kinds:
        rng = random.Random(f"{seed}{kind}")  # The same ones, whichever other kinds there are.
        seen = set[str]()
        tries = made = 0
        while made < number:
            tries += 1
            source = copy.deepcopy(rng.choice(found))
            told = KINDS[kind](source, rng)
            if told and (f"{source.name}: {told}" not in seen or tries > 20 * number):
                seen.add(f"{source.name}: {told}")
                made += 1
                yield Mutant(kind, source, told)


def _source(path: Path) -> Source:
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
    cassette = path.parent / "cassettes" / f"{path.stem}.yaml"
    contents = parse_cassette(cassette.read_text(), str(cassette))
    head = head_yaml(contents.default_model, contents.recorded_at, contents.varies)
    varying = {entry["id"] for entry in contents.varies}
    varying |= {cell["id"] for cell in notebook["cells"] if "nbval-ignore-output" in _tags(cell)}
    return Source(path.stem, notebook, head, contents.calls, frozenset(varying))


def _tags(cell: dict[str, Any]) -> list[str]:
    return cell["metadata"].get("tags", [])


def _code(source: Source) -> list[dict[str, Any]]:
    return [cell for cell in source.notebook["cells"] if cell["cell_type"] == "code"]


def _other_character(text: str, rng: random.Random) -> str:
    """Return a text with another letter or digit in one place, if it has any."""
    places = [i for i, character in enumerate(text) if character.isalnum()]
    if not places:
        return text
    index = rng.choice(places)
    old = text[index]
    choices = "123456789" if old.isdigit() else "aeiostxyz"
    new = rng.choice([character for character in choices if character != old])
    return text[:index] + new + text[index + 1 :]


def _replace(
    source: Source, rng: random.Random, places: list[tuple[dict[str, Any], str, str]]
) -> str:
    """Replace one of the texts in cells by another: its first occurrence."""
    changing = [place for place in places if place[1] != place[2]]
    if not changing:
        return ""
    cell, old, new = rng.choice(changing)
    cell["source"] = cell["source"].replace(old, new, 1)
    return f"{old!r} is now {new!r}"


def _reply(source: Source, rng: random.Random) -> str:
    """Change a character of a reply."""
    call = rng.choice(source.calls)
    reply = {name: value for name, value in call.items() if name != "request"}
    leaves = [place for place in _leaves(reply) if any(map(str.isalnum, place[0][place[1]]))]
    if not leaves:
        return ""
    where, key = rng.choice(leaves)
    old = where[key]
    if key == "text" and "data: " in old:
        match = rng.choice([*_EVENT_TEXT.finditer(old)])
        new = old[: match.start()] + _other_character(match[0], rng) + old[match.end() :]
    else:
        new = _other_character(old, rng)
    where[key] = new
    index = next(i for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b)
    return f"{old[max(0, index - 20) : index + 9]!r} is now {new[max(0, index - 20) : index + 9]!r}"


def _leaves(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield where the texts of a reply are."""
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, str) and key in _REPLIES:
                yield value, key
            elif key != "headers":
                yield from _leaves(item)


def _texts(source: Source) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the texts in the code of cells; of a cell with a magic, its last line."""
    for cell in _code(source):
        text = cell["source"]
        if text.startswith("%%chat"):
            yield cell, text.splitlines()[-1]
            continue
        for node in ast.walk(_tree(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield cell, node.value


def _tree(text: str) -> ast.Module:
    """Return the tree of a cell, without the lines that are magics."""
    lines = (line if not line.startswith("%") else "" for line in text.splitlines())
    return ast.parse("\n".join(lines))


def _is_sent(text: str, source: Source) -> bool:
    words = text.strip()
    return len(words) >= _MIN_TEXT and " " in words and words[:20] in source.requests


def _prompt(source: Source, rng: random.Random) -> str:
    """Change a character of a text that is sent."""
    found = [(cell, text, _other_character(text, rng)) for cell, text in _texts(source)
             if _is_sent(text, source) and text in cell["source"]]  # fmt: skip
    return _replace(source, rng, found)


def _parameter(source: Source, rng: random.Random) -> str:
    """Change a parameter of calls."""
    places = list[tuple[dict[str, Any], str, str]]()
    for cell in _code(source):
        for match in _PARAMETERS.finditer(cell["source"]):
            value = match[1]
            new = _other_character(value, rng) if value != "True" else "False"
            places.append((cell, match[0], match[0][: -len(value)] + new))
    return _replace(source, rng, places)


def _schema(source: Source, rng: random.Random) -> str:
    """Change a field, a type or a description of a schema."""
    places = list[tuple[dict[str, Any], str, str]]()
    for cell in _code(source):
        text = cell["source"]
        for match in re.finditer(r'(?:city|inhabitants): (?:str|int)|"type": "\w+"|gt=0', text):
            places.append((cell, match[0], _other_type(match[0], rng)))
        for match in re.finditer(r'"""[^"]+"""|"description": "[^"]+"|"required": \["[^"]+', text):
            value = match[0].rstrip('"')
            new = value[:-4] + _other_character(value[-4:], rng)
            places.append((cell, value, new))
    return _replace(source, rng, places)


def _other_type(text: str, rng: random.Random) -> str:
    types = {"str": "int", "int": "str", '"string"': '"number"', '"object"': '"array"',
             '"integer"': '"string"', "gt=0": "gt=9999999999"}  # fmt: skip
    old = next((name for name in types if text.endswith(name)), "")
    if not old:
        return text[:-4] + _other_character(text[-4:], rng)
    return text.removesuffix(old) + types[old]


def _tool_result(source: Source, rng: random.Random) -> str:
    """Change what a tool returns."""
    found = list[tuple[dict[str, Any], str, str]]()
    for cell in _code(source):
        for match in re.finditer(r'(?<="content": f"weather in )[^"]+|return f"\{city\}[^"]+',
                                 cell["source"]):  # fmt: skip
            tail = match[0].rpartition("}")[2]
            found.append(
                (cell, match[0], match[0].removesuffix(tail) + _other_character(tail, rng))
            )
    return _replace(source, rng, found)


def _number(source: Source, rng: random.Random) -> str:
    """Change a number in the code."""
    found = list[tuple[dict[str, Any], str, str]]()
    for cell in _code(source):
        for match in re.finditer(r"(?<![\w.])\d+(?![\w.])", cell["source"]):
            around = cell["source"][max(0, match.start() - 12) : match.end()]
            found.append((cell, around, around[: -len(match[0])] + str(int(match[0]) + 1)))
    return _replace(source, rng, found)


def _plot(source: Source, rng: random.Random) -> str:
    """Change a text in a cell that draws: a colour, a marker, a label."""
    found = [(cell, f'"{text}"', f'"{_other_style(text, rng)}"') for cell, text in _texts(source)
             if _PLOTS.search(cell["source"]) and f'"{text}"' in cell["source"]]  # fmt: skip
    return _replace(source, rng, found)


def _other_style(text: str, rng: random.Random) -> str:
    styles = {"steelblue": "seagreen", "gold": "tan", "o": "s", "r--": "r:", "svg": "png"}
    return styles.get(text) or _other_character(text, rng)


def _statement_less(source: Source, rng: random.Random) -> str:
    """Leave a statement out."""
    cell = rng.choice([cell for cell in _code(source) if not cell["source"].startswith("%")])
    lines = cell["source"].splitlines()
    node = rng.choice(_tree(cell["source"]).body)
    gone = lines[node.lineno - 1 : node.end_lineno]
    kept = [*lines[: node.lineno - 1], *lines[node.end_lineno :]]
    cell["source"] = "\n".join(kept)
    return f"without {' '.join(gone)[:60]!r}"


def _call_more(source: Source, rng: random.Random) -> str:
    """Make a call once more."""
    cells = [cell for cell in _code(source) if not cell["source"].startswith("%")]
    found = [(cell, node) for cell in cells for node in _tree(cell["source"]).body
             if isinstance(node, ast.Expr | ast.Assign)
             and _CALLS.search(ast.unparse(node))]  # fmt: skip
    if not found:
        return ""
    cell, node = rng.choice(found)
    again = f"_again = {ast.unparse(node.value)}"
    lines = cell["source"].splitlines()
    cell["source"] = "\n".join([*lines[: node.lineno - 1], again, *lines[node.lineno - 1 :]])
    return f"once more {ast.unparse(node.value)[:60]!r}"


def _recording_less(source: Source, rng: random.Random) -> str:
    """Leave out a recorded call."""
    call = source.calls.pop(rng.randrange(len(source.calls)))
    return f"without the call {json.dumps(call['request'])[-60:]!r}"


def _swapped(source: Source, rng: random.Random) -> str:
    """Swap two neighbouring cells."""
    cells = source.notebook["cells"]
    index = rng.randrange(1, len(cells) - 1)
    cells[index], cells[index + 1] = cells[index + 1], cells[index]
    return f"cells {index} and {index + 1} are swapped"


def _cell_less(source: Source, rng: random.Random) -> str:
    """Leave a cell out."""
    cells = source.notebook["cells"]
    cell = cells.pop(rng.randrange(1, len(cells)))
    return f"without the cell {cell['source'][:60]!r}"


KINDS: dict[str, Change] = {
    "a character of a reply": _reply,
    "a character of a prompt": _prompt,
    "a parameter of a call": _parameter,
    "a type or a text of a schema": _schema,
    "the result of a tool": _tool_result,
    "a number in the code": _number,
    "a colour or text of a plot or page": _plot,
    "a statement less": _statement_less,
    "a call more": _call_more,
    "a recorded call less": _recording_less,
    "two cells in another order": _swapped,
    "a cell less": _cell_less,
}
"""The kinds of changes."""
