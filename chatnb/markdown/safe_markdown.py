"""Markdown that shows what a model wrote but lets none of it act.

A notebook trusts what its own cells print: JupyterLab puts the HTML in a `text/markdown` output
into the page as it stands. Renderers also disagree about where code begins and ends. So the safety
here does not lean on parsing: outside of fences that are beyond doubt, every tag, image and link
that could act is broken where it stands, be it in prose or in code. What the place looks like to
a Markdown parser only decides how: prose gets an entity, a formula a space, code an invisible
character.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

from chatnb.markdown.link_addresses import is_plain_autolink, is_safe_destination
from chatnb.markdown.regions import (
    Fence,
    Region,
    RegionMap,
    is_escaped,
    solid_fences,
)

_JOINER = "\u2060"
# An edit can change how the rest is read; beyond this only adversarial text changes its looks.
_MOST_PASSES = 4
_HAZARD = re.compile(
    r"(?P<tag><)(?=[A-Za-z/!?])"
    r"|(?P<image>(?<!!)!+\[)"
    r"|(?P<link>\](?=[(:]))"
    r"|(?P<tex>\\|&(?:#0*92|#x0*5c|bsol);)(?:"
    r"(?:href|url)(?![A-Za-z])(?!\s*\{\s*(?:https?://|mailto:))"
    r"|bbox(?![A-Za-z])(?!\s*(?:\{|\[[\w\s#,.:%-]*\]))"
    r"|(?:require|style|class|cssId|mmlToken|includegraphics)(?![A-Za-z]))",
    re.IGNORECASE,
)
_BARE_TAG = re.compile(r"<(?:/?(?:sub|sup|kbd|code)|br ?/?)>")
# After these marked no longer escapes text, so that a tag left open takes in the next one.
_RAW_TEXT_TAG = re.compile(r"<(?:kbd|code)>")
_ATTRIBUTE_FREE_TAG = re.compile(r"</?[A-Za-z][^>=\"'`\n]{0,200}>")
_TAG_NAME = re.compile(r"</?([A-Za-z][^\s/>]{0,99})")
_ADDRESS_LIKE_TAG = re.compile(r"</?(?!\w+::)[A-Za-z][\w+.-]*:[^\s>]")
_ACTIVE_NAME = re.compile(
    r"(?:applet|area|audio|base|basefont|bgsound|body|button|canvas|col|command|details|dialog|em"
    r"bed|fencedframe|font|form|frame|frameset|head|html|iframe|image|img|input|isindex|keygen"
    r"|link|listing|map|marquee|math|meta|noembed|noframes|noscript|object|optgroup|option|par"
    r"am|picture|plaintext|portal|pre|script|select|selectedcontent|slot|source|style|svg|temp"
    r"late|textarea|title|track|video|xmp)",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(
    r"(?<![\w-])(?:on[a-z]+|style|ping|href|src\w*|background|data[-\\][\w\\-]+)[\s\\]*(=)",
    re.IGNORECASE,
)
_HIDDEN_QUOTE = re.compile(r"\$|@\\*@|\\\\[(\[]|\\begin")
_LINKED = re.compile(r"\]\(|\]:|://|www\.|```|~~~", re.IGNORECASE)
_MATH = re.compile(r"\$|&(?:#0*36|#x0*24|dollar);|\\[(\[]|\\begin", re.IGNORECASE)
_IMAGE_TARGET = re.compile(r"\][(\[]")
_NO_ALT = re.compile(r"\s{0,9}\][(\[]")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_FENCE_LINE = re.compile(r"^([^\n`~]*+(?:`{3,}+|~{3,}+))([^\n]+)$", re.MULTILINE)
_UNSAFE_INFO = re.compile(r"[$\\]|@(?=@)")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_FETCHING_DIAGRAM = re.compile(
    r"//|\\|\b(?:url|src|image-set)\s*\(|\bimg\b[\"']?\s*:|@import|%%\{|^---|&#"
    r"|<(?!br ?/?>)[a-z!/]",
    re.IGNORECASE | re.MULTILINE,
)


class _Edit(NamedTuple):
    start: int
    end: int
    new: str


class _Hazard(NamedTuple):
    """A place that could act, and what to write there; None where it may stay as it is."""

    start: int
    end: int
    in_text: str
    in_math: str | None
    in_code: str | None


def safe_markdown(text: str) -> str:
    """Markdown that displays the same, executes nothing and fetches nothing.

    Ordinary replies come back as they are. Images become links; raw HTML shows as text; a link to
    anything but the web, a mail address or a relative place shows as its source.

    Args:
        text: What a model wrote, finished or broken off.

    Returns:
        Markdown that is safe as a trusted notebook output, with every word of the text in it.

    Example:
        >>> safe_markdown("Use `List<String>` or **[docs](https://python.org)**: $a < b$.")
        'Use `List<String>` or **[docs](https://python.org)**: $a < b$.'
        >>> safe_markdown("<img src=x onerror=alert(1)> ![cat](https://x.test/c.png)")
        '&lt;img src=x onerror=alert(1)> [cat](https://x.test/c.png)'
        >>> safe_markdown("[click](javascript:alert(1))")
        '[click]&#40;javascript:alert(1))'
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    for _ in range(_MOST_PASSES):
        before, text = text, _with_safe_hazards(_with_safe_info_strings(text))
        if text == before:
            break
    return text


def _with_safe_hazards(text: str) -> str:
    fences = solid_fences(text)
    layout = list(_fence_layout(text, fences))
    is_laid_out = all(text[edit.start : edit.end] == edit.new for edit in layout)
    hazards = [*_hazards(text), *_attribute_hazards(text, fences if is_laid_out else [])]
    if not hazards:
        return text
    edits = _edits(text, hazards)
    outside = [edit for edit in edits if not _lies_in(fences, edit.start)]
    if len(outside) < len(edits):
        edits = [*outside, *layout]
    return _apply(text, edits)


def _hazards(text: str) -> Iterator[_Hazard]:
    has_image_target = _image_targets(text)
    has_attributes = bool(_ATTRIBUTE.search(text) or _RAW_TEXT_TAG.search(text))
    has_definition = "]:" in text
    has_math = _MATH.search(text) is not None
    for found in _HAZARD.finditer(text):
        start, end = found.span()
        match found.lastgroup:
            case "tag":
                if not (_BARE_TAG.match(text, start) or is_plain_autolink(text, start)):
                    yield _tag_hazard(text, start, has_attributes)
            case "image":
                if has_image_target(end):
                    yield _image_hazard(text, start, end, dropped=1)
                elif has_definition:
                    # Without its mark `![label]: x` would become a definition, which never shows.
                    yield _image_hazard(text, start, end, dropped=0)
            case "link":
                if not is_safe_destination(text, end + 1):
                    mark = text[end]
                    yield _Hazard(end, end + 1, f"&#{ord(mark)};", f" {mark}", _JOINER + mark)
            case _:
                if has_math:
                    yield _Hazard(found.end("tex"), found.end("tex"), " ", " ", None)


def _tag_hazard(text: str, place: int, has_attributes: bool) -> _Hazard:
    found = _TAG_NAME.match(text, place)
    name = found[1] if found else ""
    named = bool(name) and not _ACTIVE_NAME.fullmatch(name)
    inert = named and not _ADDRESS_LIKE_TAG.match(text, place)
    bare = inert and _ATTRIBUTE_FREE_TAG.match(text, place) is not None
    in_math = None if bare or (inert and not has_attributes) else "< "
    return _Hazard(place, place + 1, "&lt;", in_math, None if bare else f"<{_JOINER}")


def _image_hazard(text: str, start: int, end: int, dropped: int) -> _Hazard:
    marks = end - start - 1
    if marks == 1 and is_escaped(text, start):
        dropped = 0
    alt = "image" if _NO_ALT.match(text, end) else ""
    in_text = "&#33;" * (marks - dropped) + "[" + alt
    return _Hazard(start, end, in_text, "!" * marks + " [", "!" * marks + f"{_JOINER}[")


def _image_targets(text: str) -> Callable[[int], bool]:
    """Whether something that could be an address follows a place within its paragraph."""
    targets = [found.start() for found in _IMAGE_TARGET.finditer(text)]
    breaks = [found.start() for found in _BLANK_LINE.finditer(text)]

    def has_target(place: int) -> bool:
        target = bisect_left(targets, place)
        if target == len(targets):
            return False
        end = bisect_left(breaks, place)
        return end == len(breaks) or targets[target] < breaks[end]

    return has_target


def _attribute_hazards(text: str, fences: list[Fence]) -> Iterator[_Hazard]:
    """Attribute-like text where an address could smuggle a quotation mark into its HTML.

    JupyterLab cuts formulas out before it renders and puts them back into the HTML with their
    quotation marks, even into the value of an attribute.
    """
    ends = [0, *(fence.end for fence in fences)]
    starts = [*(fence.start for fence in fences), len(text)]
    prose = "\n".join(text[end:start] for end, start in zip(ends, starts, strict=True))
    if '"' not in prose or not _HIDDEN_QUOTE.search(prose) or not _LINKED.search(prose):
        return
    for found in _ATTRIBUTE.finditer(text):
        start = found.start(1)
        if not _lies_in(fences, start):
            yield _Hazard(start, start + 1, "&#61;", f"{_JOINER}=", f"{_JOINER}=")


def _edits(text: str, hazards: list[_Hazard]) -> list[_Edit]:
    regions = RegionMap(text)
    edits: dict[int, _Edit] = {}
    for hazard in hazards:
        region = regions.at(hazard.start)
        start, end = hazard.start, hazard.end
        new = hazard.in_math if region.kind == "math" else hazard.in_code
        if region.kind == "text":
            # Not for insertions: their backslash is part of what they break.
            start -= is_escaped(text, start) and end > start
            new = hazard.in_text
        if new is None:
            continue
        if region.kind == "span":
            start, end = region.start, region.end
            if start in edits:
                continue
            new = _code_element(text, region)
        edits[start] = _Edit(start, end, new)
    return list(edits.values())


def _code_element(text: str, span: Region) -> str:
    """A code span as HTML in which no character means anything to Markdown."""
    code = text[span.start : span.end].strip("`").replace("\n", " ")
    if code.startswith(" ") and code.endswith(" ") and code.strip(" "):
        code = code[1:-1]
    code = _PUNCTUATION.sub(lambda found: f"&#{ord(found[0])};", code)
    return f"<code>{code}</code>"


def _lies_in(fences: list[Fence], place: int) -> bool:
    index = bisect_right(fences, place, key=lambda fence: fence.start) - 1
    return index >= 0 and place < fences[index].end


def _fence_layout(text: str, fences: list[Fence]) -> Iterator[_Edit]:
    """Blank lines around every fence and a closing line, so that nothing can reach across."""
    for fence in fences:
        if fence.start > 0 and text[max(0, fence.start - 2) : fence.start] not in ("\n\n", "\n"):
            yield _Edit(fence.start, fence.start, "\n")
        closing = fence.marks if fence.close < fence.end else f"\n{fence.marks}"
        gap = "" if text[fence.end : fence.end + 2] in ("", "\n", "\n\n") else "\n"
        yield _Edit(fence.close, fence.end, closing + gap)


def _with_safe_info_strings(text: str) -> str:
    """JupyterLab writes the words after a fence into its HTML unescaped, and draws mermaid."""
    if not _FENCE_LINE.search(text):
        return text
    is_solid = bool(solid_fences(text))
    whole_fetches = _FETCHING_DIAGRAM.search(text) is not None

    def rewrite(line: re.Match[str]) -> str:
        marks, info = line.groups()
        if "`" in info and "~" not in marks:
            return line[0]
        info = _UNSAFE_INFO.sub(" ", info.replace('"', "'"))
        if whole_fetches and html.unescape(info).strip().lower().startswith("mermaid"):
            end = text.find("\n```", line.end()) if is_solid else len(text)
            diagram = text[line.end() : end if end >= 0 else len(text)]
            if not is_solid or _FETCHING_DIAGRAM.search(diagram):
                info = f"text {info.strip()}"
        return marks + info

    return _FENCE_LINE.sub(rewrite, text)


def _apply(text: str, edits: list[_Edit]) -> str:
    parts: list[str] = []
    place = 0
    for edit in sorted(edits):
        parts += [text[place : edit.start], edit.new]
        place = edit.end
    return "".join([*parts, text[place:]])
