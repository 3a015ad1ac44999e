"""The values of a run as text that people read: what went in, what came out, and how it failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from chatnb.schema.base_message import BaseMessage
from chatnb.schema.prompts import ChatPromptValue, PromptValue
from chatnb.schema.run_state import RunFailure
from chatnb.schema.transcript import get_buffer_string


def text_of(value: object) -> str:
    """Write any value for display.

    Args:
        value: An input, an output, a chunk or metadata of a run.

    Returns:
        Text as it is, messages as a transcript, an entry's `final_output` by what is in it, and
        everything else as indented JSON, or as its repr.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> text_of([HumanMessage("Hi")])
        'Human: Hi'
        >>> text_of({"output": {"answer": 42}})
        '{\\n  "answer": 42\\n}'
    """
    match value:
        case str():
            return value
        case BaseMessage():
            return _said_by(value)
        case ChatPromptValue():
            return get_buffer_string(value.messages)
        case PromptValue():
            return value.to_string()
        case list() if value and all(isinstance(item, BaseMessage) for item in value):  # pyright: ignore[reportUnknownVariableType]
            return get_buffer_string(cast("list[BaseMessage]", value))
        case {"generations": list(generations), "llm_output": _}:
            return _candidates(cast("list[list[Mapping[str, Any]]]", generations))
        case {"output": output, **rest} if not rest:
            return text_of(output)
        case _:
            return _as_json(value)


def failure_line(failure: RunFailure) -> str:
    """Say in one line how a run broke off.

    Example:
        >>> failure_line({"type": "OSError", "message": "no", "traceback": "", "stopped": False})
        'OSError: no'
    """
    return ": ".join(part for part in (failure["type"], failure["message"]) if part)


def cut(text: str, longest: int) -> tuple[str, int]:
    """Cut a text for display.

    Args:
        text: Any text.
        longest: The most characters to keep.

    Returns:
        The text without unpaired surrogates, which cannot be sent, and how many characters of it
        were left out.

    Example:
        >>> cut("abcdef", 4)
        ('abcd', 2)
    """
    kept = text[:longest]
    if not kept.isascii():
        kept = kept.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return kept, max(0, len(text) - longest)


def _said_by(message: BaseMessage) -> str:
    """What one message says, without the speaker where there is only text."""
    line = get_buffer_string([message])
    return message.text if line.endswith(f": {message.text}") else line.partition(": ")[2]


def _candidates(generations: list[list[Mapping[str, Any]]]) -> str:
    """Every candidate of an `LLMResult` that was written as a dict."""
    candidates = [candidate for some in generations for candidate in some]
    return "\n\n".join(
        text_of(candidate["message"] if "message" in candidate else candidate.get("text", ""))
        for candidate in candidates
    )


def _as_json(value: object) -> str:
    try:
        return json.dumps(value, indent=2, ensure_ascii=False, default=_inner)
    except (TypeError, ValueError, RecursionError):
        # Keys that JSON does not know, or a value that holds itself.
        return _shown(value)


def _inner(value: object) -> object:
    if isinstance(value, BaseMessage):
        return get_buffer_string([value])
    return text_of(value) if isinstance(value, PromptValue) else _shown(value)


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # A value's own repr may do anything, and the tree is drawn all the same.
        return f"<{type(value).__name__}>"
