"""A chat model of LangChain's as one of chatnb's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any, Literal, TypeAlias, cast

from langchain_core.runnables import Runnable
from langchain_core.runnables.base import RunnableBindingBase
from pydantic import SecretStr

from chatnb.chat_models.base import BaseChatModel
from chatnb.chat_models.cache import ReplyCache
from chatnb.chat_models.key_redaction import redact
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.errors import ChatnbError, ModelError
from chatnb.langchain.canonical_requests import langchain_tool_choice
from chatnb.langchain.failures import model_error
from chatnb.langchain.messages import messages_to_langchain
from chatnb.langchain.reply_reader import ReplyReader, read_reply
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage

LangChainModel: TypeAlias = Runnable[Any, Any]

_NAMES = ("model_name", "model", "model_id", "deployment_name")
"""Where LangChain's models keep what they are called."""


def from_langchain(
    model: LangChainModel,
    *,
    model_name: str | None = None,
    cache: ReplyCache | Literal[False] | None = None,
    rate_limiter: RateLimiter | None = None,
) -> LangChainChat:
    """Use a chat model of LangChain's in chatnb: in cells, panels and chains.

    Args:
        model: The chat model, as it is or after `bind`, `with_retry` or `with_fallbacks`.
        model_name: What it is called; by default what it calls itself.
        cache: Where replies are kept; False for nowhere.
        rate_limiter: What spaces the calls out.

    Returns:
        A chatnb chat model.

    Raises:
        TypeError: If this is nothing of LangChain's that can be run.

    Example:
        >>> from langchain_core.language_models import FakeListChatModel
        >>> from_langchain(FakeListChatModel(responses=["Hello."])).invoke("Hi")
        AIMessage(content='Hello.')
    """
    return LangChainChat(model, model_name=model_name, cache=cache, rate_limiter=rate_limiter)


class LangChainChat(BaseChatModel):
    """A chat model of LangChain's for chatnb; `from_langchain` makes it.

    Args:
        model: The chat model, as it is or after `bind`, `with_retry` or `with_fallbacks`.
        model_name: What it is called; by default what it calls itself.
        cache: Where replies are kept; False for nowhere.
        rate_limiter: What spaces the calls out.

    Raises:
        TypeError: If this is nothing of LangChain's that can be run.

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
        self.model = model
        self.model_name = model_name or _name_of(model)
        self.cache = cache
        self.rate_limiter = rate_limiter

    def __repr__(self) -> str:
        return f"LangChainChat(model={self.model_name!r})"

    def _generate(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        with self._mapped_errors(None):
            model, given = _prepared(self.model, stop, params)
            return read_reply(model.invoke(messages_to_langchain(messages), **given))

    async def _agenerate(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        with self._mapped_errors(None):
            model, given = _prepared(self.model, stop, params)
            return read_reply(await model.ainvoke(messages_to_langchain(messages), **given))

    def _stream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> Iterator[AIMessageChunk]:
        reader = ReplyReader()
        with self._mapped_errors(reader):
            model, given = _prepared(self.model, stop, params)
            for said in model.stream(messages_to_langchain(messages), **given):
                yield reader.read(said)
            yield from reader.end()

    async def _astream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        reader = ReplyReader()
        with self._mapped_errors(reader):
            model, given = _prepared(self.model, stop, params)
            source = model.astream(messages_to_langchain(messages), **given)
            async with aclosing(cast("AsyncGenerator[Any, None]", source)) as chunks:
                async for said in chunks:
                    yield reader.read(said)
            for chunk in reader.end():
                yield chunk

    @contextmanager
    def _mapped_errors(self, reader: ReplyReader | None) -> Generator[None]:
        """Raise chatnb's errors for the model's, with what had arrived, and without its keys."""
        try:
            yield
        except ModelError as error:
            error.partial = error.partial or (reader.partial if reader else None)
            raise
        except ChatnbError:
            raise
        except Exception as failure:
            partial = reader.partial if reader else None
            mapped = model_error(failure, started=partial is not None)
            mapped.partial = partial
            for secret in _secrets(self.model):
                redact(secret, failure, mapped)
            raise mapped from failure


def _prepared(
    model: LangChainModel, stop: list[str] | None, params: Mapping[str, Any]
) -> tuple[LangChainModel, dict[str, Any]]:
    """The model with the tools of this call, and the arguments that are left."""
    given = {name: value for name, value in params.items() if value is not None}
    tools = given.pop("tools", None)
    if tools:
        choosing = {
            name: given.pop(name)
            for name in ("tool_choice", "parallel_tool_calls")
            if name in given
        }
        if "tool_choice" in choosing:
            choosing["tool_choice"] = langchain_tool_choice(choosing["tool_choice"])
        model = _with_tools(model, tools, choosing)
    return model, {**given, "stop": stop} if stop else given


def _with_tools(model: Any, tools: list[Any], choosing: dict[str, Any]) -> LangChainModel:
    """What is wrapped gets the tools, so that the wrapper's own arguments and retries stay."""
    if isinstance(model, RunnableBindingBase):
        wrapped = cast("RunnableBindingBase[Any, Any]", model)
        return wrapped.model_copy(update={"bound": _with_tools(wrapped.bound, tools, choosing)})
    return model.bind_tools(tools, **choosing)


def _core(model: Any) -> Any:
    """The chat model inside what wraps it."""
    while True:
        inner: Any = getattr(model, "bound", None) or getattr(model, "runnable", None)
        if not isinstance(inner, Runnable):
            return model
        model = cast("Any", inner)


def _name_of(model: LangChainModel) -> str:
    core = _core(model)
    names = (getattr(core, name, None) for name in _NAMES)
    said = next((name for name in names if isinstance(name, str) and name), "")
    return said.removeprefix("models/") or type(core).__name__


def _secrets(model: LangChainModel) -> list[str]:
    core: object = _core(model)
    return [held.get_secret_value() for held in vars(core).values() if isinstance(held, SecretStr)]
