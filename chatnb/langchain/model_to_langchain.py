"""Use a chatnb chat model in LangChain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any, cast, overload

import langchain_core.messages as lc
from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import ConfigDict

from chatnb.chat_models.base import BaseChatModel as Chat
from chatnb.chat_models.cache import request_key
from chatnb.errors import ModelError
from chatnb.langchain.errors import as_langchain_error
from chatnb.langchain.messages import message_to_langchain, messages_from_langchain
from chatnb.langchain.requests import (
    LangChainTool,
    ToolChoice,
    canonical_tool_choice,
    canonical_tools,
)
from chatnb.langchain.structured_output import (
    Method,
    Schema,
    get_parser,
    response_format,
    with_parser,
)
from chatnb.langchain.tools import tool_to_langchain
from chatnb.redaction import hide_in_options
from chatnb.schema.messages import AIMessage, AIMessageChunk, ToolCallChunk, join_chunks
from chatnb.tools.base import Tool

_STREAMED_EXTRAS = ("reasoning_content", "refusal")  # Texts in `additional_kwargs`.


class ReplyWriter:
    """Convert the chunks of a reply to LangChain's, which add up to the same reply."""

    def __init__(self) -> None:
        self._held: list[AIMessageChunk] = []
        self._named: dict[int, tuple[str, str | None]] = {}
        self._in_parts = False

    def write(self, chunk: AIMessageChunk) -> lc.AIMessageChunk:
        """Return the streamed fields of a chunk as LangChain's, and hold the rest back."""
        extra = chunk.additional_kwargs
        streamed = {
            name: extra[name] for name in _STREAMED_EXTRAS if isinstance(extra.get(name), str)
        }
        self._held.append(
            AIMessageChunk(
                "",
                additional_kwargs={name: extra[name] for name in extra if name not in streamed},
                response_metadata=chunk.response_metadata,
                usage_metadata=chunk.usage_metadata,
            )
        )
        self._in_parts = isinstance(chunk.content, list)
        visible = AIMessageChunk(
            chunk.content,
            additional_kwargs=streamed,
            name=chunk.name,
            id=chunk.id,
            tool_call_chunks=[self._without_repeated_name(call) for call in chunk.tool_call_chunks],
        )
        return _chunk(visible)

    def end(self) -> lc.AIMessageChunk:
        """Return the last chunk, marked as such, with the fields that were held back."""
        last = _chunk(join_chunks(self._held))
        last.content = [] if self._in_parts else ""
        last.chunk_position = "last"
        return last

    def _without_repeated_name(self, call: ToolCallChunk) -> ToolCallChunk:
        """Drop the tool's name where a server repeats it with each chunk."""
        index, name, id = call.get("index"), call.get("name"), call.get("id")
        if index is None or not name:
            return call
        named = self._named.get(index)
        if named and named[0] == name and id in (None, named[1]):
            return {**call, "name": None}
        self._named[index] = (name, id)
        return call


def _chunk(chunk: AIMessage) -> lc.AIMessageChunk:
    written = message_to_langchain(chunk)
    assert isinstance(written, lc.AIMessageChunk)
    return written


# Arguments of a call that LangChain passes to itself.
_INTERNAL_ARGUMENTS = ("ls_structured_output_format", "stream", "structured_output_format")
# The attributes of a chat model that its replies do not depend on.
_NO_SETTINGS = frozenset({"cache", "name", "rate_limiter"})


@overload
def to_langchain(chat: Tool) -> BaseTool: ...
@overload
def to_langchain(chat: Chat, **params: Any) -> ChatnbChat: ...
def to_langchain(chat: Chat | Tool, **params: Any) -> ChatnbChat | BaseTool:
    """Use a chatnb chat model in LangChain, or a tool.

    Args:
        chat: The tool, or the chat model; its key, address, timeout and retries stay its own.
        **params: LangChain's standard parameters `temperature`, `max_tokens` and `stop` for every
            call, and what each of its chat models takes, such as `tags` and `disable_streaming`.

    Returns:
        A LangChain chat model or tool; the model with tools, structured output, streams and usage.

    Raises:
        TypeError: If this is no chatnb chat model.
        ValueError: If there is no such parameter.

    Example:
        >>> from chatnb.chat_models import ScriptedChatModel
        >>> to_langchain(ScriptedChatModel(["Hello there."])).invoke("Hi").content
        'Hello there.'
    """
    if isinstance(chat, Tool):
        return tool_to_langchain(chat)
    if not isinstance(chat, Chat):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"to_langchain takes a chat model of chatnb, not {type(chat).__name__}")
    return ChatnbChat(chat=chat, **params)


class ChatnbChat(BaseChatModel):
    """A chatnb chat model for LangChain; `to_langchain` makes it.

    Parameters of one call override those given here, which override the chat model's own.

    Args:
        chat: The chat model.
        temperature: Sampling temperature, 0 to 2.
        max_tokens: The most tokens to answer with.
        stop: Texts at which the model stops.
        streaming: Whether `invoke` streams too, for callbacks that need each token.

    Example:
        >>> from chatnb.chat_models import ScriptedChatModel
        >>> ChatnbChat(chat=ScriptedChatModel(["Hi."]), temperature=0).temperature
        0.0
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    chat: Chat
    temperature: float | None = None
    max_tokens: int | None = None
    stop: list[str] | None = None
    streaming: bool = False

    @property
    def model_name(self) -> str:
        """Return the name of the model."""
        return self.chat.model_name

    @property
    def _llm_type(self) -> str:
        return f"chatnb-{type(self.chat).__name__}"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        # LangChain's caches and traces show them, so settings, which may hold secrets, are hashed.
        public = {k: value for k, value in vars(self.chat).items() if not k.startswith("_")}
        settings = {k: value for k, value in public.items() if k not in _NO_SETTINGS}
        own = {"temperature": self.temperature, "max_tokens": self.max_tokens, "stop": self.stop}
        return {"model_name": self.model_name, **own, "settings": request_key(settings)}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        standard = super()._get_ls_params(stop=stop or self.stop, **kwargs)
        return {**standard, "ls_provider": type(self.chat).__name__.removeprefix("Chat").lower()}

    def bind_tools(
        self,
        tools: Sequence[LangChainTool],
        *,
        tool_choice: ToolChoice = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, lc.AIMessage]:
        """Return the model with tools that it may call.

        Args:
            tools: LangChain tools, functions, pydantic classes, TypedDicts, JSON schemas, or dicts
                of a provider's built-in tools.
            tool_choice: `any` or a tool's name to force a call, `auto`, or `none`.
            strict: Whether the provider holds the arguments to the schema.
            parallel_tool_calls: Whether one reply may call several tools.
            **kwargs: Further parameters of each call.

        Returns:
            The model with these parameters bound.
        """
        bound = {
            "tools": canonical_tools(tools, strict=strict),
            "tool_choice": canonical_tool_choice(tool_choice),
            "parallel_tool_calls": parallel_tool_calls,
        }
        given = {name: value for name, value in bound.items() if value is not None}
        return self.bind(**given, **kwargs)

    def with_structured_output(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        schema: Schema,
        *,
        include_raw: bool = False,
        method: Method = "json_schema",
        strict: bool | None = None,
    ) -> Runnable[LanguageModelInput, Any]:
        """Return the model as a runnable that gives values of a schema.

        Args:
            schema: A pydantic class, a TypedDict, a JSON schema with a title, or OpenAI's function.
            include_raw: Whether to give `raw`, `parsed` and `parsing_error` in place of the value.
            method: `json_schema` to hold the reply to the schema, `function_calling` for the
                arguments of a tool, `json_mode` for any JSON.
            strict: Whether the provider enforces the schema exactly.

        Returns:
            A runnable that gives an instance of a pydantic class, otherwise a dict.

        Raises:
            ValueError: If there is no such method, or the schema has no name.
        """
        trace_format = {"kwargs": {"method": method, "strict": strict}, "schema": schema}
        if method == "function_calling":
            name = canonical_tools([schema])[0]["function"]["name"]
            model = self.bind_tools(
                [schema],
                tool_choice=name,
                strict=strict,
                parallel_tool_calls=False,
                ls_structured_output_format=trace_format,
            )
        elif method in ("json_schema", "json_mode"):
            wanted = response_format(schema, method, strict=strict)
            model = self.bind(response_format=wanted, ls_structured_output_format=trace_format)
        else:
            raise ValueError(
                f"The method is json_schema, function_calling or json_mode, not {method!r}"
            )
        return with_parser(model, get_parser(schema, method), include_raw=include_raw)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        kwargs = hide_in_options(kwargs)
        with _langchain_errors():
            reply = self.chat.invoke(
                messages_from_langchain(messages), **self._params(stop, kwargs)
            )
        return _result(reply)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        kwargs, sent = hide_in_options(kwargs), messages_from_langchain(messages)
        with _langchain_errors():
            reply = await self.chat.ainvoke(sent, **self._params(stop, kwargs))
        return _result(reply)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        kwargs = hide_in_options(kwargs)
        writer, sent = ReplyWriter(), messages_from_langchain(messages)
        with _langchain_errors():
            for chunk in self.chat.stream(sent, **self._params(stop, kwargs)):
                yield ChatGenerationChunk(message=writer.write(chunk))
        yield ChatGenerationChunk(message=writer.end())

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        kwargs = hide_in_options(kwargs)
        writer, sent = ReplyWriter(), messages_from_langchain(messages)
        source = self.chat.astream(sent, **self._params(stop, kwargs))
        with _langchain_errors():
            async with aclosing(source) as chunks:
                async for chunk in chunks:
                    yield ChatGenerationChunk(message=writer.write(chunk))
        yield ChatGenerationChunk(message=writer.end())

    def _params(self, stop: list[str] | None, kwargs: dict[str, Any]) -> dict[str, Any]:
        own = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        params = {name: value for name, value in own.items() if value is not None}
        params |= {name: value for name, value in kwargs.items() if name not in _INTERNAL_ARGUMENTS}
        return {**params, "stop": stop or self.stop or None}


def _result(reply: AIMessage) -> ChatResult:
    message = cast("lc.AIMessage", message_to_langchain(reply))
    return ChatResult(generations=[ChatGeneration(message=message)])


@contextmanager
def _langchain_errors() -> Generator[None]:
    try:
        yield
    except ModelError as error:
        raise as_langchain_error(error) from error
