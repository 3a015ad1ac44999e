"""Parameters of tools that the program fills and the model does not see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

Injected: TypeAlias = Literal["config", "tool_call_id", "argument"]


class InjectedToolArg:
    """Marks a tool's parameter that the program fills: `Annotated[str, InjectedToolArg]`.

    Example:
        >>> from chatnb.tools import tool
        >>> @tool
        ... def greet(word: str, user: Annotated[str, InjectedToolArg] = "you") -> str:
        ...     return f"{word}, {user}!"
        >>> list(greet.args), greet.invoke({"word": "Hello", "user": "Ada"})
        (['word'], 'Hello, Ada!')
    """


class InjectedToolCallId(InjectedToolArg):
    """Marks a tool's parameter that gets the id of the call.

    Example:
        >>> from chatnb.tools import tool
        >>> @tool
        ... def log(text: str, id: Annotated[str, InjectedToolCallId]) -> str:
        ...     return f"{id}: {text}"
        >>> log.invoke({"type": "tool_call", "id": "c1", "name": "log", "args": {"text": "Hi"}})
        ToolMessage(content='c1: Hi', name='log', tool_call_id='c1')
    """


def injected_parameters(hints: Mapping[str, Any]) -> dict[str, Injected]:
    """Return the parameters that are filled, by name, from the type hints of all."""
    found = dict[str, Injected]()
    for name, hint in hints.items():
        injected = _injected(hint) if name != "return" else None
        if injected is not None:
            found[name] = injected
    return found


def _injected(hint: Any) -> Injected | None:
    # By name, so that LangChain's markers, and those of its packages, count as well.
    markers = hint.__metadata__ if get_origin(hint) is Annotated else ()
    for marker in markers:
        bases = (marker if isinstance(marker, type) else type(marker)).__mro__
        names = {base.__name__ for base in bases}
        if "InjectedToolArg" in names:
            return "tool_call_id" if "InjectedToolCallId" in names else "argument"
    types = (hint, *get_args(hint))
    is_config = any(getattr(type_, "__name__", "") == "RunnableConfig" for type_ in types)
    return "config" if is_config else None
