"""Templates in Jinja, in a sandbox. The only module that imports jinja2, which is an extra."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time, timedelta
from functools import cached_property, lru_cache, wraps
from typing import Any, cast

from chatnb.errors import ConfigurationError
from chatnb.prompts.variables import refuse_missing

_NO_JINJA = (
    'Templates in Jinja need the package jinja2. Install it with: pip install "chatnb[jinja2]"'
)
# A template may come from elsewhere, so it reads attributes of plain data only, and of Jinja's own
# objects such as `loop`: not of a model in a variable, which has a key.
_PLAIN = (str, int, float, complex, dict, list, tuple, set, frozenset, date, time, timedelta)
_MAX_REPEATED = 1_000_000
_MAX_POWER = 10_000
_FILTERS_WITH_WIDTHS = frozenset(
    {"batch", "center", "format", "indent", "replace", "slice", "tojson", "truncate", "wordwrap"}
)
# A width or a precision in a format: of many digits, or one that is a value.
_WIDE = re.compile(r"%[^a-zA-Z%]*(?:\d{6}|\*)|:[^{}]*(?:\d{6}|\{)")


class JinjaTemplate:
    """A text in Jinja, whose undefined names are its variables.

    Raises:
        ConfigurationError: If jinja2 is not installed.
        ValueError: If the text is not a template.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        environment, syntax_error = _environment()
        from jinja2.meta import find_undeclared_variables

        try:
            names = find_undeclared_variables(environment.parse(text))
        except (syntax_error, RecursionError) as error:
            raise ValueError(f"{error}; not a Jinja template: {text!r:.200}") from error
        self.variables = tuple(sorted(names, key=text.find))

    def __reduce__(self) -> Any:
        return JinjaTemplate, (self.text,)

    @cached_property
    def _template(self) -> Any:
        return _environment()[0].from_string(self.text)

    def format(self, values: Mapping[str, Any]) -> str:
        """Return the text with values in place of its variables."""
        refuse_missing(self.variables, values)
        try:
            return self._template.render(dict(values))
        except Exception as error:  # Of Jinja's own, or of an operation within the template.
            raise ValueError(f"The Jinja template failed: {error}") from error


@lru_cache(maxsize=1)
def _environment() -> tuple[Any, type[Exception]]:
    try:
        from jinja2 import TemplateSyntaxError
        from jinja2.exceptions import SecurityError
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ModuleNotFoundError as error:
        raise ConfigurationError(_NO_JINJA) from error

    class PlainDataEnvironment(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset(["*", "**", "%"])

        def __init__(self) -> None:
            super().__init__()
            filters = cast("Any", self.filters)  # pyright: ignore[reportUnknownMemberType]
            for name in _FILTERS_WITH_WIDTHS:
                filters[name] = _with_small_widths(filters[name])

        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            is_plain = isinstance(obj, _PLAIN) or type(obj).__module__.startswith("jinja2.")
            return is_plain and super().is_safe_attribute(obj, attr, value)

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if operator == "*" and _repeated_size(left, right) > _MAX_REPEATED:
                raise SecurityError("a template may not repeat a text this often")
            if operator == "**" and max(abs(left), abs(right)) > _MAX_POWER:
                raise SecurityError("a template may not raise a number to this power")
            if operator == "%":
                _check_widths("format", left, [right])
            return super().call_binop(context, operator, left, right)

        def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
            name, text = getattr(obj, "__name__", ""), getattr(obj, "__self__", None)
            if isinstance(text, str | bytes) or name == "generate_lorem_ipsum":
                _check_widths(name, text, [*args, *kwargs.values()])
            return super().call(context, obj, *args, **kwargs)

    return PlainDataEnvironment(), TemplateSyntaxError


def _with_small_widths(function: Any) -> Any:
    """Return a filter that refuses widths that would fill the memory."""

    @wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        # Some get the environment first, and then all of them the value.
        place = int(hasattr(function, "jinja_pass_arg"))
        name = function.__name__.removeprefix("do_")
        _check_widths(name, args[place], [*args[place + 1 :], *kwargs.values()])
        return function(*args, **kwargs)

    return bounded


def _check_widths(method: str, text: Any, values: list[Any]) -> None:
    """Raise a ValueError if a method or a filter would make a text that fills the memory."""
    if method == "format":
        is_wide = isinstance(text, str) and _WIDE.search(text) is not None
    elif method == "replace":
        is_wide = len(text) * max(len(str(value)) for value in values or [""]) > _MAX_REPEATED
    else:
        is_wide = any(isinstance(value, int) and abs(value) > _MAX_REPEATED for value in values)
    if is_wide:
        raise ValueError("a template may not make a text this wide")


def _repeated_size(left: Any, right: Any) -> int:
    times, text = (left, right) if isinstance(left, int) else (right, left)
    return len(text) * times if hasattr(text, "__len__") and isinstance(times, int) else 0
