"""The decorator of message classes, which take their content as standard blocks, too."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar, cast, dataclass_transform

_Message = TypeVar("_Message")
_BLOCKS = inspect.Parameter(
    "content_blocks",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation="list[dict[str, Any]] | None",
)


@dataclass_transform(field_specifiers=(field,))
def message_class(cls: type[_Message]) -> type[_Message]:
    """Make a dataclass of a message's class, whose content may be given as `content_blocks=`.

    It also takes its own `type`, which is no field, so that `model_dump` gives its arguments.
    """
    made = dataclass(repr=False)(cls)
    init = cast("Callable[..., None]", made.__init__)
    # A field would be copied by `dataclasses.replace`, over the content that it was read from.
    made.__init__ = _with_blocks(made.__name__, init)
    return made


def _with_blocks(name: str, init: Callable[..., None]) -> Callable[..., None]:
    @wraps(init)
    def __init__(self: Any, *args: Any, content_blocks: Any = None, **fields: Any) -> None:
        if "type" in fields and fields.pop("type") != self.type:
            raise TypeError(f"The type of a {name} is {self.type!r}")
        if content_blocks is None:
            init(self, *args, **fields)
        elif args or "content" in fields:
            raise TypeError(f"{name} takes content or content_blocks=, not both")
        else:
            init(self, list(content_blocks), **fields)
            self._take_blocks()

    known = inspect.signature(init)
    parameters = [*known.parameters.values(), _BLOCKS]
    cast("Any", __init__).__signature__ = known.replace(parameters=parameters)
    return __init__
