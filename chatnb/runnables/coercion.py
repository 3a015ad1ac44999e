"""What may stand where a runnable is expected."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from chatnb.runnables.base import Runnable


def to_runnable(thing: Any) -> Runnable[Any, Any]:
    """Turn a part of a chain into a runnable.

    Args:
        thing: A runnable, a function of one argument, or a dict of these. A generator function's
            argument is the iterator over the chunks that come in.

    Returns:
        The runnable itself, a `RunnableLambda`, a `RunnableGenerator` or a `RunnableParallel`.

    Raises:
        TypeError: If it is none of these.

    Example:
        >>> to_runnable({"length": len}).invoke("abc")
        {'length': 3}
    """
    if isinstance(thing, Runnable):
        return thing  # pyright: ignore[reportUnknownVariableType]
    if inspect.isgeneratorfunction(thing) or inspect.isasyncgenfunction(thing):
        from chatnb.runnables.generator import RunnableGenerator

        return RunnableGenerator(thing)
    if callable(thing):
        from chatnb.runnables.function import RunnableLambda

        return RunnableLambda(thing)
    if isinstance(thing, Mapping):
        from chatnb.runnables.parallel import RunnableParallel

        return RunnableParallel(thing)  # pyright: ignore[reportUnknownArgumentType]
    raise TypeError(
        "A chain takes runnables, functions of one argument, and dicts of these, "
        f"not {type(thing).__name__}: {thing!r}"
    )
