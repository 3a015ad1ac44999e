"""Read JSON as models write it: with prose or fences around it and raw line breaks in strings.

jiter parses what is found here. json-repair was compared: it completes JSON that was cut off and
guesses values from prose, and here both are errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import jiter

# A string, perhaps cut off; its body is matched once and never again.
_STRING = r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
_STRING_OR_BRACKET = re.compile(rf"{_STRING}|[{{}}\[\]]", re.DOTALL)
_STRING_OR_LAST_COMMA = re.compile(rf"{_STRING}|,(?=\s*[}}\]])", re.DOTALL)
_ESCAPE_OR_CONTROL = re.compile(r"\\?[\x00-\x1f]|\\.", re.DOTALL)
# Reasoning that a model wrote before its answer; what it quotes there is none.
_THINKING = re.compile(r"\s*<think>.*?(?:</think>|\Z)", re.DOTALL)
_OPENING = re.compile(r"[{\[]")
# A bracket that was meant to begin JSON, rather than a remark in brackets.
_ATTEMPT = re.compile(r"""[{\[]\s*(?:["'{\[}\]]|\w+\s*:|-?\d)""")
_FENCE = re.compile(r"(`{3,}|~{3,})[^\S\n]*[\w+-]*\s*")
# The characters that a search reads, as a multiple of the text's, which bounds its time.
_MAX_SCANS, _MIN_BUDGET = 4, 10_000


class FoundJson(NamedTuple):
    """JSON of a text: valid on its own unless it is cut off, with its value and place."""

    json: str
    value: Any
    start: int
    end: int
    whole: bool = True


def find_json(text: str) -> FoundJson:
    """Return the JSON of a reply; raise ValueError if there is none, or if it is cut off."""
    try:
        return FoundJson(text, jiter.from_json(text.encode()), 0, len(text))
    except ValueError as error:
        found = search_json(text)
        if found is None or not found.whole:
            raise ValueError("it is cut off" if found else str(error)) from error
        return found


def search_json(text: str) -> FoundJson | None:
    """Return the JSON within a text, which may be cut off, or None."""
    thinking = _THINKING.match(text)
    if thinking:
        found, shift = search_json(text[thinking.end() :]), thinking.end()
        return found and found._replace(start=found.start + shift, end=found.end + shift)
    # The first fence that is JSON counts, then what the text begins with, then JSON in the prose.
    # An empty object before another one, and a reference such as [1], count if nothing else does.
    start = len(text) - len(text.lstrip())
    begins = _OPENING.match(text, start)
    opening = _json_at(text, start, _closing(text, start)) if begins else None
    if opening and not opening.whole:
        return opening
    after = opening.end if opening else 0
    fenced = next(_in_fences(text, after), None)
    spare = fenced or opening
    if spare and not is_weak(spare.value):
        return spare
    for found in _in_prose(text, after):
        if not is_weak(found.value) and (fenced is None or found.start < fenced.start < found.end):
            return found
        spare = spare or found
    return spare


def partial_value(text: str) -> Any:
    """Return the value of JSON that may be cut off; raise ValueError if it is none."""
    try:
        return jiter.from_json(text.encode(), partial_mode="trailing-strings")
    except ValueError:
        strict = _strict(text).encode(errors="replace")
        return jiter.from_json(strict, partial_mode="trailing-strings")


def is_weak(value: object) -> bool:
    """Return whether a value in prose may be no JSON: a word, nothing, or a list of numbers."""
    if isinstance(value, dict):
        return not value
    if not isinstance(value, list):
        return True
    return all(isinstance(item, int | float) for item in cast("list[object]", value))


def _json_at(text: str, start: int, end: int | None) -> FoundJson | None:
    """Return the object or list between two indexes; without an end, as much of it as there is."""
    if end is not None:
        return _read(text, start, end)
    try:
        value = partial_value(text[start:])
    except ValueError:
        return None
    return FoundJson(text[start:], value, start, len(text), whole=False)


def _in_fences(text: str, position: int) -> Iterator[FoundJson]:
    remaining = _MAX_SCANS * len(text) + _MIN_BUDGET
    for fence in _FENCE.finditer(text, position):
        start = fence.end()
        if _OPENING.match(text, start):
            end = _closing(text, start)
            found = _json_at(text, start, end)
        else:
            closing = text.find(fence[1], start)
            end = len(text) if closing < 0 else closing
            found = _read(text, start, end)
        if found and text[found.end :].lstrip()[: len(fence[1])] in ("", fence[1]):
            yield found
        remaining -= (end or len(text)) - start
        if remaining < 0:
            return


def _in_prose(text: str, position: int) -> Iterator[FoundJson]:
    remaining = _MAX_SCANS * len(text) + _MIN_BUDGET
    while remaining > 0 and (opening := _OPENING.search(text, position)):
        start = opening.start()
        end = _closing(text, start)
        remaining -= (end or len(text)) - start
        found = _json_at(text, start, end)
        if found:
            yield found
        elif not _ATTEMPT.match(text, start):
            end = start + 1
        if end is None:  # What stands inside of broken JSON is not the answer.
            return
        position = end


def _closing(text: str, start: int) -> int | None:
    """Return the end of the brackets that open at an index, or None if they stay open."""
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(text, start):
        if token[0] in "{[":
            depth += 1
        elif token[0] in "}]":
            depth -= 1
            if not depth:
                return token.end()
    return None


def _read(text: str, start: int, end: int) -> FoundJson | None:
    written = text[start:end]
    for json in (written, _strict(written)):
        try:
            return FoundJson(json, jiter.from_json(json.encode()), start, end)
        except ValueError:
            continue
    return None


def _strict(text: str) -> str:
    """Return JSON without raw control characters in strings, and without trailing commas."""
    return _STRING_OR_LAST_COMMA.sub(_strict_token, text)


def _strict_token(token: re.Match[str]) -> str:
    return "" if token[0] == "," else _ESCAPE_OR_CONTROL.sub(_strict_character, token[0])


def _strict_character(character: re.Match[str]) -> str:
    last = character[0][-1]
    if last < " ":
        return f"\\u{ord(last):04x}"
    return last if last == "'" else character[0]
