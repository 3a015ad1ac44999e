"""Patterns of lines in which some parts vary, written with examples: `Took ⟦0.34 s⟧`."""

from __future__ import annotations

import re
from collections.abc import Iterator

OPEN, CLOSE = "\u27e6", "\u27e7"
"""The marks around the example of a part that varies; doubled, they stand for themselves."""
STAND_IN = "\ue000"
"""The text in place of a name that varies, and of the parts that vary, when lines are compared."""

ANY_WORD, ANY_TEXT = "\u2026", "\u2026 \u2026"
"""The ends of examples that stand for any text without spaces, and with them."""

_ANY = {ANY_TEXT: r"[^\n]*?", ANY_WORD: r"\S*?"}
_MAX_EXAMPLE = 40
_MIN_NAME = 5
UNIT = (
    r"(?:ns|[\u00b5\u03bc]s|us|ms|s|secs?|seconds?|min|mins|minutes?|h|hours?|bytes?|[kKMGT]?i?B"
    r"|s/it|(?:it|tokens|tok|chunks|rows|[kKMG]?B)/s)(?![^\W_])"
)
NUMBER = r"\d[\d_]*(?:[.,]\d+)*(?:[eE][-+]?\d+)?"
TIME = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?(?![\w:])"
_TIME = re.compile(TIME)
_NUMBER = re.compile(rf"[-+]?{NUMBER}")
_QUANTITY = re.compile(rf"[-+]?{NUMBER}\s?{UNIT}")
_PART = re.compile(f"{OPEN}{OPEN}|{CLOSE}{CLOSE}|{OPEN}([^{OPEN}{CLOSE}]*){CLOSE}")


class LinePattern:
    """A line with parts that vary.

    Args:
        text: The line, in which each part that varies is an example between marks: a number
            stands for numbers, with a unit if it has one, a name for names, a path for paths. One
            that ends with an ellipsis stands for any text.

    Example:
        >>> pattern = LinePattern("Took \u27e60.34 s\u27e7 for 3.")
        >>> pattern.match("Took 12 ms for 3.") is not None, pattern.match("Took 12 ms for 4.")
        (True, None)
    """

    def __init__(self, text: str) -> None:
        self.text = text
        parts = list(_parts(text))
        self.masked = "".join(STAND_IN if varies else part for part, varies in parts)
        self._names = [i for i, part in enumerate(_examples(parts)) if _is_name(part)]
        self._regex = re.compile(_regex(parts))

    def match(self, line: str) -> list[str] | None:
        """Return the names in the parts that vary, or None if the line is another one."""
        found = self._regex.fullmatch(line)
        if found is None:
            return None
        values = [found[index + 1] for index in self._names]
        return [value for value in values if len(value) >= _MIN_NAME]


def stands_for(example: str, text: str) -> bool:
    """Return whether an example without a mark stands for another text."""
    return re.fullmatch(_part_regex(example), text) is not None


def written_part(example: str, mark: str) -> str:
    """Return a part that varies as a pattern has it, with a mark for any text at its end."""
    shown = re.sub(f"[{OPEN}{CLOSE}{STAND_IN}{ANY_WORD}]", "?", example)
    is_cut = len(shown) > _MAX_EXAMPLE or shown != example or not shown
    if is_cut and not mark:
        mark = ANY_TEXT if " " in shown else ANY_WORD
    return f"{OPEN}{shown[:_MAX_EXAMPLE]}{mark}{CLOSE}"


def written_text(text: str) -> str:
    """Return a text that does not vary as a pattern has it."""
    doubled = text.replace(OPEN, OPEN * 2).replace(CLOSE, CLOSE * 2)
    return doubled.replace(STAND_IN, OPEN + CLOSE)


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a pattern, each with True if it is an example."""
    end, fixed = 0, ""
    for match in _PART.finditer(text):
        fixed += text[end : match.start()]
        end = match.end()
        if match[1] is None:
            fixed += match[0][0]
        elif not match[1]:
            fixed += STAND_IN
        else:
            yield fixed, False
            yield match[1], True
            fixed = ""
    yield fixed + text[end:], False


def _examples(parts: list[tuple[str, bool]]) -> Iterator[str]:
    return (part for part, varies in parts if varies)


def _regex(parts: list[tuple[str, bool]]) -> str:
    """Return the regular expression; spaces beside a part that varies are any number of them."""
    written = list[str]()
    for index, (part, varies) in enumerate(parts):
        if varies:
            written.append(f"({_part_regex(part)})")
            continue
        fixed = re.escape(part)
        if index > 0:
            fixed = re.sub(r"^(?:\\ )+", " +", fixed)
        if index + 1 < len(parts):
            fixed = re.sub(r"(?:\\ )+$", " +", fixed)
        # Atomic after any text, so that long lines do not take exponential time.
        if written and written[-1][1:-1] in _ANY.values() and fixed:
            fixed = f"(?>{written.pop()}{fixed})" if index + 1 < len(parts) else fixed
        written.append(fixed)
    return "".join(written)


def _part_regex(example: str) -> str:
    for end, regex in _ANY.items():
        if example.endswith(end):
            return regex
    if example.strip(" ") != example:
        return f" *{_part_regex(example.strip(' '))} *" if example.strip(" ") else " *"
    if _TIME.fullmatch(example):
        return TIME
    if _QUANTITY.fullmatch(example):
        return rf"[-+]?{NUMBER}\s?{UNIT}"
    if _NUMBER.fullmatch(example):
        return f"[-+]?{NUMBER}"
    for allowed in (r"\w", r"[\w\-]", r"[\w./\\:~+@-]"):
        if re.fullmatch(f"{allowed}+", example):
            return f"{allowed}+"
    return _ANY[ANY_TEXT]


def _is_name(example: str) -> bool:
    """Return whether an example stands for names, which may stand elsewhere, too."""
    is_word = re.fullmatch(r"[\w-]+", example) is not None
    return is_word and _NUMBER.fullmatch(example) is None and not _QUANTITY.fullmatch(example)
