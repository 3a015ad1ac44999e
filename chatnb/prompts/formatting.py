"""The formats of templates, and the one in f-string style, whose fields are names only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from chatnb.prompts.variables import refuse_missing
from chatnb.terminal import SafeText

# A template may come from elsewhere, so it must not reach into objects: `{a.b}` and `{a[0]}`, which
# `str.format` would look up, are rejected.
_CONVERSIONS: dict[str, Callable[[Any], str]] = {"r": repr, "s": str, "a": ascii}
_WIDE = re.compile(r"\d{6}")


TemplateFormat: TypeAlias = Literal["f-string", "jinja2", "mustache"]


class TextTemplate(Protocol):
    """A text with variables, in one of the formats."""

    @property
    def text(self) -> str:
        """The text, as it was written."""
        ...

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables, in order."""
        ...

    def format(self, values: Mapping[str, Any]) -> str:
        """Return the text with values in place of its variables."""
        ...


def parse_template(text: str, format: TemplateFormat = "f-string") -> TextTemplate:
    """Return a text as a template of a format.

    Args:
        text: The text.
        format: `f-string`: variables `{x}`, `{x!r}` and `{x:.2f}`; `mustache`: `{{x}}` and
            `{{#sections}}`; `jinja2`, in a sandbox, with the extra of this name.

    Raises:
        TypeError: If the text is not a string.
        ValueError: If it is not a template, or there is no such format.
        ConfigurationError: If jinja2 is not installed.
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"A template is a string, not {type(text).__name__}: {text!r}")
    match format:
        case "f-string":
            return Template(text)
        case "mustache":
            from chatnb.prompts.mustache import MustacheTemplate

            return MustacheTemplate(text)
        case "jinja2":
            from chatnb.prompts.jinja import JinjaTemplate

            return JinjaTemplate(text)
        case _:
            raise ValueError(f"template_format is f-string, mustache or jinja2, not {format!r}")


class _Field(NamedTuple):
    before: str
    name: str
    convert: Callable[[Any], str] | None
    spec: str


class Template:
    """A text with variables `{x}`, also `{x!r}` and `{x:.2f}`; `{{` and `}}` are braces."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._fields, self._rest = _parsed(text)
        self.variables = tuple(dict.fromkeys(field.name for field in self._fields))

    def format(self, values: Mapping[str, Any]) -> str:
        """Return the text with values in place of its variables."""
        try:
            texts = [_formatted(field, values[field.name]) for field in self._fields]
        except KeyError:
            refuse_missing(self.variables, values)
            raise
        return "".join(texts) + self._rest


def _formatted(field: _Field, value: Any) -> str:
    if field.convert is not None:
        value = field.convert(value)
    return field.before + (
        value if type(value) is str and not field.spec else format(value, field.spec)
    )


def _parsed(text: str) -> tuple[tuple[_Field, ...], str]:
    fields, before = list[_Field](), ""
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        raise ValueError(f"{error}; write {{{{ and }}}} for braces: {text!r}") from None
    for literal, name, spec, conversion in parsed:
        before += literal
        if name is not None:
            fields.append(_field(before, name, conversion, spec or ""))
            before = ""
    return tuple(fields), before


def _field(before: str, name: str, conversion: str | None, spec: str) -> _Field:
    if not name.isidentifier():
        raise ValueError(
            f"{{{SafeText(name)}}} is not the name of a variable. A template names variables only, "
            "without attributes or indexes; write {{ and }} for braces"
        )
    if conversion is not None and conversion not in _CONVERSIONS:
        raise ValueError(f"{{{name}!{SafeText(conversion)}}}: only !r, !s and !a exist")
    if "{" in spec:
        raise ValueError(f"{{{name}:{SafeText(spec)}}}: a format cannot contain a variable")
    if _WIDE.search(spec):  # A template may come from elsewhere, and would fill the memory.
        raise ValueError(f"{{{name}:{SafeText(spec)}}}: a format is at most 99999 wide")
    return _Field(before, name, _CONVERSIONS.get(conversion or ""), spec)
