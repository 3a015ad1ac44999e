"""Who says whether a tool may be called, and what the model is told if not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from chatnb.schema.messages import ToolCall


@dataclass(frozen=True)
class Reject:
    """The answer to a call that is not to be made.

    Args:
        reason: Why not, for the model.

    Example:
        >>> def approve(call):
        ...     return call["name"] != "delete" or Reject("Nothing is deleted on Fridays.")
        >>> approve({"name": "delete", "args": {}, "id": "c1"})
        Reject(reason='Nothing is deleted on Fridays.')
    """

    reason: str = ""


Approve: TypeAlias = Callable[[ToolCall], bool | Reject | Awaitable[bool | Reject]]
"""Gets a call, and gives True to allow it, and False or a `Reject` with the reason to forbid it."""


def rejection(verdict: object) -> str | None:
    """What a model is told of a verdict.

    Args:
        verdict: What somebody who was asked said.

    Returns:
        None if the call is allowed.

    Raises:
        TypeError: If it is no verdict: a `return` that was forgotten allows nothing.

    Example:
        >>> rejection(True), rejection(Reject("Too late."))
        (None, 'The call was rejected: Too late.')
    """
    if verdict is True:
        return None
    if verdict is False or verdict == Reject():
        return "The call was rejected by the user."
    if isinstance(verdict, Reject):
        return f"The call was rejected: {verdict.reason}"
    raise TypeError(f"approve= is to return True, False or Reject(reason), not {verdict!r}")
