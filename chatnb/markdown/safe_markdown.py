"""Markdown that displays a model's reply but cannot execute or fetch anything."""

from __future__ import annotations

import html
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import unquote

from chatnb.markdown.diagrams import is_inert_diagram
from chatnb.markdown.regions import (
    Fence,
    Region,
    RegionMap,
    is_escaped,
    solid_fences,
)
from chatnb.markdown.tex_commands import refused_commands
from chatnb.markdown.typesetting import with_typeset_delimiters

# A notebook trusts the outputs of its own cells: JupyterLab puts the HTML of a `text/markdown`
# output into the page as it is. Renderers also disagree about where code begins and ends. So safety
# does not rely on parsing: outside of solid fences, every tag, image and link that could act is
# broken, in prose and in code alike. Parsing only decides how: prose gets an entity, a formula a
# space, code an invisible character.

MAX_COLOURED = 40_000
"""The characters of code that are coloured at most: the colours of more hold up the page."""

_ADDRESS = re.compile(
    r"<(?:https?://[^\s<>\"'`\\$]{1,2000}|[\w.+-]{1,64}@[\w.-]{1,99})>", re.IGNORECASE
)
# Where a renderer takes the address for a tag, a part of its path is an attribute.
_ADDRESS_WITH_ATTRIBUTE = re.compile(r"/[\w-]+=|@@")
_MAX_ADDRESS = 100
# A line break may come first, and in a quotation its marks after that.
_DESTINATION = re.compile(rf"[\s>]*(?:<([^<>\n]{{0,{_MAX_ADDRESS}}})|([^\s)]{{0,{_MAX_ADDRESS}}}))")
# What JupyterLab puts formulas back in for.
_MARKER = re.compile(r"@\\*@")
_PLAIN_BEGINNING = re.compile(r"(?:https?|mailto):|[^&%\\:]*[/?#]", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_SAFE_SCHEMES = frozenset(["http", "https", "mailto"])
_IGNORED_IN_URLS = re.compile(r"[\x00-\x20\x7f-\xa0\\<\u200b-\u200f\u2028-\u202f\u2060\ufeff]+")


def is_safe_destination(text: str, index: int) -> bool:
    """Return whether the link destination at an index is a web, mail or relative address."""
    found = _DESTINATION.match(text, index)
    address = (found[1] or found[2] or "") if found else ""
    if len(address) == _MAX_ADDRESS and not _PLAIN_BEGINNING.match(address):
        return False
    if _MARKER.search(address):
        return False
    for _ in range(3):
        address = _IGNORED_IN_URLS.sub("", address)
        scheme = _SCHEME.match(address)
        if scheme and scheme[1].lower() not in _SAFE_SCHEMES:
            return False
        if "&" not in address and "%" not in address:
            break
        address = unquote(html.unescape(address))
    return True


def is_plain_autolink(text: str, index: int) -> bool:
    """Return whether `<https://...>` or `<name@host>` is at an index, and not like an attribute."""
    found = _ADDRESS.match(text, index)
    return found is not None and not _ADDRESS_WITH_ATTRIBUTE.search(found[0])


_MARKDOWN_CHARACTER = re.compile(r"([\\`*_\[\]<>|~$&!#])")


def plain_markdown(text: str) -> str:
    """Escape a text as one line of Markdown, also for the cell of a table."""
    escaped = _MARKDOWN_CHARACTER.sub(r"\\\1", " ".join(text.split()))
    # With a backslash it would open a formula.
    return escaped.replace(r"\[", "&#91;")


_JOINER = "\u2060"
# In place of an edit: the whole formula becomes code.
_AS_SOURCE = "source"
# An edit can change how the rest is read; beyond this only adversarial text changes its looks.
_MAX_PASSES = 4
_HAZARD = re.compile(
    r"(?P<tag><)(?=[A-Za-z/!?])"
    r"|(?P<image>(?<!!)!+\[)"
    r"|(?P<link>\](?=[(:]))"
    r"|(?P<ftp>(?<=ftp):(?=//))",
    re.IGNORECASE,
)
# A link with images in its label, as of the badges of a project. A link within it would end it.
_TITLE = r"(?:\s+(?:\"[^\"\n]*+\"|'[^'\n]*+'))?+"
_IMAGE = rf"!\[(?P<alt>[^\[\]\n`<$\\]*+)\](?:\([^()\s]*+{_TITLE}\)|\[[^\[\]\n]*+\])"
_IMAGE_IN_LABEL = re.compile(_IMAGE)
_WORDS_IN_LABEL = r"(?:[^\[\]\n`<$\\!]|!++(?!\[)|\n(?![ \t]*\n))*+"
_LABEL_WITH_IMAGES = re.compile(
    rf"\[(?:{_WORDS_IN_LABEL}{_IMAGE.replace('?P<alt>', '?:')})++{_WORDS_IN_LABEL}\](?=[(\[])"
)
_BARE_TAG = re.compile(r"<(?:/?(?:sub|sup|kbd|code|span)|br ?/?)>")
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
# Of a text that is read backwards, so that no part of it is read for each beginning of a name.
_NAME_BEFORE_EQUALS = re.compile(r"=[\s\\]*+([\w\\-]++)")
_ATTRIBUTE_NAME = re.compile(
    r"(?:\A|\\)(?:data[-\\]|(?:on[a-z]+|style|ping|href|src\w*|background)\Z)", re.IGNORECASE
)
_HIDDEN_QUOTE = re.compile(r"\$|@\\*@|\\\\[(\[]|\\begin")
_LINKED = re.compile(r"\]\(|\]:|://|www\.|```|~~~", re.IGNORECASE)
_IMAGE_TARGET = re.compile(r"\][(\[]")
_NO_ALT = re.compile(r"\s{0,9}\][(\[]")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
# JupyterLab strikes out what single tildes enclose, as in "3~5 or 10~20".
_SINGLE_TILDE = re.compile(r"(?<!~)~(?!~)")
_FENCE_LINE = re.compile(r"^([^\n`~]*+(?:`{3,}+|~{3,}+))([^\n]+)$", re.MULTILINE)
_UNSAFE_INFO = re.compile(r"[$\\]|@(?=@)")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


class _Edit(NamedTuple):
    start: int
    end: int
    new: str


class _Hazard(NamedTuple):
    """An active range and its replacements; None where it may stay as it is."""

    start: int
    end: int
    in_text: str
    in_math: str | None
    in_code: str | None


class SafeMarkdown(str):
    """Markdown that displays as the text it is made of, executes nothing and fetches nothing.

    Args:
        text: Any Markdown. Ordinary replies are not changed. Images become links, and
            words where they are in one; raw HTML is
            displayed as text; a link to anything but the web, a mail address or a relative address
            is displayed as its source.

    Example:
        >>> SafeMarkdown("**Hi** <b onclick=alert(1)>")
        '**Hi** &lt;b onclick=alert(1)>'
    """

    __slots__ = ()

    def __new__(cls, text: str = "") -> SafeMarkdown:
        return text if isinstance(text, SafeMarkdown) else super().__new__(cls, _inert(text))


def join_blocks(*blocks: str) -> SafeMarkdown:
    """Join blocks of Markdown by blank lines, without empty ones."""
    # As a whole, since a fence or a formula that a block leaves open would reach into the next.
    return SafeMarkdown("\n\n".join(filter(None, blocks)))


def _inert(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    text = with_typeset_delimiters(text)
    for _ in range(_MAX_PASSES):
        before, text = text, _with_safe_hazards(_with_safe_info_strings(text))
        if text == before:
            break
    return text


def safe_markdown(text: str) -> SafeMarkdown:
    """Return Markdown that displays the same, executes nothing and fetches nothing."""
    return SafeMarkdown(text)


def _with_safe_hazards(text: str) -> str:
    fences = solid_fences(text)
    layout = list(_fence_layout(text, fences))
    is_laid_out = all(text[edit.start : edit.end] == edit.new for edit in layout)
    hazards = [
        *_hazards(text),
        *_attribute_hazards(text, fences if is_laid_out else []),
        *_tilde_hazards(text, fences),
    ]
    if not hazards:
        return text
    edits = _edits(text, hazards)
    outside = [edit for edit in edits if not _lies_in(fences, edit.start)]
    if len(outside) < len(edits):
        edits = [*outside, *layout]
    return _apply(text, edits)


def _hazards(text: str) -> Iterator[_Hazard]:
    has_image_target = _image_targets(text)
    has_attributes = next(_attributes(text), None) is not None or bool(_RAW_TEXT_TAG.search(text))
    has_definition = "]:" in text
    linked = _linked_images(text)
    yield from linked.values()
    for found in _HAZARD.finditer(text):
        start, end = found.span()
        match found.lastgroup:
            case "tag":
                if not (_BARE_TAG.match(text, start) or is_plain_autolink(text, start)):
                    yield _tag_hazard(text, start, has_attributes)
            case "image" if start in linked:
                pass
            case "ftp":
                # Browsers open none of these, nor does the live view.
                yield _Hazard(start, end, "&#58;", None, None)
            case "image":
                if has_image_target(end):
                    yield _image_hazard(text, start, end, dropped=1)
                elif has_definition:
                    # Without its mark `![label]: x` would become a definition, which never shows.
                    yield _image_hazard(text, start, end, dropped=0)
            case _:
                if not is_safe_destination(text, end + 1):
                    mark = text[end]
                    yield _Hazard(end, end + 1, f"&#{ord(mark)};", f" {mark}", _JOINER + mark)
    for start, is_active, is_line_break in refused_commands(text):
        in_math, in_code = None if is_line_break else _AS_SOURCE, _JOINER if is_active else None
        yield _Hazard(start, start, _JOINER, in_math, in_code)


def _tag_hazard(text: str, index: int, has_attributes: bool) -> _Hazard:
    found = _TAG_NAME.match(text, index)
    name = found[1] if found else ""
    named = bool(name) and not _ACTIVE_NAME.fullmatch(name)
    inert = named and not _ADDRESS_LIKE_TAG.match(text, index)
    bare = inert and _ATTRIBUTE_FREE_TAG.match(text, index) is not None
    in_math = None if bare or (inert and not has_attributes) else "< "
    return _Hazard(index, index + 1, "&lt;", in_math, None if bare else f"<{_JOINER}")


def _image_hazard(text: str, start: int, end: int, dropped: int) -> _Hazard:
    marks = end - start - 1
    if marks == 1 and is_escaped(text, start):
        dropped = 0
    alt = "image" if _NO_ALT.match(text, end) else ""
    in_text = "&#33;" * (marks - dropped) + "[" + alt
    return _Hazard(start, end, in_text, "!" * marks + " [", "!" * marks + f"{_JOINER}[")


def _linked_images(text: str) -> dict[int, _Hazard]:
    """Return the images in labels of links by their indices: of each, its words stay."""
    images = dict[int, _Hazard]()
    for label in _LABEL_WITH_IMAGES.finditer(text):
        found = list(_IMAGE_IN_LABEL.finditer(text, *label.span()))
        addresses = [image.end("alt") + 2 for image in found] + [label.end() + 1]
        if not all(is_safe_destination(text, address) for address in addresses):
            continue
        for image in found:
            start, rest = image.start(), text[image.start() + 1 : image.end()]
            words = image["alt"].strip() or "image"
            images[start] = _Hazard(start, image.end(), words, f"! {rest}", f"!{_JOINER}{rest}")
    return images


def _image_targets(text: str) -> Callable[[int], bool]:
    """Return a function that finds a possible address after an index in the same paragraph."""
    targets = [found.start() for found in _IMAGE_TARGET.finditer(text)]
    breaks = [found.start() for found in _BLANK_LINE.finditer(text)]

    def has_target(index: int) -> bool:
        target = bisect_left(targets, index)
        if target == len(targets):
            return False
        end = bisect_left(breaks, index)
        return end == len(breaks) or targets[target] < breaks[end]

    return has_target


def _attribute_hazards(text: str, fences: list[Fence]) -> Iterator[_Hazard]:
    """Yield attribute-like text where an address could smuggle a quotation mark into its HTML."""
    # JupyterLab cuts formulas out before it renders and puts them back into the HTML with their
    # quotation marks, even into the value of an attribute.
    ends = [0, *(fence.end for fence in fences)]
    starts = [*(fence.start for fence in fences), len(text)]
    prose = "\n".join(text[end:start] for end, start in zip(ends, starts, strict=True))
    if '"' not in prose or not _HIDDEN_QUOTE.search(prose) or not _LINKED.search(prose):
        return
    for start in _attributes(text):
        if not _lies_in(fences, start):
            yield _Hazard(start, start + 1, "&#61;", f"{_JOINER}=", f"{_JOINER}=")


def _attributes(text: str) -> Iterator[int]:
    """Yield the indices of equals signs after names of attributes, the last one first."""
    for found in _NAME_BEFORE_EQUALS.finditer(text[::-1]):
        if _ATTRIBUTE_NAME.search(found[1][::-1]):
            yield len(text) - 1 - found.start()


def _tilde_hazards(text: str, fences: list[Fence]) -> Iterator[_Hazard]:
    """Yield single tildes that another one of the same paragraph would close."""
    breaks = [found.start() for found in _BLANK_LINE.finditer(text)]
    closer: int | None = None
    for found in reversed(list(_SINGLE_TILDE.finditer(text))):
        start, end = found.span()
        if _lies_in(fences, start):
            continue
        is_paired = closer is not None and bisect_left(breaks, start) == bisect_left(breaks, closer)
        if is_paired and text[end : end + 1].strip():
            yield _Hazard(start, end, "&#126;", None, None)
        if text[start - 1 : start].strip():
            closer = start


def _edits(text: str, hazards: list[_Hazard]) -> list[_Edit]:
    regions = RegionMap(text)
    edits: dict[int, _Edit] = {}
    found = [(hazard, regions.at(hazard.start)) for hazard in hazards]
    refused = {
        region for hazard, region in found if region.type == "math" and hazard.in_math == _AS_SOURCE
    }
    for hazard, region in found:
        is_code = region.type == "span" and hazard.in_code is not None
        if not is_code and region not in refused:
            edits.update((edit.start, edit) for edit in _edits_in_place(text, hazard, region))
        elif region.start not in edits:
            edits[region.start] = _Edit(region.start, region.end, _code_element(text, region))
    return list(edits.values())


def _edits_in_place(text: str, hazard: _Hazard, region: Region) -> Iterator[_Edit]:
    start, end = hazard.start, hazard.end
    new = hazard.in_math if region.type == "math" else hazard.in_code
    if region.type == "text":
        # Not for insertions: their backslash is part of what they break.
        start -= is_escaped(text, start) and end > start
        new = hazard.in_text
    if new is not None:
        yield _Edit(start, end, new)


def _code_element(text: str, span: Region) -> str:
    """Return a code span or a formula as HTML in which no character means anything to Markdown."""
    code = text[span.start : span.end].strip("`" if span.type == "span" else "").replace("\n", " ")
    if code.startswith(" ") and code.endswith(" ") and code.strip(" "):
        code = code[1:-1]
    code = _PUNCTUATION.sub(lambda found: f"&#{ord(found[0])};", code)
    return f"<code>{code}</code>"


def _lies_in(fences: list[Fence], index: int) -> bool:
    number = bisect_right(fences, index, key=lambda fence: fence.start) - 1
    return number >= 0 and index < fences[number].end


def _fence_layout(text: str, fences: list[Fence]) -> Iterator[_Edit]:
    """Yield blank lines around each fence and a closing line, so that nothing reaches across."""
    for fence in fences:
        if fence.start > 0 and text[max(0, fence.start - 2) : fence.start] not in ("\n\n", "\n"):
            yield _Edit(fence.start, fence.start, "\n")
        closing = fence.marks if fence.close < fence.end else f"\n{fence.marks}"
        gap = "" if text[fence.end : fence.end + 2] in ("", "\n", "\n\n") else "\n"
        yield _Edit(fence.close, fence.end, closing + gap)


def _with_safe_info_strings(text: str) -> str:
    """Clean fence info strings: JupyterLab writes them into HTML unescaped, and draws mermaid."""
    if not _FENCE_LINE.search(text):
        return text
    long = {
        fence.start
        for fence in (solid_fences(text) if len(text) > MAX_COLOURED else ())
        if fence.close - fence.content > MAX_COLOURED
    }

    def rewrite(line: re.Match[str]) -> str:
        marks, info = line.groups()
        if "`" in info and "~" not in marks:
            return line[0]
        info = _UNSAFE_INFO.sub(" ", info.replace('"', "'"))
        if html.unescape(info).strip().lower().startswith("mermaid"):
            diagram = _fenced_diagram(text, line)
            if diagram is None or not is_inert_diagram(diagram):
                info = f"text {info.strip()}"
        elif line.start() in long and len(info.split()) == 1:
            # JupyterLab colours code only if its language stands alone.
            info = f"{info.strip()} long"
        return marks + info

    return _FENCE_LINE.sub(rewrite, text)


def _fenced_diagram(text: str, opening: re.Match[str]) -> str | None:
    """Return the code of a fence if every renderer that reads a fence there ends it alike."""
    marks = opening[1]
    if marks.strip("`") and marks.strip("~"):
        return None
    index = start = opening.end() + 1
    # Only as far as the next mark of a fence, so that the work for many fences stays linear.
    while index < len(text):
        newline = text.find("\n", index)
        end = newline if newline >= 0 else len(text)
        line = text[index:end]
        if line.rstrip(" ") == marks:
            return text[start:index]
        if "```" in line or "~~~" in line:
            return None
        index = end + 1
    return f"{text[start:]}\n"


def _apply(text: str, edits: list[_Edit]) -> str:
    parts: list[str] = []
    index = 0
    for edit in sorted(edits):
        if edit.start < index:  # Within an image that goes as a whole; if it does not, next time.
            continue
        parts += [text[index : edit.start], edit.new]
        index = edit.end
    return "".join([*parts, text[index:]])
