"""A tool: a function that a model may call."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, TypeAlias, cast

from chatnb.json_schemas import JsonSchema
from chatnb.runnables.base import Runnable
from chatnb.runnables.config import RunnableConfig, child_config, effective_config, inherited
from chatnb.runnables.loop_thread import package_loop
from chatnb.runnables.threads import in_thread
from chatnb.schema.messages import ToolCall, ToolMessage
from chatnb.tools.arguments import Arguments, SchemaArguments, TypedArguments
from chatnb.tools.docstrings import parse_docstring
from chatnb.tools.results import content_of
from chatnb.tools.signatures import innermost, model_of_parameters

ToolInput: TypeAlias = Mapping[str, Any] | ToolCall
ResponseFormat: TypeAlias = Literal["content", "content_and_artifact"]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_CALL = {"name", "args", "type"}


class Tool(Runnable[ToolInput, Any]):
    """A function that a model may call, with what the model is told of it.

    It is run on arguments, and gives the function's value; or on a model's call, and gives the
    `ToolMessage` that answers it. Either way the arguments are validated first, and what the
    function raises is raised. A plain function runs on a thread in the asynchronous verbs, an
    asynchronous one on the package's event loop in the others; chains called inside it inherit
    the config of the run.

    Args:
        func: The function, with type hints.
        name: What the model calls it; by default the function's name.
        description: What the model is told of it; by default the docstring up to its sections.
        args_schema: What it takes, where the function's own parameters do not say: a Pydantic
            model or a JSON schema.
        response_format: With `content_and_artifact` the function gives a pair: what the model is
            told, and what the `ToolMessage` keeps beside it.

    Raises:
        TypeError: If it is no function, or its parameters cannot be described as JSON.
        ValueError: If no model could call it by its name, or there is no such response format.

    Example:
        >>> def add(a: int, b: int) -> int:
        ...     '''Add two numbers.'''
        ...     return a + b
        >>> Tool(add).invoke({"a": 1, "b": 2})
        3
        >>> Tool(add).invoke({"name": "add", "args": {"a": 1, "b": 2}, "id": "c1",
        ...     "type": "tool_call"})
        ToolMessage(content='3', name='add', tool_call_id='c1')
    """

    run_type = "tool"

    def __init__(
        self,
        func: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        args_schema: type[Any] | JsonSchema | None = None,
        response_format: ResponseFormat = "content",
    ) -> None:
        if not callable(func):
            raise TypeError(f"A tool is made of a function, not of {func!r}")
        if response_format not in ("content", "content_and_artifact"):
            raise ValueError(
                f"A response format is content or content_and_artifact, not {response_format!r}"
            )
        home = innermost(func)
        said = parse_docstring(inspect.getdoc(home) or "")
        self.func = func
        called = checked_name(name or getattr(home, "__name__", type(home).__name__))
        self.name: str = called  # pyright: ignore[reportIncompatibleVariableOverride]
        self.description = said.description if description is None else description
        self.args_schema = (
            model_of_parameters(func, self.name, said.arguments)
            if args_schema is None
            else args_schema
        )
        self.arguments = _arguments(self.name, self.args_schema)
        self.response_format = response_format
        self._is_async = _is_async(func)

    def __repr__(self) -> str:
        return f"Tool({self.name})"

    @property
    def parameters(self) -> JsonSchema:
        """The JSON schema of its arguments."""
        return self.arguments.parameters

    @property
    def args(self) -> dict[str, JsonSchema]:
        """The JSON schema of each argument, by name."""
        return self.parameters.get("properties", {})

    def invoke(self, input: ToolInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        if self._is_async:
            return package_loop.run(self.ainvoke(input, config, **kwargs))
        inner = child_config(effective_config(config))
        args = self.arguments.checked(self._args(input))
        with inherited(inner):
            value = self.func(**args)
        return self._answer(input, value)

    async def ainvoke(
        self, input: ToolInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        if not self._is_async:
            return await in_thread(partial(self.invoke, input, config, **kwargs))
        inner = child_config(effective_config(config))
        args = self.arguments.checked(self._args(input))
        with inherited(inner):
            value = await self.func(**args)
        return self._answer(input, value)

    def _args(self, input: ToolInput) -> Mapping[str, Any]:
        if not isinstance(input, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"{self.name} takes its arguments as a dict, or a tool call, "
                f"not {type(input).__name__}: {input!r}"
            )
        return cast("Mapping[str, Any]", input["args"] if _is_call(input) else input)

    def _answer(self, input: ToolInput, value: Any) -> Any:
        """The value itself, or the message that answers a call with it."""
        artifact = None
        if self.response_format == "content_and_artifact":
            if not isinstance(value, tuple) or len(cast("tuple[Any, ...]", value)) != 2:
                raise TypeError(
                    f"{self.name} is to give a pair of content and artifact, and gave {value!r}"
                )
            value, artifact = cast("tuple[Any, Any]", value)
        if not _is_call(input):
            return value
        id = cast("ToolCall", input).get("id") or ""
        return ToolMessage(content_of(value), name=self.name, tool_call_id=id, artifact=artifact)


def checked_name(name: str) -> str:
    """The name itself, if a model can call a tool by it.

    Raises:
        ValueError: If it cannot.

    Example:
        >>> checked_name("get_weather")
        'get_weather'
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"A tool's name is 1 to 64 letters, digits, underscores and hyphens, not {name!r}; "
            "give it one with name="
        )
    return name


def _arguments(name: str, schema: type[Any] | JsonSchema) -> Arguments:
    if isinstance(schema, Mapping):
        return SchemaArguments(name, {"type": "object", **schema})
    return TypedArguments(name, schema)


def _is_call(input: ToolInput) -> bool:
    return input.keys() >= _CALL and input.get("type") == "tool_call"


def _is_async(func: Callable[..., Any]) -> bool:
    home = innermost(func)
    return inspect.iscoroutinefunction(home) or inspect.iscoroutinefunction(
        getattr(home, "__call__", None)  # noqa: B004
    )
