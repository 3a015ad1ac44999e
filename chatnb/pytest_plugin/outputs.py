"""Outputs of a cell: folded from the kernel's messages, and compared."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from chatnb.markdown.media import IMAGE_TYPES
from chatnb.pytest_plugin.images import image_difference
from chatnb.pytest_plugin.masks.cell_masks import NOTHING_VARIES, CellMask
from chatnb.pytest_plugin.masks.line_patterns import STAND_IN
from chatnb.pytest_plugin.text_matching import BoundedMatcher, similarity
from chatnb.terminal import without_colours

OUTPUT_FIELDS = {
    "display_data": ("data", "metadata"),
    "execute_result": ("data", "metadata", "execution_count"),
    "stream": ("name", "text"),
    "error": ("ename", "evalue", "traceback"),
}
"""The messages of a kernel that are outputs, and which of their fields are."""


class OutputFolder:
    """Applies updates of displays and `clear_output` to the outputs of a cell."""

    # nbval only appends each message to a list, so this sees every message before it does.

    def __init__(self) -> None:
        self._displays: dict[str, list[dict[str, Any]]] = {}
        self._announced: str | None = None
        self._clear_next = False

    def begin_cell(self) -> None:
        """Start a cell; displays of earlier cells can still be updated."""
        self._announced, self._clear_next = None, False

    def apply(self, message: dict[str, Any], outputs: list[Any]) -> bool:
        """Apply a message of the kernel to the outputs of the running cell, in place."""
        self._register_announced(outputs)
        type, content = message["msg_type"], message["content"]
        if type == "update_display_data":
            for output in self._displays.get(content["transient"]["display_id"], []):
                output["data"], output["metadata"] = content["data"], content["metadata"]
            return False
        if type == "clear_output":
            self._clear_next = bool(content.get("wait"))
            if not self._clear_next:
                outputs.clear()
            return False
        if type in OUTPUT_FIELDS:
            if self._clear_next:
                outputs.clear()
                self._clear_next = False
            self._announced = content.get("transient", {}).get("display_id")
        return True

    def _register_announced(self, outputs: list[Any]) -> None:
        """Register the display that the last message announced: it is in the list by now."""
        if self._announced is not None and outputs:
            self._displays.setdefault(self._announced, []).append(outputs[-1])
        self._announced = None


Output: TypeAlias = "Mapping[str, Any]"

SVG = "image/svg+xml"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_CONTEXT_LINES = 2
_MAX_LINES = 200
_PREFERRED_TYPES = ("text/markdown", "text/plain", "text/html")
# Spaces at the ends of lines, and what %time and %timeit add on a machine with other work.
_NOT_COUNTED = re.compile(
    r"[ \t]+$|^The slowest run took .+ times longer .+\n|^(?:Compiler(?: time)?|Parser) *: .+\n?",
    re.MULTILINE,
)


class OutputPart(NamedTuple):
    """A part of a cell's output.

    Args:
        type: `stdout`, `error`, or a MIME type such as `text/markdown`.
        text: Its text, or its data in base64.
        name: The type, with a number from the second part of this type on.
    """

    type: str
    text: str
    name: str


class Comparison(NamedTuple):
    """The rules by which the outputs of a cell are compared.

    Args:
        mask: What varies from replay to replay.
        is_exact: True if nothing may vary, also no byte of an image.
        similarity: The similarity that is enough, from 0 to 1. Default: equality.
    """

    mask: CellMask = NOTHING_VARIES
    is_exact: bool = False
    similarity: float | None = None

    def text(self, part: OutputPart) -> str:
        """Return the text of a part as it counts."""
        if self.is_exact:
            return part.text
        plain = _NOT_COUNTED.sub("", without_colours(part.text))
        return self.mask.masked(part.name, plain)


EQUAL = Comparison()


def split_outputs(outputs: Sequence[Output]) -> list[OutputPart]:
    """Split outputs, with joined streams, into the parts to compare."""
    counts = Counter[str]()
    parts = list[OutputPart]()
    for type, text in (pair for output in outputs for pair in _typed_texts(output)):
        counts[type] += 1
        number = f" {counts[type]}" if counts[type] > 1 else ""
        parts.append(OutputPart(type, text, f"{type}{number}"))
    return parts


def _typed_texts(output: Output) -> list[tuple[str, str]]:
    type = output["output_type"]
    if type == "stream":
        return [(output["name"], output["text"])]
    if type == "error":
        return [("error", f"{output['ename']}: {output['evalue']}")]
    data = cast("Mapping[str, Any]", output["data"])
    # The view of a widget is a random id.
    shown = sorted(data.keys() - {WIDGET_VIEW}, key=_rank)
    return [(mime, _data_text(mime, data)) for mime in shown]


def readable(outputs: Sequence[Output], mask: CellMask = NOTHING_VARIES) -> str:
    """Return the outputs as text: the most readable type of each, without what varies."""
    rules = Comparison(mask)
    parts = iter(split_outputs(outputs))
    texts = list[str]()
    for output in outputs:
        own = [next(parts) for _ in _typed_texts(output)]
        if own and not own[0].type.startswith("image/"):
            texts.append(rules.text(own[0]).replace(STAND_IN, "\u2026").rstrip("\n"))
        elif "data" in output:
            texts.append(f"[{', '.join(output['data'])}]")
    return "\n\n".join(texts)


def images(outputs: Sequence[Output]) -> list[tuple[str, str]]:
    """Return the image of each output that has one, as its type and its data in base64."""
    found = list[tuple[str, str]]()
    for output in outputs:
        data = output.get("data", {})
        if (mime := next((mime for mime in IMAGE_TYPES if mime in data), None)) is not None:
            found.append((mime, _data_text(mime, data)))
        elif SVG in data:
            found.append((SVG, b64encode(_as_text(data[SVG]).encode()).decode()))
    return found


def difference(old: Sequence[Output], new: Sequence[Output], rules: Comparison = EQUAL) -> str:
    """Describe the difference of two lists of outputs; return "" for equal ones."""
    if structure(old) != structure(new):
        return _other_types(old, new)
    found = (_part_difference(*pair, rules) for pair in paired_parts(old, new))
    return next((text for text in found if text), "")


def paired_parts(
    old: Sequence[Output], new: Sequence[Output]
) -> list[tuple[OutputPart, OutputPart]]:
    """Return the parts of two lists of outputs that have equal types."""
    # The order of a stream and a display is random, that of two displays is not.
    old_parts, new_parts = (
        sorted(split_outputs(outputs), key=lambda part: _rank(part.type)) for outputs in (old, new)
    )
    return list(zip(old_parts, new_parts, strict=True))


def structure(outputs: Sequence[Output]) -> list[str]:
    """Return the types of the outputs, without their text."""
    return sorted(part.type for part in split_outputs(outputs))


def _part_difference(was: OutputPart, now: OutputPart, rules: Comparison) -> str:
    if was.type in IMAGE_TYPES and not rules.is_exact:
        text = image_difference(was.text, now.text, rules.similarity)
        return text and f"{was.type} differs: {text}."
    texts = rules.text(was), rules.text(now)
    if texts[0] == texts[1]:
        return ""
    if rules.similarity is None:
        return _line_by_line(was, now, *texts)
    alike = similarity(*texts)
    if alike >= rules.similarity:
        return ""
    head = (
        f"The similarity of the outputs is {alike:.2f}; "
        f"the cell's tag requires {rules.similarity:g}."
    )
    return f"{head}\n{_line_by_line(was, now, *texts)}"


def _rank(type: str) -> tuple[int, str]:
    known = type in _PREFERRED_TYPES
    return (_PREFERRED_TYPES.index(type) if known else len(_PREFERRED_TYPES), type)


def _data_text(mime: str, data: Mapping[str, Any]) -> str:
    text = _as_text(data[mime])
    # Front ends break the lines of images in ways of their own.
    return "".join(text.split()) if mime in IMAGE_TYPES else text


def _as_text(data: Any) -> str:
    if isinstance(data, str):
        return data
    if isinstance(data, list) and all(isinstance(line, str) for line in cast("list[Any]", data)):
        return "".join(cast("list[str]", data))
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, default=str)


def _line_by_line(was: OutputPart, now: OutputPart, old_text: str, new_text: str) -> str:
    if was.type in IMAGE_TYPES:
        return f"{was.type} differs: the image is another one."
    old, new = was.text.splitlines(), now.text.splitlines()
    # Lines are compared as they count, and shown as they are.
    pair = (old_text.splitlines(), new_text.splitlines())
    if (len(pair[0]), len(pair[1])) != (len(old), len(new)):
        pair = (old, new)
    lines = list[str]()
    for group in BoundedMatcher(*pair).get_grouped_opcodes(_CONTEXT_LINES):
        for change, a, b, c, d in group:
            equal = change == "equal"
            lines += [f"{' ' if equal else '-'} {line}" for line in old[a:b]]
            lines += [] if equal else [f"+ {line}" for line in new[c:d]]
    if (more := len(lines) - _MAX_LINES) > 1:
        lines[_MAX_LINES // 2 : -_MAX_LINES // 2] = [f"  ... {more} more lines ..."]
    return "\n".join([f"{was.type} differs (- in the notebook, + of this run):", *lines])


def _other_types(old: Sequence[Output], new: Sequence[Output]) -> str:
    was, now = structure(old), structure(new)
    gone, added = Counter(was) - Counter(now), Counter(now) - Counter(was)
    lines = [
        *(f"- {type}" for type in gone.elements()),
        *(f"+ {type}" for type in added.elements()),
    ]
    text = readable(new)
    shown = ["Its output is:", *(f"  {line}" for line in text.splitlines())] if text else []
    head = "The types of output differ (- in the notebook, + of this run):"
    return "\n".join([head, *lines, *shown])
