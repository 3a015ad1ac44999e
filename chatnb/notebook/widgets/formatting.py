"""Texts, counts, durations, prices and the values of runs, written for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from chatnb.errors import error_line, error_notes
from chatnb.schema.characters import replace_surrogates
from chatnb.schema.message_types import BaseMessage
from chatnb.schema.prompt_values import ChatPromptValue, PromptValue, get_buffer_string
from chatnb.terminal import SafeText, replace_control_characters

_MINUTE = 60.0


def truncate(text: str, limit: int) -> tuple[str, int]:
    """Cut a text for display."""
    return replace_surrogates(text[:limit]), max(0, len(text) - limit)


def shortened(text: str, limit: int) -> str:
    """Cut a text for display, and say below it how much is missing."""
    shown, more = truncate(text, limit)
    return f"{shown}\n… {more:,} more characters" if more else shown


def error_lines(error: BaseException) -> list[SafeText]:
    """Return an error's type and message, and its notes: the end of its traceback."""
    return [SafeText(line) for line in (error_line(error), *error_notes(error))]


def one_line(text: str, limit: int = 500) -> str:
    """Put a text on one line, with an ellipsis if it is cut."""
    # Only so much of a long text is read as can be shown.
    line = " ".join(replace_control_characters(text[: 4 * limit]).split())
    kept, more = truncate(line, limit)
    return f"{truncate(line, limit - 1)[0].rstrip()}…" if more else kept


def aligned(table: Iterable[Sequence[str]]) -> SafeText:
    """Align the columns of a table of text."""
    rows = [[SafeText(cell) for cell in row] for row in table]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)) for row in rows)
    return SafeText("\n".join(line.rstrip() for line in lines))


def markdown_table(rows: Iterable[Sequence[str]]) -> str:
    """Return rows of Markdown, the second of which is the rule below the head, as its lines."""
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def count(number: int, noun: str) -> str:
    """Write a number of things."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Write a duration."""
    if seconds < 0.001:
        return "< 1 ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    if seconds < _MINUTE - 0.05:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def price_digits(prices: Iterable[float | None]) -> int:
    """Return the number of decimals with which some prices can be compared at a glance."""
    return 6 if any(price and price < 0.001 for price in prices) else 4


def price(dollars: float, digits: int | None = None) -> str:
    """Write a price in US dollars."""
    digits = price_digits([dollars]) if digits is None else digits
    shown = f"{dollars:.{digits}f}"
    return f"< ${10.0**-digits:.{digits}f}" if dollars > 0 and not float(shown) else f"${shown}"


def value_text(value: object) -> str:
    """Write an input, an output, a chunk or metadata of a run."""
    match value:
        case str():
            return value
        case BaseMessage():
            return _message_text(value)
        case ChatPromptValue():
            return get_buffer_string(value.messages)
        case PromptValue():
            return value.to_string()
        case list() if value and all(isinstance(item, BaseMessage) for item in value):  # pyright: ignore[reportUnknownVariableType]
            return get_buffer_string(cast("list[BaseMessage]", value))
        case {"generations": list(generations), "llm_output": _} if _are_candidates(generations):  # pyright: ignore[reportUnknownArgumentType]
            return _candidates(cast("list[list[Mapping[str, Any]]]", generations))
        case {"output": output, **rest} if not rest:
            return value_text(output)
        case _:
            return _json_text(value)


def _message_text(message: BaseMessage) -> str:
    """Return a message without its speaker where there is only text."""
    line = get_buffer_string([message])
    return message.text if line.endswith(f": {message.text}") else line.partition(": ")[2]


def _are_candidates(generations: list[Any]) -> bool:
    """Return whether data of a log, which may come from a file, are those of an `LLMResult`."""
    rows = (row if isinstance(row, list) else [None] for row in generations)
    return all(isinstance(candidate, Mapping) for row in rows for candidate in cast("Any", row))


def _candidates(generations: list[list[Mapping[str, Any]]]) -> str:
    """Return every candidate of an `LLMResult` that was written as a dict."""
    candidates = [candidate for prompt in generations for candidate in prompt]
    return "\n\n".join(
        value_text(candidate["message"] if "message" in candidate else candidate.get("text", ""))
        for candidate in candidates
    )


def _json_text(value: object) -> str:
    try:
        return json.dumps(value, indent=2, ensure_ascii=False, default=_json_default)
    except (TypeError, ValueError, RecursionError):
        # Keys that JSON does not know, or a value that holds itself.
        return _safe_repr(value)


def _json_default(value: object) -> object:
    if isinstance(value, BaseMessage):
        return get_buffer_string([value])
    return value_text(value) if isinstance(value, PromptValue) else _safe_repr(value)


def _safe_repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # A value's own repr may do anything, and the tree is drawn all the same.
        return f"<{type(value).__name__}>"
