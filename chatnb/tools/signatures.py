"""The arguments of a tool: their JSON schema, from signature and docstring, and validation."""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import fields, is_dataclass
from functools import cached_property, partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Protocol, cast, get_type_hints

from chatnb.errors import ToolArgumentsError
from chatnb.json_schemas import JsonSchema, SchemaValidator, problem_text, schema_from_type
from chatnb.schema.tool_calls import CUSTOM_INPUT
from chatnb.tools.injected import Injected, injected_parameters

if TYPE_CHECKING:
    from pydantic import BaseModel

_SECTION = re.compile(
    r"(Args|Arguments|Parameters|Attributes|Returns?|Raises|Yields?|Examples?|Notes?|Warnings?"
    r"|References|See Also|Source|Todo):\s*$"
)
_ARGUMENTS = ("Args", "Arguments", "Parameters")
_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")


class Docstring(NamedTuple):
    """The text before a docstring's first section, and the description of each argument."""

    description: str
    arguments: dict[str, str]


def parse_docstring(text: str) -> Docstring:
    """Parse a docstring in Google's style, with the indentation cleaned by `inspect.getdoc`."""
    # Source: https://google.github.io/styleguide/pyguide.html#383-functions-and-methods
    description, section = list[str](), list[str]()
    heading: str | None = None
    for line in text.splitlines():
        begun = _SECTION.match(line)
        if begun:
            heading = begun[1]
        elif heading is None:
            description.append(line)
        elif heading in _ARGUMENTS:
            section.append(line)
    return Docstring("\n".join(description).strip(), _entries(section))


def check_docstring(name: str, docstring: Docstring, arguments: Iterable[str]) -> None:
    """Raise a ValueError if a docstring describes no arguments, or others than these."""
    known = list(arguments)
    unknown = [argument for argument in docstring.arguments if argument not in known]
    if unknown:
        raise ValueError(f"The docstring of {name} describes {unknown[0]}, which is no argument")
    if known and not docstring.arguments:
        raise ValueError(f"The docstring of {name} has no section Args with {', '.join(known)}")


def _entries(lines: list[str]) -> dict[str, str]:
    # An entry begins at the section's own indentation.
    lines = [line for line in lines if line.strip()]
    margin = min((_indentation(line) for line in lines), default=0)
    entries, current = dict[str, str](), ""
    for line in lines:
        entry = _ENTRY.match(line.strip()) if _indentation(line) == margin else None
        if entry:
            current = entry[1]
            entries[current] = entry[2]
        elif current:
            entries[current] = f"{entries[current]} {line.strip()}".strip()
    return entries


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def one_string_schema(func: Callable[..., Any]) -> JsonSchema:
    """Return the schema of a function's first parameter as a string, whatever its type hint is."""
    name = getattr(func, "__name__", "the function")
    first = next(iter(_parameters(func, name)), None)
    if first is None:
        raise TypeError(f"{name} takes no argument, so that infer_schema=False has none to pass")
    properties = {first.name: {"type": "string"}}
    return {"type": "object", "properties": properties, "required": [first.name]}


_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def innermost(func: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function below decorators and partial applications."""
    while isinstance(func, partial) or hasattr(func, "__wrapped__"):
        func = func.func if isinstance(func, partial) else inspect.unwrap(func)
    return func


def parameter_hints(func: Callable[..., Any], name: str) -> dict[str, Any]:
    """Return the type hints of a function's parameters, by name."""
    return _hints(func, name, _parameters(func, name))


def without_injected_fields(
    func: Callable[..., Any], schema: type[Any] | JsonSchema
) -> tuple[type[Any] | JsonSchema, dict[str, Injected]]:
    """Return a schema without fields that the program fills, and the names of all of those."""
    try:
        injected = injected_parameters(get_type_hints(innermost(func), include_extras=True))
    except (NameError, TypeError, AttributeError):  # Hints that are needed for nothing else.
        injected = dict[str, Injected]()
    fields: Mapping[str, Any] = getattr(schema, "model_fields", {})
    marked = injected_parameters(
        {
            name: Annotated[object, *field.metadata]
            for name, field in fields.items()
            if field.metadata
        }
    )
    if not (injected | marked).keys() & fields.keys():
        return schema, injected
    from pydantic import create_model

    shown: dict[str, Any] = {
        name: (field.annotation, field)
        for name, field in fields.items()
        if name not in injected and name not in marked
    }
    named = cast("type[BaseModel]", schema)
    return create_model(named.__name__, __doc__=named.__doc__, **shown), {**injected, **marked}


def model_of_parameters(
    func: Callable[..., Any],
    name: str,
    descriptions: Mapping[str, str],
    injected: Container[str] = (),
) -> type[BaseModel]:
    """Make a Pydantic model with a field for each parameter of a function but injected ones."""
    # A parameter is described by its `Field`, the string in its `Annotated`, or the descriptions.
    from pydantic import ConfigDict, PydanticUserError, create_model

    parameters = [p for p in _parameters(func, name) if p.name not in injected]
    hints = _hints(func, name, parameters)
    fields: dict[str, Any] = {
        parameter.name: _field(parameter, hints.get(parameter.name, Any), descriptions)
        for parameter in parameters
    }
    config = ConfigDict(extra="forbid", protected_namespaces=(), json_schema_extra=_remove_titles)
    try:
        with warnings.catch_warnings():
            # A parameter may be called `schema` or `copy`, like attributes of models.
            warnings.simplefilter("ignore", UserWarning)
            model = create_model(name, __config__=config, **fields)
    except (NameError, PydanticUserError) as error:
        raise TypeError(f"The parameters of {name} cannot be described as JSON: {error}") from error
    for kept in fields.keys() - model.model_fields.keys():
        raise TypeError(f"Pydantic reserves the name {kept}: rename that parameter of {name}")
    return model


def _parameters(func: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    parameters = list(inspect.signature(func).parameters.values())
    for parameter in parameters:
        if parameter.kind not in _NAMED:
            raise TypeError(
                f"A model passes arguments by name, and {name} takes {parameter}: "
                "list its parameters one by one"
            )
    return parameters


def _hints(
    func: Callable[..., Any], name: str, parameters: list[inspect.Parameter]
) -> dict[str, Any]:
    # Annotations that are strings are looked up where the function was defined.
    written = {p.name: p.annotation for p in parameters if p.annotation is not p.empty}
    home = innermost(func)
    known = getattr(home, "__globals__", None) or getattr(type(home).__call__, "__globals__", {})
    try:
        return get_type_hints(SimpleNamespace(__annotations__=written), known, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"The type hints of {name} cannot be read, for {error}. "
            "Define or import it at the top of the module."
        ) from error


def _field(
    parameter: inspect.Parameter, hint: Any, descriptions: Mapping[str, str]
) -> tuple[Any, Any]:
    from pydantic import Field
    from pydantic.fields import FieldInfo

    default = ... if parameter.default is parameter.empty else parameter.default
    annotations = getattr(hint, "__metadata__", ())
    if any(isinstance(a, FieldInfo) and a.description for a in (*annotations, default)):
        return hint, default
    text = next((a for a in annotations if isinstance(a, str)), None)
    text = text or descriptions.get(parameter.name)
    return (Annotated[hint, Field(description=text)] if text else hint), default


def _remove_titles(schema: dict[str, Any]) -> None:
    # Pydantic's titles repeat the names, and every token costs.
    schema.pop("title", None)
    for field in schema.get("properties", {}).values():
        field.pop("title", None)


_MAX_PROBLEM = 300  # A problem quotes the value, which may be a whole file.


class Arguments(Protocol):
    """The arguments of a tool: their schema and validation."""

    @property
    def parameters(self) -> JsonSchema:
        """Return the JSON schema of an object with a property for each argument."""
        ...

    def validate(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Return valid arguments; raise ToolArgumentsError if they do not fit."""
        ...


class TypedArguments:
    """Arguments described by a Pydantic model, a TypedDict or a dataclass."""

    def __init__(self, tool: str, arguments_type: type[Any]) -> None:
        self._tool = tool
        self.type = arguments_type
        with warnings.catch_warnings():
            # A default that JSON cannot express is left out of the schema, and still applies.
            warnings.simplefilter("ignore", UserWarning)
            self.parameters = _without_name(schema_from_type(arguments_type).schema)

    @cached_property
    def _adapter(self) -> Any:
        from pydantic import TypeAdapter

        return TypeAdapter[Any](self.type)

    def validate(self, args: Mapping[str, Any]) -> dict[str, Any]:
        from pydantic import ValidationError

        try:
            return _fields_by_name(self._adapter.validate_python(_named(args, self.parameters)))
        except ValidationError as error:
            problems = [_problem(e["loc"], e["msg"]) for e in error.errors()]
            raise ToolArgumentsError(self._tool, problems) from error


class SchemaArguments:
    """Arguments described by a JSON schema."""

    def __init__(self, tool: str, schema: JsonSchema) -> None:
        self._tool = tool
        self.parameters = _without_name(schema)
        self._validator = SchemaValidator(self.parameters)

    def validate(self, args: Mapping[str, Any]) -> dict[str, Any]:
        args = _named(args, self.parameters)
        try:
            errors = self._validator.problems(args)
        except ValueError as error:
            text = f"bad schema: {problem_text(error)}"
            raise ToolArgumentsError(self._tool, [_problem((), text)]) from error
        if errors:
            problems = [_problem(error.instance_path, error.message) for error in errors]
            raise ToolArgumentsError(self._tool, problems)
        return args


def _named(args: Mapping[str, Any], parameters: JsonSchema) -> dict[str, Any]:
    """Return arguments, with the input of a custom tool under the name of the only parameter."""
    names = list(parameters.get("properties", ()))
    if set(args) == {CUSTOM_INPUT} and len(names) == 1:
        return {names[0]: args[CUSTOM_INPUT]}
    return dict(args)


def _without_name(schema: JsonSchema) -> JsonSchema:
    return {key: value for key, value in schema.items() if key not in ("title", "description")}


def _problem(path: Iterable[object], message: str) -> str:
    text = message if len(message) <= _MAX_PROBLEM else message[:_MAX_PROBLEM] + "…"
    location = ".".join(map(str, path))
    return f"{location}: {text}" if location else text


def _fields_by_name(value: Any) -> dict[str, Any]:
    # Only the outermost object is taken apart: the function gets models inside it whole.
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return {**vars(value), **(value.model_extra or {})}
