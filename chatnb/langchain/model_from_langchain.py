"""Use a LangChain chat model in chatnb."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any, Literal, TypeAlias, cast, overload

import langchain_core.messages as lc
from langchain_core.runnables import Runnable
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.tools import BaseTool

from chatnb.chat_models.base import BaseChatModel
from chatnb.chat_models.cache import ReplyCache
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.chat_models.wire.error_classes import make_loaded_sdk_error
from chatnb.chat_models.wire.error_secrets import remove_secrets
from chatnb.chat_models.wire.finish_reasons import finish_reason, raise_bad_ending
from chatnb.errors import ChatnbError, MalformedReplyError, ModelError
from chatnb.langchain.errors import model_error
from chatnb.langchain.messages import message_from_langchain, messages_to_langchain
from chatnb.langchain.requests import langchain_tool_choice
from chatnb.langchain.tools import LangChainTool
from chatnb.redaction import call_options, model_secrets
from chatnb.redaction.logs import hide_call_in_logs, hide_in_logs
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage, as_chunk, join_chunks
from chatnb.schema.usage import UsageMetadata, add_usage

_REASON_KEYS = ("finish_reason", "stop_reason", "done_reason")


class ReplyReader:
    """Convert the chunks of a LangChain reply to chatnb's."""

    def __init__(self) -> None:
        self._chunks: list[AIMessageChunk] = []
        self._usage: UsageMetadata | None = None

    @property
    def partial(self) -> AIMessage | None:
        """Return the message so far, or None before the first chunk."""
        return join_chunks(self._chunks).to_message() if self._chunks else None

    def read(self, output: object) -> AIMessageChunk:
        """Return the next chunk; a model without streams gives a whole message."""
        chunk = as_chunk(_reply(output))
        if chunk.usage_metadata is not None:
            # LangChain's token counts are increments, chatnb's are running totals.
            self._usage = chunk.usage_metadata = add_usage(self._usage, chunk.usage_metadata)
        self._chunks.append(chunk)
        return chunk

    def end(self) -> Iterator[AIMessageChunk]:
        """Yield a last chunk with the finish reason, if there were any chunks, and check it."""
        if self._chunks:
            whole = join_chunks(self._chunks)
            ending = _finish_reason(whole.response_metadata, calls=bool(whole.tool_call_chunks))
            yield AIMessageChunk("", response_metadata=ending)
            whole.response_metadata |= ending
            raise_bad_ending(whole.to_message())


def read_reply(output: object) -> AIMessage:
    """Return a whole reply, with OpenAI's name of its finish reason."""
    reply = _reply(output)
    if isinstance(reply, AIMessageChunk):
        reply = reply.to_message()
    reply.response_metadata |= _finish_reason(reply.response_metadata, calls=bool(reply.tool_calls))
    raise_bad_ending(reply)
    return reply


def _reply(output: object) -> AIMessage:
    reply = message_from_langchain(output) if isinstance(output, lc.AIMessage) else None
    if not isinstance(reply, AIMessage):
        raise MalformedReplyError(
            f"The LangChain runnable gave {type(output).__name__}, not a model's message.",
            hint="Give from_langchain a chat model, without a parser behind it.",
        )
    return reply


def _finish_reason(metadata: Mapping[str, Any], *, calls: bool) -> dict[str, Any]:
    given = next((metadata[name] for name in _REASON_KEYS if metadata.get(name)), "")
    # Some integrations give an enum, whose text begins with its class.
    reason = finish_reason(str(given).rpartition(".")[2])
    return {"finish_reason": reason or ("tool_calls" if calls else "stop")}


LangChainModel: TypeAlias = Runnable[Any, Any]

_NAME_ATTRIBUTES = ("model_name", "model", "model_id", "deployment_name")


@overload
def from_langchain(model: BaseTool) -> LangChainTool: ...
@overload
def from_langchain(
    model: LangChainModel,
    *,
    model_name: str | None = None,
    cache: ReplyCache | Literal[False] | None = None,
    rate_limiter: RateLimiter | None = None,
) -> LangChainChat: ...
def from_langchain(
    model: LangChainModel | BaseTool,
    *,
    model_name: str | None = None,
    cache: ReplyCache | Literal[False] | None = None,
    rate_limiter: RateLimiter | None = None,
) -> LangChainChat | LangChainTool:
    """Use a chat model of LangChain's in chatnb, in cells, panels and chains; or one of its tools.

    Args:
        model: The chat model, as it is or after `bind`, `with_retry` or `with_fallbacks`; or a
            tool.
        model_name: The name to show; by default the model's own.
        cache: The cache of replies; False for none.
        rate_limiter: The limit on how often the model is called.

    Returns:
        A chatnb chat model; of a tool, a `Tool`.

    Raises:
        TypeError: If this is no runnable of LangChain's.

    Example:
        >>> from langchain_core.language_models import FakeListChatModel
        >>> from_langchain(FakeListChatModel(responses=["Hello."])).invoke("Hi")
        AIMessage(content='Hello.')
    """
    if isinstance(model, BaseTool):
        return LangChainTool(model)
    return LangChainChat(model, model_name=model_name, cache=cache, rate_limiter=rate_limiter)


class LangChainChat(BaseChatModel):
    """A chat model of LangChain's for chatnb; `from_langchain` makes it.

    Args:
        model: The chat model, as it is or after `bind`, `with_retry` or `with_fallbacks`.
        model_name: The name to show; by default the model's own.
        cache: The cache of replies; False for none.
        rate_limiter: The limit on how often the model is called.

    Raises:
        TypeError: If this is no runnable of LangChain's.

    Example:
        >>> from langchain_core.language_models import FakeListChatModel
        >>> LangChainChat(FakeListChatModel(responses=["Hello."]))
        LangChainChat(model='FakeListChatModel')
    """

    def __init__(
        self,
        model: LangChainModel,
        *,
        model_name: str | None = None,
        cache: ReplyCache | Literal[False] | None = None,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        if not isinstance(model, Runnable):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"from_langchain takes a chat model of LangChain's, not {type(model).__name__}"
            )
        hide_in_logs(_core(model))
        self.model = model
        self.model_name = model_name or _get_name(model)
        self.cache = cache
        self.rate_limiter = rate_limiter

    def __repr__(self) -> str:
        return f"LangChainChat(model={self.model_name!r})"

    def _generate(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        with self._mapped_errors(None, params):
            call = _Call(self.model, stop, params)
            return read_reply(call.model.invoke(messages_to_langchain(messages), **call.given))

    async def _agenerate(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        with self._mapped_errors(None, params):
            call = _Call(self.model, stop, params)
            return read_reply(
                await call.model.ainvoke(messages_to_langchain(messages), **call.given)
            )

    def _stream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> Iterator[AIMessageChunk]:
        reader = ReplyReader()
        with self._mapped_errors(reader, params):
            call = _Call(self.model, stop, params)
            for output in call.model.stream(messages_to_langchain(messages), **call.given):
                yield reader.read(output)
            yield from reader.end()

    async def _astream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        reader = ReplyReader()
        with self._mapped_errors(reader, params):
            call = _Call(self.model, stop, params)
            source = call.model.astream(messages_to_langchain(messages), **call.given)
            async with aclosing(cast("AsyncGenerator[Any, None]", source)) as chunks:
                async for output in chunks:
                    yield reader.read(output)
            for chunk in reader.end():
                yield chunk

    @contextmanager
    def _mapped_errors(
        self, reader: ReplyReader | None, params: Mapping[str, Any]
    ) -> Generator[None]:
        """Raise chatnb's errors for the model's, with the partial reply, without secrets."""

        def secrets() -> set[str]:
            return model_secrets(_core(self.model), call_options(params))

        try:
            with hide_call_in_logs(secrets):
                yield
        except ModelError as error:
            error.partial = error.partial or (reader.partial if reader else None)
            raise
        except ChatnbError:
            raise
        except Exception as failure:
            arrived = reader.partial if reader else None
            mapped = model_error(failure, started=arrived is not None)
            mapped.partial = arrived
            make_loaded_sdk_error(mapped, failure)
            remove_secrets(secrets(), failure, mapped)
            raise mapped from failure


class _Call:
    """A model with the tools of a call, and the call's other arguments."""

    # Tracebacks print local variables, and a model of LangChain's its headers: this does not.

    def __init__(
        self, model: LangChainModel, stop: list[str] | None, params: Mapping[str, Any]
    ) -> None:
        self.model, self.given = _bind_tools(model, stop, params)


def _bind_tools(
    model: LangChainModel, stop: list[str] | None, params: Mapping[str, Any]
) -> tuple[LangChainModel, dict[str, Any]]:
    """Return the model with the tools of this call, and the other arguments."""
    given = {name: value for name, value in params.items() if value is not None}
    tools = given.pop("tools", None)
    if tools:
        choice = {
            name: given.pop(name)
            for name in ("tool_choice", "parallel_tool_calls")
            if name in given
        }
        if "tool_choice" in choice:
            choice["tool_choice"] = langchain_tool_choice(choice["tool_choice"])
        model = _with_tools(model, tools, choice)
    return model, {**given, "stop": stop} if stop else given


def _with_tools(model: Any, tools: list[Any], choice: dict[str, Any]) -> LangChainModel:
    if isinstance(model, RunnableBindingBase):
        # The wrapped model gets the tools, so that the wrapper's arguments and retries stay.
        wrapped = cast("RunnableBindingBase[Any, Any]", model)
        return wrapped.model_copy(update={"bound": _with_tools(wrapped.bound, tools, choice)})
    return model.bind_tools(tools, **choice)


def _core(model: Any) -> Any:
    """Return the chat model inside its wrappers."""
    while True:
        inner: Any = getattr(model, "bound", None) or getattr(model, "runnable", None)
        if not isinstance(inner, Runnable):
            return model
        model = cast("Any", inner)


def _get_name(model: LangChainModel) -> str:
    core = _core(model)
    names = (getattr(core, name, None) for name in _NAME_ATTRIBUTES)
    found = next((name for name in names if isinstance(name, str) and name), "")
    return found.removeprefix("models/") or type(core).__name__
