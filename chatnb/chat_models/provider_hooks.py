"""The hooks that a provider of chat models implements, and those derived from them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, ClassVar

from chatnb.chat_models.generate import run_output
from chatnb.chat_models.provider_call import whole_reply
from chatnb.concurrency.portal import package_portal
from chatnb.concurrency.threads import call_in_thread, iterate_in_thread
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage, as_chunk
from chatnb.schema.prices import get_price
from chatnb.schema.usage import UsageMetadata

_HOOKS = ("_generate", "_stream", "_agenerate", "_astream")


class ProviderHooks:
    """The part of a chat model that its provider implements: at least one hook."""

    model_name: str
    provider: str

    _own_hooks: ClassVar[frozenset[str]] = frozenset()  # The hooks that the class implements.
    _sdk_name: ClassVar[str] = ""  # The module of the SDK that makes the calls.
    _tool_extras: ClassVar[frozenset[str]] = frozenset()  # Fields of tools beyond OpenAI's.
    _handles_stop: ClassVar[bool] = False  # Otherwise replies are cut at `stop` here.

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = (hook for hook in _HOOKS if getattr(cls, hook) is not getattr(ProviderHooks, hook))
        cls._own_hooks = frozenset(own)

    # Synchronous hooks that only exist asynchronously run on the package's
    # event loop, also where another loop is running; the other way round they run on a thread.

    def _generate(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        """Return one whole reply."""
        if "_stream" in self._own_hooks:
            return whole_reply(list(self._stream(messages, stop=stop, **params)))
        return package_portal.run(self._agenerate(messages, stop=stop, **params))

    def _stream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> Iterator[AIMessageChunk]:
        """Yield the chunks of one reply."""
        if "_astream" in self._own_hooks and "_generate" not in self._own_hooks:
            yield from package_portal.iterate(partial(self._astream, messages, stop=stop, **params))
        else:
            yield as_chunk(self._generate(messages, stop=stop, **params))

    async def _agenerate(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        if "_astream" not in self._own_hooks:
            return await call_in_thread(partial(self._generate, messages, stop=stop, **params))
        async with aclosing(self._astream(messages, stop=stop, **params)) as chunks:
            return whole_reply([chunk async for chunk in chunks])

    async def _astream(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> AsyncGenerator[AIMessageChunk, None]:
        if "_agenerate" in self._own_hooks or "_stream" not in self._own_hooks:
            yield as_chunk(await self._agenerate(messages, stop=stop, **params))
            return
        source = iterate_in_thread(partial(self._stream, messages, stop=stop, **params))
        async with aclosing(source) as chunks:
            async for chunk in chunks:
                yield chunk

    def _check_tools(self, tools: Sequence[Any]) -> None:
        """Warn if the model calls no tools, before it gets some."""

    def _candidates(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> list[AIMessage]:
        """Return every reply of one call; a provider that gives several overrides it."""
        reply = self._generate(messages, stop=stop, **params)
        if not isinstance(reply, AIMessage):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise _no_message(self, reply)
        return [reply]

    async def _acandidates(
        self, messages: list[BaseMessage], *, stop: list[str] | None = None, **params: Any
    ) -> list[AIMessage]:
        reply = await self._agenerate(messages, stop=stop, **params)
        if not isinstance(reply, AIMessage):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise _no_message(self, reply)
        return [reply]

    def _client_side_stop_sequences(
        self, stop: list[str] | None, params: Mapping[str, Any]
    ) -> list[str]:
        """Return the stop sequences that the provider does not handle."""
        return [] if self._handles_stop else stop or []

    def output_of_run(self, output: AIMessage | list[AIMessage]) -> dict[str, Any]:
        """Return the replies as handlers and logs show them."""
        return run_output(output, self.model_name)

    def cost_of_run(self, output: AIMessage | list[AIMessage]) -> float | None:
        """Return the cost of the call, by the price list of its provider."""
        reply = output[0] if isinstance(output, list) else output
        name = reply.response_metadata.get("model_name") or self.model_name
        return get_price(self.provider, name, reply.usage_metadata)

    def metadata_of_run(self) -> dict[str, Any]:
        """Return the provider and model under LangSmith's names."""
        names = {"ls_provider": self.provider, "ls_model_name": self.model_name}
        return {**names, "ls_model_type": "chat"}

    def usage_of_run(self, output: AIMessage | list[AIMessage]) -> UsageMetadata | None:
        """Return the tokens of the call, which the first candidate holds."""
        return (output[0] if isinstance(output, list) else output).usage_metadata


def _no_message(model: object, reply: object) -> TypeError:
    return TypeError(
        f"_generate of {type(model).__name__} returns an AIMessage, not {type(reply).__name__}: "
        "return the message alone, AIMessage(text)"
    )
