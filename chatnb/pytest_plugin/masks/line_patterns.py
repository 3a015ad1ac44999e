"""Patterns of lines in which some parts vary, written with examples: `Took ⟦0.34 s⟧`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from chatnb.pytest_plugin.masks.linear_patterns import (
    Pattern,
    any_number,
    either,
    ends,
    literal,
    not_before,
    one,
    optional,
    repeated,
    sequence,
    some,
)

OPEN, CLOSE = "\u27e6", "\u27e7"
"""The marks around the example of a part that varies; doubled, they stand for themselves."""
STAND_IN = "\ue000"
"""The text in place of a name that varies, and of the parts that vary, when lines are compared."""

ANY_WORD, ANY_TEXT = "\u2026", "\u2026 \u2026"
"""The ends of examples that stand for any text without spaces, and with them."""

_ANY = {ANY_TEXT: any_number(r"[^\n]"), ANY_WORD: any_number(r"\S")}
_MAX_EXAMPLE = 40
_MIN_NAME = 5
_DIGIT, _DIGITS, _SIGN = one(r"\d"), some(r"\d"), optional(one("[-+]"))
_FRACTION = sequence(one("[.,]"), _DIGITS)
_NUMBER = sequence(
    _DIGIT,
    any_number(r"[\d_]"),
    repeated(_FRACTION),
    optional(sequence(one("[eE]"), _SIGN, _DIGITS)),
)
_BYTES = sequence(optional(one("[kKMGT]")), optional(literal("i")), literal("B"))
_PER_SECOND = (*map(literal, ("it", "tokens", "tok", "chunks", "rows")), _BYTES)
_UNIT = sequence(
    either(
        *map(literal, ("ns", "\u00b5s", "\u03bcs", "us", "ms", "s", "sec", "secs", "second")),
        *map(literal, ("seconds", "min", "mins", "minute", "minutes", "h", "hour", "hours")),
        *map(literal, ("byte", "bytes", "s/it")),
        _BYTES,
        sequence(either(*_PER_SECOND), literal("/s")),
    ),
    not_before(r"[^\W_]"),
)
_TIME = sequence(
    *(_DIGIT, optional(_DIGIT), literal(":"), _DIGIT, _DIGIT),
    optional(sequence(literal(":"), _DIGIT, _DIGIT, optional(_FRACTION))),
    not_before(r"[\w:]"),
)
_SIGNED = sequence(_SIGN, _NUMBER)
# Its repr leaves out what is 0, so that other words stand there in another replay.
_TIMEDELTA = sequence(
    literal("timedelta("),
    either(
        literal("0"),
        sequence(
            *(some("[a-z]"), literal("="), _SIGNED),
            repeated(sequence(literal(", "), some("[a-z]"), literal("="), _SIGNED)),
        ),
    ),
    literal(")"),
)
NUMBER, UNIT, TIME, TIMEDELTA = (each.regex for each in (_NUMBER, _UNIT, _TIME, _TIMEDELTA))
"""The regular expressions of numbers, units, times of the day and of the repr of durations."""

# Durations of less than a millisecond are shown as `< 1 ms`, which HTML escapes.
_LESS_THAN = sequence(either(literal("<"), literal("&lt;")), optional(literal(" ")))
_QUANTITY = sequence(optional(_LESS_THAN), _SIGNED, optional(one(r"\s")), _UNIT)
_SPACES, _SOME_SPACES = any_number(" "), some(" ")
_NAMES = tuple(map(some, (rf"[\w{STAND_IN}]", rf"[\w\-{STAND_IN}]", rf"[\w./\\:~+@\-{STAND_IN}]")))
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
        self._patterns = list(_patterns(parts))

    def match(self, line: str) -> list[str] | None:
        """Return the names in the parts that vary, or None if the line is another one."""
        found = ends(self._patterns, line)
        if found is None:
            return None
        # Each example stands between two parts that do not vary.
        values = [line[found[2 * index] : found[2 * index + 1]] for index in self._names]
        return [value for value in values if len(value) >= _MIN_NAME]


def stands_for(example: str, text: str) -> bool:
    """Return whether an example without a mark stands for another text."""
    return _matches(_example_pattern(example), text)


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


def _patterns(parts: list[tuple[str, bool]]) -> Iterator[Pattern]:
    """Yield the pattern of each part; spaces beside one that varies are any number of them."""
    for index, (part, varies) in enumerate(parts):
        if varies:
            yield _example_pattern(part)
            continue
        text, first, last = part, [], []
        if index > 0 and text.startswith(" "):
            text, first = text.lstrip(" "), [_SOME_SPACES]
        if index + 1 < len(parts) and text.endswith(" "):
            text, last = text.rstrip(" "), [_SOME_SPACES]
        yield sequence(*first, literal(text), *last)


def _example_pattern(example: str) -> Pattern:
    for end, pattern in _ANY.items():
        if example.endswith(end):
            return pattern
    stripped = example.strip(" ")
    if stripped != example:
        return sequence(_SPACES, _example_pattern(stripped), _SPACES) if stripped else _SPACES
    for pattern in (_TIME, _QUANTITY, _SIGNED, _TIMEDELTA, *_NAMES):
        if _matches(pattern, example):
            return pattern
    return _ANY[ANY_TEXT]


def _matches(pattern: Pattern, text: str) -> bool:
    return ends([pattern], text) is not None


def _is_name(example: str) -> bool:
    """Return whether an example stands for names, which may stand elsewhere, too."""
    is_word = re.fullmatch(r"[\w-]+", example) is not None
    return is_word and not _matches(_SIGNED, example) and not _matches(_QUANTITY, example)
