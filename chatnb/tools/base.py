"""Tools: functions that a model may call, their decorator, and their results."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Never, TypeAlias, TypedDict, Unpack, cast

from chatnb.concurrency.pickling import find_in_module, name_in_module
from chatnb.concurrency.portal import package_portal
from chatnb.errors import ToolArgumentsError
from chatnb.json_schemas import JsonSchema
from chatnb.lazy_names import names_of_package
from chatnb.runnables.base import Runnable
from chatnb.runnables.config import (
    RunnableConfig,
    check_config,
    child_config,
    effective_config,
    inherited,
    merge_configs,
)
from chatnb.schema.messages import ToolCall, ToolMessage
from chatnb.tools.handled_errors import ErrorHandler, ToolException, handled_value
from chatnb.tools.injected import injected_parameters
from chatnb.tools.results import content_from_value, messages_from_value
from chatnb.tools.signatures import (
    Arguments,
    SchemaArguments,
    TypedArguments,
    check_docstring,
    innermost,
    model_of_parameters,
    one_string_schema,
    parameter_hints,
    parse_docstring,
    without_injected_fields,
)
from chatnb.tools.stopping import StoppableCall
from chatnb.upstream_attributes import refuse_arguments

ToolInput: TypeAlias = Mapping[str, Any] | ToolCall | str
ResponseFormat: TypeAlias = Literal["content", "content_and_artifact"]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_CALL_KEYS = {"name", "args", "type"}


class ToolOptions(TypedDict, total=False):
    """Options of a tool, as `Tool` takes them."""

    args_schema: type[Any] | JsonSchema | None
    response_format: ResponseFormat
    return_direct: bool
    handle_tool_error: ErrorHandler
    handle_validation_error: ErrorHandler
    extras: dict[str, Any] | None
    tags: list[str] | None
    metadata: dict[str, Any] | None
    callbacks: list[Any] | None
    error_on_invalid_docstring: bool


class Tool(Runnable[ToolInput, Any]):
    """A function that a model may call, with its name, description and JSON schema.

    It runs on arguments, and returns the function's value; the only argument may be a mere string.
    Or it runs on a model's tool call, and returns the `ToolMessage` that answers it, or the
    `ToolMessage`s that the function returns. Either way the arguments are validated first, and
    exceptions of the function are raised. A parameter of the type `RunnableConfig` gets the config
    of the run; it is hidden from the model, and so are those that are marked with
    `InjectedToolArg`. Asynchronous methods run a plain function on a thread, the others run an
    asynchronous one on the package's event loop; chains called inside it inherit the config of the
    run.

    Args:
        func: The function, with type hints.
        name: The name for the model; by default that of the function.
        description: The description for the model; by default the docstring up to its sections.
        args_schema: A Pydantic model or a JSON schema of the arguments; by default the function's
            parameters describe them.
        response_format: With `content_and_artifact` the function returns a pair: the content for
            the model, and the artifact of the `ToolMessage`.
        return_direct: True to have tool loops answer with its result instead of asking the model
            again.
        handle_tool_error: The result in place of a `ToolException` that the function raises: True
            for its text, a string, or a function of the exception.
        handle_validation_error: The same for arguments that do not fit.
        extras: Further fields of the tool for providers that have them, such as Anthropic's
            `{"cache_control": {"type": "ephemeral"}}`.
        tags: Tags of the tool's runs, for handlers and logs.
        metadata: Metadata of the tool's runs.
        callbacks: Handlers of the tool's runs.
        coroutine: An asynchronous function for the asynchronous methods, beside a plain `func`.
        error_on_invalid_docstring: True to refuse a function whose docstring does not describe its
            arguments in a section `Args`, or describes others.

    Raises:
        TypeError: If it is not a function, its parameters cannot be described as JSON, or there is
            no such argument.
        ValueError: If models cannot call it by its name, there is no such response format, or its
            docstring is refused.

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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "_run" in vars(cls) and not cls.__module__.startswith("chatnb."):
            raise TypeError(
                f"{cls.__name__} is a tool of LangChain's form, with a method _run. Write it as a "
                "function with @tool, or StructuredTool.from_function(func, name=..., "
                "description=..., args_schema=...)."
            )

    def __init__(
        self,
        func: Callable[..., Any],
        *positional: Never,
        name: str | None = None,
        description: str | None = None,
        args_schema: type[Any] | JsonSchema | None = None,
        response_format: ResponseFormat = "content",
        return_direct: bool = False,
        handle_tool_error: ErrorHandler = False,
        handle_validation_error: ErrorHandler = False,
        extras: dict[str, Any] | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        callbacks: list[Any] | None = None,
        coroutine: Callable[..., Any] | None = None,
        error_on_invalid_docstring: bool = False,
        **others: Never,
    ) -> None:
        refuse_arguments(self, others)
        if positional:
            raise TypeError("Tool takes the function alone: Tool(func, name=..., description=...)")
        if not callable(func) or not (coroutine is None or _is_async(coroutine)):
            wrong = func if coroutine is None or not callable(func) else coroutine
            raise TypeError(f"A tool is made of a function, not of {wrong!r}")
        if response_format not in ("content", "content_and_artifact"):
            raise ValueError(
                f"A response format is content or content_and_artifact, not {response_format!r}"
            )
        home = innermost(func)
        self._given_schema = args_schema
        docstring = parse_docstring(inspect.getdoc(home) or "")
        self.func = func
        valid_name = check_tool_name(name or getattr(home, "__name__", type(home).__name__))
        self.name: str = valid_name  # pyright: ignore[reportIncompatibleVariableOverride]
        self.description = docstring.description if description is None else description
        if args_schema is None:
            self._injected = injected_parameters(parameter_hints(func, self.name))
            args_schema = model_of_parameters(func, self.name, docstring.arguments, self._injected)
        else:
            args_schema, self._injected = without_injected_fields(func, args_schema)
        self.args_schema = args_schema
        self.arguments = _arguments(self.name, self.args_schema)
        if error_on_invalid_docstring:
            check_docstring(self.name, docstring, self.args)
        self.response_format = response_format
        self.return_direct = return_direct
        self.handle_tool_error: ErrorHandler = handle_tool_error
        self.handle_validation_error: ErrorHandler = handle_validation_error
        self.extras = extras
        self.own_config = _own_config(tags=tags, metadata=metadata, callbacks=callbacks)
        self.coroutine = coroutine
        self._is_async = _is_async(func)
        self._has_async = self._is_async or coroutine is not None

    @classmethod
    def from_function(
        cls,
        func: Callable[..., Any] | None = None,
        coroutine: Callable[..., Any] | None = None,
        name: str | None = None,
        description: str | None = None,
        *,
        infer_schema: bool = True,
        **options: Unpack[ToolOptions],
    ) -> Tool:
        """Make a tool of a function, as LangChain's `StructuredTool` does.

        Args:
            func: The function; None if there is only an asynchronous one.
            coroutine: An asynchronous function.
            name: The name for the model; by default that of the function.
            description: The description for the model; by default from the docstring.
            infer_schema: False for one argument that is a string, whatever the type hints are.
            **options: `args_schema` and the other options of `Tool`.

        Returns:
            The tool.

        Raises:
            TypeError: If there is no function.

        Example:
            >>> def shout(text: str) -> str:
            ...     return text.upper()
            >>> Tool.from_function(shout, name="loud").invoke("hello")
            'HELLO'
        """
        function: Any = func or coroutine
        if not infer_schema and options.get("args_schema") is None:
            options["args_schema"] = one_string_schema(function)
        beside = coroutine if func is not None else None
        given = cast("dict[str, Any]", options)
        return cls(function, name=name, description=description, coroutine=beside, **given)

    def __repr__(self) -> str:
        return f"Tool({self.name})"

    def __copy__(self) -> Tool:
        copied = object.__new__(type(self))
        vars(copied).update(vars(self))
        return copied

    def __reduce__(self) -> Any:
        # The class of its arguments cannot be found by name, nor can a function in whose place a
        # decorator put this tool.
        if type(self) is not Tool:
            return super().__reduce__()
        place = name_in_module(self, innermost(self.func))
        if place is not None:
            return find_in_module, place
        options = {
            "name": self.name,
            "description": self.description,
            "args_schema": self._given_schema,
            "response_format": self.response_format,
            "return_direct": self.return_direct,
            "handle_tool_error": self.handle_tool_error,
            "handle_validation_error": self.handle_validation_error,
            "extras": self.extras,
            "tags": self.tags,
            "metadata": self.metadata,
            "callbacks": (self.own_config or {}).get("callbacks"),
            "coroutine": self.coroutine,
        }
        return _make_tool, (self.func, options)

    @property
    def tags(self) -> list[str] | None:
        """Return the tags of its runs."""
        return (self.own_config or {}).get("tags")

    @property
    def metadata(self) -> dict[str, Any] | None:
        """Return the metadata of its runs."""
        return (self.own_config or {}).get("metadata")

    @property
    def parameters(self) -> JsonSchema:
        """Return the JSON schema of its arguments."""
        return self.arguments.parameters

    @property
    def args(self) -> dict[str, JsonSchema]:
        """Return the JSON schema of each argument, by name."""
        return self.parameters.get("properties", {})

    @property
    def tool_call_schema(self) -> type[Any] | JsonSchema:
        """Return the Pydantic model or JSON schema of the arguments that a model may give."""
        return self.args_schema

    def invoke(self, input: ToolInput, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        if self._is_async:
            return package_portal.run(self.ainvoke(input, config, **kwargs))
        inner, call_id = child_config(effective_config(config)), _call_id(input)
        try:
            args = self._validated(input, inner)
            return self._answer(call_id, self._run(args, call_id, inner))
        except (ToolException, ToolArgumentsError) as error:
            return self._handled(error, call_id)

    async def ainvoke(
        self, input: ToolInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Any:
        if not self._has_async:
            return await StoppableCall(partial(self.invoke, input, config, **kwargs)).arun()
        inner, call_id = child_config(effective_config(config)), _call_id(input)
        try:
            args = self._validated(input, inner)
            return self._answer(call_id, await self._arun(args, call_id, inner))
        except (ToolException, ToolArgumentsError) as error:
            return self._handled(error, call_id)

    def run(self, tool_input: ToolInput, config: RunnableConfig | None = None) -> Any:
        """Return `invoke(tool_input, config)`, by LangChain's older name.

        Args:
            tool_input: The arguments, or a tool call.
            config: The run's config.

        Returns:
            What `invoke` returns.
        """
        return self.invoke(tool_input, config)

    async def arun(self, tool_input: ToolInput, config: RunnableConfig | None = None) -> Any:
        """Return `await ainvoke(tool_input, config)`; see `run`."""
        return await self.ainvoke(tool_input, config)

    def without_injected(self, call: ToolCall) -> ToolCall:
        """Return a model's `call` without arguments that only the program may give."""
        if call["args"].keys().isdisjoint(self._injected):
            return call
        args = {name: arg for name, arg in call["args"].items() if name not in self._injected}
        return {**call, "args": args}

    def _run(self, args: dict[str, Any], call_id: str | None, inner: RunnableConfig | None) -> Any:
        with inherited(inner):
            return self.func(**args)

    async def _arun(
        self, args: dict[str, Any], call_id: str | None, inner: RunnableConfig | None
    ) -> Any:
        with inherited(inner):
            return await (self.coroutine or self.func)(**args)

    def _validated(self, input: ToolInput, inner: RunnableConfig | None) -> dict[str, Any]:
        """Return the function's arguments: those of the model, validated, and the injected ones."""
        if isinstance(input, str) and len(self.args) == 1:
            input = {next(iter(self.args)): input}
        if not isinstance(input, Mapping):
            raise TypeError(
                f"{self.name} takes its arguments ({', '.join(self.args) or 'it has none'}) as a "
                "dict, the only one as a string, or a tool call, "
                f"not {type(input).__name__}: {input!r}"
            )
        given = cast("Mapping[str, Any]", input["args"] if _is_call(input) else input)
        if not self._injected:
            return self.arguments.validate(given)
        visible = {name: arg for name, arg in given.items() if name not in self._injected}
        args = self.arguments.validate(visible)
        for name, injected in self._injected.items():
            if name in given:
                args[name] = given[name]
            elif injected == "config":
                args[name] = merge_configs(inner)
            elif injected == "tool_call_id":
                args[name] = _call_id(input) or ""
        return args

    def _answer(self, call_id: str | None, value: Any) -> Any:
        artifact, is_message = None, bool(messages_from_value(value))
        if self.response_format == "content_and_artifact" and not is_message:
            if not isinstance(value, tuple) or len(cast("tuple[Any, ...]", value)) != 2:
                raise TypeError(
                    f"{self.name} must return a pair of content and artifact, not {value!r}"
                )
            value, artifact = cast("tuple[Any, Any]", value)
        if call_id is None:
            return value
        messages = messages_from_value(value)
        if messages:
            answers = self._with_ids(messages, call_id)
            return answers if isinstance(value, list) else answers[0]
        return ToolMessage(
            content_from_value(value), name=self.name, tool_call_id=call_id, artifact=artifact
        )

    def _handled(self, error: ToolException | ToolArgumentsError, call_id: str | None) -> Any:
        """Return the result in place of an error, or raise it."""
        is_invalid = isinstance(error, ToolArgumentsError)
        handler = self.handle_validation_error if is_invalid else self.handle_tool_error
        if handler is False:
            raise error
        value = handled_value(error, handler)
        if call_id is None:
            return value
        content = content_from_value(value)
        return ToolMessage(content, name=self.name, tool_call_id=call_id, status="error")

    def _with_ids(self, messages: list[ToolMessage], call_id: str) -> list[ToolMessage]:
        """Return messages that a function returned; one of them at least answers the call."""
        ids = [message.tool_call_id or call_id for message in messages]
        if call_id not in ids:
            ids[0] = call_id
        return [
            replace(message, tool_call_id=id, name=message.name or self.name)
            for message, id in zip(messages, ids, strict=True)
        ]


StructuredTool = Tool
"""LangChain's name of a tool that is made of a function."""


def check_tool_name(name: str) -> str:
    """Return a name, if models can call a tool by it; raise ValueError otherwise."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"A tool's name is 1 to 64 letters, digits, underscores and hyphens, not {name!r}; "
            "give it one with name="
        )
    return name


def _own_config(**entries: Any) -> RunnableConfig | None:
    return check_config(cast("RunnableConfig", entries)) or None


def _arguments(name: str, schema: type[Any] | JsonSchema) -> Arguments:
    if isinstance(schema, Mapping):
        return SchemaArguments(name, {"type": "object", **schema})
    return TypedArguments(name, schema)


def _call_id(input: ToolInput) -> str | None:
    """Return the id of a call, empty if it has none; None for mere arguments."""
    return str(cast("ToolCall", input).get("id") or "") if _is_call(input) else None


def _is_call(input: ToolInput) -> bool:
    return (
        isinstance(input, Mapping)
        and input.keys() >= _CALL_KEYS
        and input.get("type") == "tool_call"
    )


def _is_async(func: Callable[..., Any]) -> bool:
    home = innermost(func)
    return inspect.iscoroutinefunction(home) or inspect.iscoroutinefunction(
        getattr(home, "__call__", None)  # noqa: B004
    )


def _make_tool(func: Callable[..., Any], options: dict[str, Any]) -> Tool:
    return Tool(func, **options)


if not TYPE_CHECKING:  # LangChain's module of this path has the package's other names, too.
    __getattr__ = names_of_package("chatnb.tools")
