"""The note about recorded replies that a notebook no longer requests."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

_MAX_SHOWN = 5
_MAX_LENGTH = 90


def unrequested_note(cassette: str, messages: Sequence[str], *, dropped: bool) -> str:
    """Return the note, with what the replies were to.

    Args:
        cassette: The path of the cassette.
        messages: The last messages of the requests.
        dropped: True if they are no longer in the cassette.

    Example:
        >>> print(unrequested_note("calls.yaml", ["Hi"], dropped=True))
        Dropped from calls.yaml, as nothing requests it: 1 reply
          Hi
    """
    count = len(messages)
    replies, them = ("1 reply", "it") if count == 1 else (f"{count} replies", "them")
    lines = [f"  {' '.join(text.split()):.{_MAX_LENGTH}}" for text in messages[:_MAX_SHOWN]]
    if count > _MAX_SHOWN:
        lines.append(f"  and {count - _MAX_SHOWN} more")
    if dropped:
        return "\n".join(
            [f"Dropped from {cassette}, as nothing requests {them}: {replies}", *lines]
        )
    command = f"python -m chatnb cassette prune {shlex.quote(cassette)}"
    head = f"{cassette} has {replies} that nothing requests:"
    return "\n".join([head, *lines, f"To drop {them}: {command}"])
