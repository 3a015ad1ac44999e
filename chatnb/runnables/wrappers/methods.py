"""Methods of runnables that LangChain has as well: listeners, alternatives, events, schemas."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

from chatnb.redaction import hide_in_config
from chatnb.runnables.config import RunnableConfig

if TYPE_CHECKING:
    from pydantic import BaseModel

    from chatnb.runnables.base import Runnable
    from chatnb.runnables.binding import ConfigurableField
    from chatnb.runnables.graph import Graph

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out", covariant=True)


class WrapperMethods(Generic[In, Out]):
    """The methods of a runnable that make another one of it, and those that describe it."""

    if TYPE_CHECKING:

        def get_graph(self) -> Graph: ...
        def astream(
            self, input: In, config: RunnableConfig | None = None, **kwargs: Any
        ) -> AsyncGenerator[Out, None]: ...

    def with_listeners(
        self,
        *,
        on_start: Callable[..., Any] | None = None,
        on_end: Callable[..., Any] | None = None,
        on_error: Callable[..., Any] | None = None,
    ) -> Runnable[In, Out]:
        """Return this runnable with functions that are called for its own runs.

        Args:
            on_start: Called with the `Run` as it starts; also with the config, if it takes two
                arguments. It may be asynchronous.
            on_end: Called as it returned its output: `run.outputs`.
            on_error: Called as it failed: `run.error`.
        """
        listeners = {"on_start": on_start, "on_end": on_end, "on_error": on_error}
        return _module("listeners").RunnableWithListeners(self, listeners)

    with_alisteners = with_listeners

    def configurable_alternatives(
        self,
        which: ConfigurableField,
        *,
        default_key: str = "default",
        prefix_keys: bool = False,
        **alternatives: Runnable[Any, Any] | Callable[[], Runnable[Any, Any]],
    ) -> Runnable[In, Out]:
        """Return this runnable with others that a config may choose instead.

        Args:
            which: The field of the choice, in `config["configurable"]`.
            default_key: The key of this runnable.
            prefix_keys: True if the config names the fields of each choice with the choice before
                them: `{"model==large/temperature": 0.5}`.
            **alternatives: Runnables, or functions that make one, by key.
        """
        make = _module("alternatives").RunnableConfigurableAlternatives
        return make(self, which, alternatives, default_key=default_key, prefix_keys=prefix_keys)

    async def astream_events(
        self,
        input: In,
        config: RunnableConfig | None = None,
        *,
        version: Literal["v2"] = "v2",
        **kwargs: Any,
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Run once and yield the events of the run and of those within it, in LangChain's form.

        Args:
            input: The input.
            config: Tags, callbacks and other settings of this run.
            version: The form of the events; there is only `v2`.
            **kwargs: `include_names`, `include_types`, `include_tags`, `exclude_names`,
                `exclude_types` and `exclude_tags` choose runs as in `astream_log`, where
                `chat_model` is another name of `llm`; the others are arguments of `astream`.

        Yields:
            Dicts with `event` (`on_chain_start`, `on_chat_model_stream`, `on_tool_end`,
            `on_parser_error` ...), `data` (`input`, `chunk`, `output` or `error`), `name`,
            `run_id`, `parent_ids`, `tags` and `metadata`. Closing the generator ends the run.

        Raises:
            ValueError: If the version is another one.
            Exception: The exception of the run, after the event of it.

        Example:
            >>> import asyncio
            >>> from chatnb.runnables import RunnableLambda
            >>> async def names():
            ...     return [e["event"] async for e in RunnableLambda(len).astream_events("abc")]
            >>> asyncio.run(names())
            ['on_chain_start', 'on_chain_stream', 'on_chain_end']
        """
        if version != "v2":
            raise ValueError(f"The events of a run are of version 'v2', not {version!r}")
        config = hide_in_config(config)
        events = _module("event_stream").stream_events(self.astream, input, config, kwargs)
        async with aclosing(cast("AsyncGenerator[dict[str, Any], None]", events)) as stream:
            async for event in stream:
                yield event

    def as_tool(
        self,
        args_schema: type[Any] | Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        description: str | None = None,
        arg_types: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return this runnable as a tool that models may call.

        Args:
            args_schema: A Pydantic model or a JSON schema of the arguments. By default they are
                the variables of a prompt, or the type hints of a function, at the beginning; else
                one string.
            name: The name for the model; by default that of the runnable.
            description: The description for the model.
            arg_types: The types of the arguments, by name, instead of a schema.

        Returns:
            A `Tool`.
        """
        make = import_module("chatnb.tools.from_runnable").tool_from_runnable
        return make(self, args_schema, name=name, description=description, arg_types=arg_types)

    def with_types(self, *, input_type: Any = None, output_type: Any = None) -> Runnable[In, Out]:
        """Return this runnable with types for its schemas, which type hints do not give.

        Args:
            input_type: The type of its input, for `input_schema`.
            output_type: The type of its output, for `output_schema`.

        Returns:
            A runnable that does the same.

        Example:
            >>> from chatnb.runnables import RunnableLambda
            >>> length = RunnableLambda(lambda text: len(text)).with_types(input_type=str)
            >>> length.get_input_jsonschema()["type"]
            'string'
        """
        from chatnb.runnables.binding import RunnableWithTypes

        bound = cast("Runnable[In, Out]", self)
        return RunnableWithTypes(bound, input_type=input_type, output_type=output_type)

    def get_prompts(self, config: RunnableConfig | None = None) -> list[Any]:
        """Return the prompt templates among this runnable's parts.

        Args:
            config: Accepted as LangChain's; the parts are the same with every config.

        Returns:
            The prompts, in the order of the graph.

        Example:
            >>> from chatnb.output_parsers import StrOutputParser
            >>> from chatnb.prompts import PromptTemplate
            >>> (PromptTemplate("Of {topic}.") | StrOutputParser()).get_prompts()
            [PromptTemplate('Of {topic}.')]
        """
        parts = self.get_graph().parts.values()
        return [part for part in parts if part.run_type == "prompt"]

    @property
    def input_schema(self) -> type[BaseModel]:
        """A Pydantic model of the input, as far as its type is known."""
        return self.get_input_schema()

    @property
    def output_schema(self) -> type[BaseModel]:
        """A Pydantic model of the output, as far as its type is known."""
        return self.get_output_schema()

    def get_input_schema(self, config: RunnableConfig | None = None) -> type[BaseModel]:
        """Return a Pydantic model of the input; its `model_json_schema()` is the JSON schema.

        Args:
            config: Accepted as LangChain's.
        """
        return _module("schemas").input_model(self)

    def get_output_schema(self, config: RunnableConfig | None = None) -> type[BaseModel]:
        """Return a Pydantic model of the output; its `model_json_schema()` is the JSON schema.

        Args:
            config: Accepted as LangChain's.
        """
        return _module("schemas").output_model(self)

    def get_input_jsonschema(self, config: RunnableConfig | None = None) -> dict[str, Any]:
        """Return the JSON schema of the input, as far as its type is known.

        Args:
            config: Accepted as LangChain's.

        Returns:
            A new dict.

        Example:
            >>> from chatnb.prompts import PromptTemplate
            >>> PromptTemplate.from_template("Hi {name}").get_input_jsonschema()["required"]
            ['name']
        """
        return self.get_input_schema(config).model_json_schema()

    def get_output_jsonschema(self, config: RunnableConfig | None = None) -> dict[str, Any]:
        """Return the JSON schema of the output, as far as its type is known.

        Args:
            config: Accepted as LangChain's.

        Returns:
            A new dict.

        Example:
            >>> from chatnb.output_parsers import StrOutputParser
            >>> StrOutputParser().get_output_jsonschema()["type"]
            'string'
        """
        return self.get_output_schema(config).model_json_schema()


def _module(name: str) -> Any:
    # They are made of runnables, whose base has this class, and loaded by those who use them.
    return import_module(f"chatnb.runnables.wrappers.{name}")
