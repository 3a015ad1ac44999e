"""Patterns of lines, learned from what differs between replays."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

from chatnb.pytest_plugin.masks.line_patterns import (
    ANY_TEXT,
    ANY_WORD,
    NUMBER,
    STAND_IN,
    TIME,
    TIMEDELTA,
    UNIT,
    LinePattern,
    stands_for,
    written_part,
    written_text,
)
from chatnb.pytest_plugin.text_matching import BoundedMatcher

_TOKEN = re.compile(
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    rf"|{TIMEDELTA}|\d\d(?=T\d\d:)|T(?=\d\d:)|(?<![\w:]){TIME}|(?<=T){TIME}"
    rf"|(?<![\w)\]])[-+]?{NUMBER}\s?{UNIT}|{NUMBER}\s?{UNIT}"
    rf"|(?<![\w)\]])[-+]?{NUMBER}(?![^\W_])|{NUMBER}(?![^\W_])"
    r"|[^\W_]+| +|([^\w\s])\1+|.",
    re.DOTALL,
)
_LETTERS = re.compile(r"[^\W\d_]+")
# After these a word is a part of a path, an id, a name or an entity of HTML.
_WITHIN_NAMES = tuple("/\\#-_.@&")
_WITHIN_PATHS = tuple("/\\")
_PATH_MARKS, _IN_PATH = re.compile(r"[./\\:~+@_-]+"), re.compile(r"[/\\][^\W\d]")
_HALVES_OF_THE_DAY = {"AM", "PM", "am", "pm"}
_MIN_REPLY_WORD = 3
# So many times more may differ, word by word.
_MAX_GROWTH = 2


class ReplyTexts:
    """The texts of recorded replies, which do not vary."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self._words = {*tokens(text)}
        self._text = _collapsed(text)

    def has(self, part: str, before: str, after: str) -> bool:
        """Return whether a part of a line stands in a reply, by itself or with what is around."""
        if not before and not after:
            return part.strip() in self._words
        if any(_is_telling(token) and token in self._words for token in tokens(part)):
            return True
        if not part.strip():
            return False
        around = [before + part + after]
        around += [before + part] if before[:1].isalnum() else []
        around += [part + after] if after[-1:].isalnum() else []
        return any(_collapsed(text) in self._text for text in around)


class _Span(NamedTuple):
    """Tokens of a line that differ in another replay: their indices, and its text instead."""

    start: int
    end: int
    other: str


def tokens(text: str) -> list[str]:
    """Return the numbers, words, runs of spaces and marks of a text.

    Example:
        >>> tokens("T_6b1c8 took 0.34 s.")
        ['T', '_', '6b1c8', ' ', 'took', ' ', '0.34 s', '.']
    """
    return [match[0] for match in _TOKEN.finditer(text)]


def learn_line(line: str, others: Sequence[str], replies: ReplyTexts) -> LinePattern | None:
    """Return the pattern of a line of which other replays have other forms.

    Args:
        line: The line of the replay that is saved.
        others: The lines of other replays; those that are equal teach nothing.
        replies: What stands in recorded replies, and is never masked.

    Returns:
        The pattern, or None if what differs is no number, name or path, or stands in a reply.
    """
    own = tokens(line)
    replays = [_differing(own, tokens(other)) for other in others]
    if not all(_may_vary(own, span, replies) for spans in replays for span in spans):
        return None
    for is_any in (False, True):
        pattern = _pattern(own, replays, is_any=is_any)
        if all(pattern.match(each) is not None for each in (line, *others)):
            return pattern
    return None


def _differing(own: list[str], other: list[str]) -> list[_Span]:
    """Return the tokens that differ: within each word, if there are as many words."""
    changes = _changes(own, other)
    words, other_words = _words(own), _words(other)
    if len(words) != len(other_words):
        return changes
    by_word = _changes_by_word(words, other_words)
    # As many words by chance are others from the first change on.
    return by_word if _size(by_word) <= _MAX_GROWTH * _size(changes) else changes


def _size(spans: Sequence[_Span]) -> int:
    return sum(span.end - span.start + len(tokens(span.other)) for span in spans)


def _changes_by_word(words: list[list[str]], other_words: list[list[str]]) -> list[_Span]:
    spans = list[_Span]()
    start = 0
    for word, other_word in zip(words, other_words, strict=True):
        changes = _changes(word, other_word)
        spans += (_Span(start + a, start + b, text) for a, b, text in changes)
        start += len(word)
    return spans


def _words(line: list[str]) -> list[list[str]]:
    """Split the tokens of a line into words and the spaces between them."""
    words = list[list[str]]()
    for token in line:
        if words and not token.isspace() and not words[-1][0].isspace():
            words[-1].append(token)
        else:
            words.append([token])
    return words


def _changes(own: list[str], other: list[str]) -> list[_Span]:
    if len(own) == len(other):
        pairs = enumerate(zip(own, other, strict=True))
        spans = [_Span(i, i + 1, b) for i, (a, b) in pairs if a != b]
        if all(_kind(own[span.start]) == _kind(span.other) for span in spans):
            return spans
    return [
        _Span(start, end, "".join(other[c:d]))
        for change, start, end, c, d in BoundedMatcher(own, other).get_opcodes()
        if change != "equal"
    ]


def _kind(token: str) -> str:
    """Return what a token is; names with digits and without are alike."""
    if re.fullmatch(rf"[-+]?{NUMBER}(?:\s?{UNIT})?|{TIME}", token):
        return "number"
    return "word" if token[0].isalnum() else "space" if token.isspace() else "mark"


def _may_vary(own: list[str], span: _Span, replies: ReplyTexts) -> bool:
    mine = "".join(own[span.start : span.end])
    before, after = _up_to_word(own[: span.start][::-1])[::-1], _up_to_word(own[span.end :])
    close = own[span.start - 1] if span.start else ""
    # A name that varies may be a folder of a path by chance, of which another machine has none.
    if STAND_IN in mine + span.other and not close.endswith(_WITHIN_PATHS):
        return False
    is_word, is_other_word = _has_plain_word(mine, close), _has_plain_word(span.other, close)
    # Instead of a number or a name, a word may be one as well; instead of nothing, it is a word.
    if (is_word and (is_other_word or not span.other)) or (is_other_word and not mine):
        return False
    return not any(
        replies.has(part, "".join(before), "".join(after)) for part in (mine, span.other) if part
    )


def _up_to_word(line: list[str]) -> list[str]:
    """Return the tokens up to the first that is no space; none if all are."""
    for index, token in enumerate(line):
        if not token.isspace():
            return line[: index + 1]
    return []


def _has_plain_word(text: str, before: str) -> bool:
    """Return whether a text has a word of letters that is no part of a path or a name."""
    previous = before
    for token in tokens(text):
        is_plain = _LETTERS.fullmatch(token) and not previous.endswith(_WITHIN_NAMES)
        if is_plain and token not in _HALVES_OF_THE_DAY:
            return True
        previous = token
    return False


def _is_telling(token: str) -> bool:
    """Return whether a token is not in most texts by chance."""
    letters, digits = sum(map(str.isalpha, token)), sum(map(str.isdigit, token))
    return max(letters, digits) >= _MIN_REPLY_WORD or bool(letters and digits)


def _pattern(own: list[str], replays: list[list[_Span]], *, is_any: bool) -> LinePattern:
    """Return the pattern in which each part stands for as little as it can, or for any text."""
    written, end = "", 0
    for start, stop in _ranges(own, [span for spans in replays for span in spans]):
        written += written_text("".join(own[end:start]))
        example = "".join(own[start:stop])
        others = [_text_of(own, start, stop, spans) for spans in replays]
        written += written_part(example, ANY_TEXT if is_any else _mark(example, others))
        end = stop
    return LinePattern(written + written_text("".join(own[end:])))


def _ranges(own: list[str], spans: Sequence[_Span]) -> list[tuple[int, int]]:
    """Return the ranges of tokens in order; those that touch are one, or are parts of a path."""
    ranges = list[tuple[int, int]]()
    for span in sorted(spans):
        start = _start_of_path(own, span.start)
        if ranges and _touch(own, *ranges[-1], start, span.end):
            ranges[-1] = (ranges[-1][0], max(ranges[-1][1], span.end))
        else:
            ranges.append((start, span.end))
    return ranges


def _touch(own: list[str], first: int, last: int, start: int, end: int) -> bool:
    """Return whether ranges touch, or only marks of a path are between them."""
    if start <= last:
        return True
    is_path = _IN_PATH.search("".join(own[first:end])) is not None
    return is_path and _PATH_MARKS.fullmatch("".join(own[last:start])) is not None


def _start_of_path(own: list[str], start: int) -> int:
    """Return where the temporary folder begins that something is in, or the start."""
    # Other systems have another one.
    for folder in (tempfile.gettempdir(), "/tmp"):
        length = len(tokens(f"{folder}/"))
        if length <= start and "".join(own[start - length : start]) == f"{folder}/":
            return start - length
    return start


def _text_of(own: list[str], start: int, stop: int, spans: Sequence[_Span]) -> str:
    """Return what a replay has in a range of tokens."""
    text = ""
    for span in sorted(spans):
        if start <= span.start and span.end <= stop:
            text += "".join(own[start : span.start]) + span.other
            start = span.end
    return text + "".join(own[start:stop])


def _mark(example: str, others: Sequence[str]) -> str:
    """Return the mark for any text that an example needs to stand for the others, or ""."""
    if example and all(stands_for(example, other) for other in others):
        return ""
    has_spaces = any(" " in text for text in (example, *others))
    return ANY_TEXT if has_spaces else ANY_WORD


def _collapsed(text: str) -> str:
    return " ".join(text.split())
