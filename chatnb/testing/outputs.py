"""What a cell shows: as text to read, and compared with what it showed before."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from chatnb.testing.normalising import normalised

Output: TypeAlias = "Mapping[str, Any]"

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_READ_FIRST = ("text/markdown", "text/plain", "text/html")
_NOT_COMPARED = (WIDGET_VIEW, "image/png", "image/jpeg")
"""What is drawn by lot or differs from machine to machine, in its bytes."""

_OTHER_KINDS = "The cell shows other kinds of output (- in the notebook, + of this run):"


class Part(NamedTuple):
    """One piece of what a cell shows.

    Args:
        kind: `stdout`, `error`, or a type of data such as `text/markdown`.
        text: What it says.
    """

    kind: str
    text: str


def parts_of(outputs: Sequence[Output]) -> list[Part]:
    """Take outputs apart into what is compared.

    Args:
        outputs: Outputs as notebooks save them, streams joined.

    Example:
        >>> parts_of([{"output_type": "stream", "name": "stdout", "text": "Hi\\n"}])
        [Part(kind='stdout', text='Hi\\n')]
    """
    parts = list[Part]()
    for output in outputs:
        kind = output["output_type"]
        if kind == "stream":
            parts.append(Part(output["name"], output["text"]))
        elif kind == "error":
            parts.append(Part("error", f"{output['ename']}: {output['evalue']}"))
        else:
            data = cast("Mapping[str, Any]", output["data"])
            parts += [Part(mime, _as_text(data[mime])) for mime in sorted(data, key=_rank)]
    return [part for part in parts if part.kind not in _NOT_COMPARED]


def readable(outputs: Sequence[Output]) -> str:
    """What the outputs say to a reader: of each the one form that reads best, normalised."""
    texts = list[str]()
    for output in outputs:
        parts = parts_of([output])
        if parts:
            texts.append(normalised(parts[0].text).rstrip("\n"))
        elif "data" in output:
            texts.append(f"[{', '.join(output['data'])}]")
    return "\n\n".join(texts)


def difference(old: Sequence[Output], new: Sequence[Output], approx: float | None = None) -> str:
    """Say how what a cell shows differs from what it showed, or nothing if it does not.

    Args:
        old: The outputs that are saved in the notebook.
        new: Those of this run.
        approx: How alike the texts must be, from 0 to 1, instead of equal.

    Returns:
        Lines to read, or an empty text.

    Example:
        >>> said = lambda text: [{"output_type": "stream", "name": "stdout", "text": text}]
        >>> print(difference(said("a\\nb\\n"), said("a\\nc\\n")))
        stdout differs (- in the notebook, + of this run):
          a
        - b
        + c
        >>> difference(said("three colours"), said("four colours"), approx=0.7)
        ''
    """
    if structure(old) != structure(new):
        return _other_kinds(old, new)
    pairs = zip(_sorted(old), _sorted(new), strict=True)
    unlike = [(was, now) for was, now in pairs if normalised(was.text) != normalised(now.text)]
    if not unlike:
        return ""
    if approx is None:
        return _line_by_line(*unlike[0])
    likeness = min(_likeness(was, now) for was, now in unlike)
    if likeness >= approx:
        return ""
    said = f"The outputs are {likeness:.2f} alike, and the cell's tag asks for {approx:g}."
    return f"{said}\n{_line_by_line(*unlike[0])}"


def structure(outputs: Sequence[Output]) -> list[str]:
    """What kinds of data there are, whatever they say.

    Example:
        >>> structure([{"output_type": "stream", "name": "stdout", "text": "Hi"}])
        ['stdout']
    """
    drawn = [f"{m} (not compared)" for o in outputs for m in o.get("data", {}) if "image/" in m]
    return sorted([*(part.kind for part in parts_of(outputs)), *drawn])


def _sorted(outputs: Sequence[Output]) -> list[Part]:
    """By kind: the order of a stream and a display is up to chance, that of two displays is not."""
    return sorted(parts_of(outputs), key=lambda part: _rank(part.kind))


def _rank(kind: str) -> tuple[int, str]:
    return (_READ_FIRST.index(kind) if kind in _READ_FIRST else len(_READ_FIRST), kind)


def _as_text(data: Any) -> str:
    if isinstance(data, str):
        return data
    if isinstance(data, list) and all(isinstance(line, str) for line in cast("list[Any]", data)):
        return "".join(cast("list[str]", data))
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, default=str)


def _likeness(was: Part, now: Part) -> float:
    texts = (normalised(was.text), normalised(now.text))
    return difflib.SequenceMatcher(None, *texts, autojunk=False).ratio()


def _line_by_line(was: Part, now: Part) -> str:
    old, new = normalised(was.text).splitlines(), normalised(now.text).splitlines()
    compared = list(difflib.unified_diff(old, new, n=2, lineterm=""))[2:]
    lines = [f"{line[:1]} {line[1:]}" for line in compared if not line.startswith("@@")]
    return "\n".join([f"{was.kind} differs (- in the notebook, + of this run):", *lines])


def _other_kinds(old: Sequence[Output], new: Sequence[Output]) -> str:
    was, now = structure(old), structure(new)
    lines = [f"- {kind}" for kind in _without(was, now)] + [
        f"+ {kind}" for kind in _without(now, was)
    ]
    said = readable(new)
    shown = ["It shows:", *(f"  {line}" for line in said.splitlines())] if said else []
    return "\n".join(
        ["The cell shows other kinds of output (- in the notebook, + of this run):", *lines, *shown]
    )


def _without(some: Sequence[str], others: Sequence[str]) -> list[str]:
    left = list(others)
    rest = list[str]()
    for each in some:
        if each in left:
            left.remove(each)
        else:
            rest.append(each)
    return rest
