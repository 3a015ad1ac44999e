"""Typed answers of a chat model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from chatnb.runnables.base import Runnable
from chatnb.schema.coercion import ChatInput
from chatnb.schema.messages import AIMessage

if TYPE_CHECKING:
    from chatnb.structured_output.inquiry import StructuredReply
    from chatnb.structured_output.methods import MethodName

T = TypeVar("T")


class Structured:
    """What gives a chat model `with_structured_output`."""

    @overload
    def with_structured_output(
        self,
        schema: type[T],
        *,
        method: MethodName = "json_schema",
        include_raw: Literal[False] = False,
        strict: bool | None = None,
        repair: int = 0,
    ) -> Runnable[ChatInput, T]: ...
    @overload
    def with_structured_output(
        self,
        schema: type[T],
        *,
        method: MethodName = "json_schema",
        include_raw: Literal[True],
        strict: bool | None = None,
        repair: int = 0,
    ) -> Runnable[ChatInput, StructuredReply[T]]: ...
    @overload
    def with_structured_output(
        self,
        schema: Mapping[str, Any],
        *,
        method: MethodName = "json_schema",
        include_raw: Literal[False] = False,
        strict: bool | None = None,
        repair: int = 0,
    ) -> Runnable[ChatInput, dict[str, Any]]: ...
    @overload
    def with_structured_output(
        self,
        schema: Mapping[str, Any],
        *,
        method: MethodName = "json_schema",
        include_raw: Literal[True],
        strict: bool | None = None,
        repair: int = 0,
    ) -> Runnable[ChatInput, StructuredReply[dict[str, Any]]]: ...
    def with_structured_output(
        self,
        schema: Any,
        *,
        method: MethodName = "json_schema",
        include_raw: bool = False,
        strict: bool | None = None,
        repair: int = 0,
    ) -> Any:
        """This model, giving values of a type instead of messages.

        A stream gives the answer again and again as it grows: objects in which what has not come
        yet has its default or is None, dicts with the keys that there are. Only the last has
        passed all validation.

        Args:
            schema: A Pydantic model or a dataclass, for an object of it; a TypedDict or a JSON
                schema, for a dict. Their docstrings, descriptions and names are told to the model.
            method: How the model is asked. `json_schema` has the provider hold it to the schema,
                `tools` (or `function_calling`) has it call a tool that takes the schema, and
                `json_mode` asks for any JSON and describes the schema in the system prompt.
            include_raw: Give a dict of `raw`, the message; `parsed`, the value or None; and
                `parsing_error`, what was wrong or None, which then is not raised.
            strict: Have the provider guarantee a valid answer, as OpenAI's strict mode does. It
                closes the schema: every property is required, and no other is allowed.
            repair: How often at most the model is shown its answer and what is wrong with it, and
                asked again.

        Returns:
            A runnable from what the model takes to the values.

        Raises:
            ConfigurationError: If strict mode cannot express the schema.
            TypeError: If the schema is none of these.
            ValueError: If there is no such method, or repair is negative.
            StructuredOutputError: When it is run, if the answer is not valid; `raw` has the
                message, `text` the JSON and `attempts` every answer.
            ContentFilterError: When it is run, if the model refuses to answer.

        Example:
            >>> from dataclasses import dataclass
            >>> from chatnb.chat_models import ScriptedChatModel
            >>> @dataclass
            ... class City:
            ...     name: str
            ...     people: int
            >>> chat = ScriptedChatModel(['{"name": "Oslo", "people": 700000}'])
            >>> chat.with_structured_output(City).invoke("What is Norway's capital?")
            City(name='Oslo', people=700000)
        """
        from chatnb.structured_output.asking import StructuredOutput

        return StructuredOutput[Any](
            cast("Runnable[ChatInput, AIMessage]", self),
            schema,
            method=method,
            include_raw=include_raw,
            strict=strict,
            repair=repair,
        )
