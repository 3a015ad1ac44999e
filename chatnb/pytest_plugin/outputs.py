"""Outputs of a cell: folded from the kernel's messages, normalised, and compared."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias, cast

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


_REPLACEMENTS: tuple[tuple[str, str], ...] = (
    (r"\x1b\[[0-9;?]*[A-Za-z]", ""),
    (r"\b0x[0-9a-fA-F]{6,}\b", "<address>"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id>"),
    (r"\b[0-9a-f]{32}\b", "<id>"),
    (
        r"\b(chatcmpl|resp|msg|call|run|req|rs|fc|toolu)([-_])(?=\w*\d)[A-Za-z0-9]{8,}\b",
        r"\1\2<id>",
    ),
    (r" ?\(request [\w-]+\)", ""),
    (
        r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?",
        "<time>",
    ),
    (r"\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?\b", "<time>"),
    (r"\b[\d.,]*\d\s?(?:tokens|tok|it|chunks|[kM]?B)/s\b", "<rate>"),
    (
        r"(?:(?:\\?<|&lt;) ?)?(?<![\w.])\d+(?:[.,]\d+)?"
        r"(?:\s|&nbsp;)?(?:ns|[\u00b5\u03bc]s|us|ms|s|min)\b",
        "<duration>",
    ),
    (r"<duration>(?: <duration>)+", "<duration>"),
    (r"(?<=\b127\.0\.0\.1:)\d+|(?<=\blocalhost:)\d+", "<port>"),
    (r"(?:/private)?(?:/tmp|/var/folders|/var/tmp)(?:/[\w.+@-]+)+", "<temporary>"),
    (r"[A-Za-z]:\\[^\s\"']*\\Temp\\[^\s\"']+", "<temporary>"),
    (r"(?<=<ipython-input-)[\w-]+(?=>)", "<id>"),
    (r"[ \t]+$", ""),
)
_PATTERNS = tuple((re.compile(pattern, re.MULTILINE), new) for pattern, new in _REPLACEMENTS)


class _Everything(Container[str]):
    def __contains__(self, text: object) -> bool:
        return True


NO_FACTS: Container[str] = frozenset[str]()
EXACT: Container[str] = _Everything()
"""Nothing of a cell may vary, and images are compared as well."""


def facts_in(replies: str) -> frozenset[str]:
    """Return what looks as if it varied, but stands in recorded replies, which do not."""
    found = (pattern.finditer(replies) for pattern, new in _PATTERNS if new)
    return frozenset(match[0] for matches in found for match in matches)


def normalize(text: str, facts: Container[str] = NO_FACTS) -> str:
    """Replace ids, times, durations, rates, addresses, ports and temporary paths in a text.

    Example:
        >>> normalize("30 min, 2 s", facts_in("Bake it for 30 min."))
        '30 min, <duration>'
    """
    for pattern, new in _PATTERNS:
        text = pattern.sub(lambda match, new=new: _replaced(match, new, facts), text)
    return text


def _replaced(match: re.Match[str], new: str, facts: Container[str]) -> str:
    return match[0] if match[0] in facts else match.expand(new)


Output: TypeAlias = "Mapping[str, Any]"

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_CONTEXT_LINES = 2
_PREFERRED_TYPES = ("text/markdown", "text/plain", "text/html")
# Random, or different in its bytes on every machine.
_NOT_COMPARED = (WIDGET_VIEW, "image/png", "image/jpeg")


class OutputPart(NamedTuple):
    """A part of a cell's output: `stdout`, `error`, or a MIME type such as `text/markdown`."""

    type: str
    text: str


def split_outputs(outputs: Sequence[Output], *, images: bool = False) -> list[OutputPart]:
    """Split outputs, with joined streams, into the parts to compare."""
    left_out = (WIDGET_VIEW,) if images else _NOT_COMPARED
    parts = list[OutputPart]()
    for output in outputs:
        type = output["output_type"]
        if type == "stream":
            parts.append(OutputPart(output["name"], output["text"]))
        elif type == "error":
            parts.append(OutputPart("error", f"{output['ename']}: {output['evalue']}"))
        else:
            data = cast("Mapping[str, Any]", output["data"])
            parts += [OutputPart(mime, _data_text(mime, data)) for mime in sorted(data, key=_rank)]
    return [part for part in parts if part.type not in left_out]


def readable(outputs: Sequence[Output]) -> str:
    """Return the outputs as text: the most readable type of each, normalized."""
    texts = list[str]()
    for output in outputs:
        parts = split_outputs([output])
        if parts:
            texts.append(normalize(parts[0].text).rstrip("\n"))
        elif "data" in output:
            texts.append(f"[{', '.join(output['data'])}]")
    return "\n\n".join(texts)


def difference(
    old: Sequence[Output],
    new: Sequence[Output],
    approx: float | None = None,
    facts: Container[str] = NO_FACTS,
) -> str:
    """Describe the difference of two lists of outputs; return "" for equal ones."""
    if structure(old) != structure(new):
        return _other_types(old, new)
    images = facts is EXACT
    pairs = zip(_sorted(old, images=images), _sorted(new, images=images), strict=True)
    unlike = [
        (was, now) for was, now in pairs if normalize(was.text, facts) != normalize(now.text, facts)
    ]
    if not unlike:
        return ""
    if approx is None:
        return _line_by_line(*unlike[0], facts)
    similarity = min(_similarity(was, now, facts) for was, now in unlike)
    if similarity >= approx:
        return ""
    head = f"The similarity of the outputs is {similarity:.2f}; the cell's tag requires {approx:g}."
    return f"{head}\n{_line_by_line(*unlike[0], facts)}"


def structure(outputs: Sequence[Output]) -> list[str]:
    """Return the types of the outputs, without their text."""
    images = [f"{m} (not compared)" for o in outputs for m in o.get("data", {}) if "image/" in m]
    return sorted([*(part.type for part in split_outputs(outputs)), *images])


def _sorted(outputs: Sequence[Output], *, images: bool) -> list[OutputPart]:
    """Sort by type: the order of a stream and a display is random, that of two displays is not."""
    return sorted(split_outputs(outputs, images=images), key=lambda part: _rank(part.type))


def _rank(type: str) -> tuple[int, str]:
    known = type in _PREFERRED_TYPES
    return (_PREFERRED_TYPES.index(type) if known else len(_PREFERRED_TYPES), type)


def _data_text(mime: str, data: Mapping[str, Any]) -> str:
    text = _as_text(data[mime])
    # Front ends break the lines of images in ways of their own.
    return "".join(text.split()) if mime in _NOT_COMPARED else text


def _as_text(data: Any) -> str:
    if isinstance(data, str):
        return data
    if isinstance(data, list) and all(isinstance(line, str) for line in cast("list[Any]", data)):
        return "".join(cast("list[str]", data))
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False, default=str)


def _similarity(was: OutputPart, now: OutputPart, facts: Container[str]) -> float:
    texts = (normalize(was.text, facts), normalize(now.text, facts))
    return difflib.SequenceMatcher(None, *texts, autojunk=False).ratio()


def _line_by_line(was: OutputPart, now: OutputPart, facts: Container[str]) -> str:
    if was.type in _NOT_COMPARED:
        return f"{was.type} differs: the image is another one."
    old, new = was.text.splitlines(), now.text.splitlines()
    # Lines are compared as they count, and shown as they are.
    pair = (normalize(was.text, facts).splitlines(), normalize(now.text, facts).splitlines())
    if (len(pair[0]), len(pair[1])) != (len(old), len(new)):
        pair = (old, new)
    lines = list[str]()
    matcher = difflib.SequenceMatcher(None, *pair, autojunk=False)
    for group in matcher.get_grouped_opcodes(_CONTEXT_LINES):
        for change, a, b, c, d in group:
            equal = change == "equal"
            lines += [f"{' ' if equal else '-'} {line}" for line in old[a:b]]
            lines += [] if equal else [f"+ {line}" for line in new[c:d]]
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
