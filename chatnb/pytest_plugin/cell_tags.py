"""The tags of a cell that say how it is run and compared."""

from __future__ import annotations

from collections.abc import Sequence

_PREFIX = "chatnb-"
SKIP_REPLAY = "chatnb-skip-replay"
_APPROX = "chatnb-approx"
_EXACT = "chatnb-exact"
_TIMEOUT = "chatnb-timeout"
_DEFAULT_SIMILARITY = 0.8


class BadTagError(Exception):
    """A tag of a cell is invalid."""


def check_tags(tags: Sequence[object]) -> None:
    """Raise BadTagError for a tag that has the name of none of chatnb's."""
    known = (_APPROX, _EXACT, SKIP_REPLAY, _TIMEOUT)
    for tag in map(str, tags):
        if tag.startswith(_PREFIX) and tag.partition("=")[0] not in known:
            raise BadTagError(f"there is no tag {tag!r}. There are {', '.join(known)}.")


def required_similarity(tags: Sequence[object]) -> float | None:
    """Return the similarity that `chatnb-approx` requires, or None for equality.

    Example:
        >>> required_similarity(["chatnb-approx"]), required_similarity(["chatnb-approx=0.9"])
        (0.8, 0.9)
    """
    tag = _find(tags, _APPROX)
    if tag is None:
        return None
    if is_exact(tags):
        raise BadTagError(f"the tags {tag!r} and {_EXACT!r} exclude each other")
    similarity = _number(tag, _DEFAULT_SIMILARITY)
    if similarity is None or similarity > 1:
        raise BadTagError(f"the tag {tag!r} takes a number from 0 to 1, as in {_APPROX}=0.8")
    return similarity


def is_exact(tags: Sequence[object]) -> bool:
    """Return whether nothing of a cell's outputs may vary."""
    return _EXACT in tags


def timeout_seconds(tags: Sequence[object], default: float) -> float:
    """Return the time limit of `chatnb-timeout=SECONDS`, or the default.

    Example:
        >>> timeout_seconds(["chatnb-timeout=300"], 120.0), timeout_seconds([], 120.0)
        (300.0, 120.0)
    """
    tag = _find(tags, _TIMEOUT)
    if tag is None:
        return default
    seconds = _number(tag, None)
    if not seconds:
        raise BadTagError(f"the tag {tag!r} takes a number of seconds, as in {_TIMEOUT}=300")
    return seconds


def timeout_hint(tags: Sequence[object], seconds: float) -> str:
    """Return how to give a cell more time than so many seconds.

    Example:
        >>> timeout_hint(["chatnb-timeout=30"], 30.0)
        'Give it more time with another number in its tag, such as chatnb-timeout=60.'
    """
    tag = f"{_TIMEOUT}={2 * seconds:g}"
    if _find(tags, _TIMEOUT) is not None:
        return f"Give it more time with another number in its tag, such as {tag}."
    return f"Give it more time with a tag, such as {tag}; or all cells, with --{tag}."


def _find(tags: Sequence[object], name: str) -> str | None:
    return next((tag for tag in map(str, tags) if tag.partition("=")[0] == name), None)


def _number(tag: str, default: float | None) -> float | None:
    """Return the finite number after a tag's name, 0 or more; the default if there is none."""
    _, equals, written = tag.partition("=")
    if not equals:
        return default
    try:
        number = float(written)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
