"""A chat model that gives values of a type."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from chatnb.json_schemas import schema_of
from chatnb.runnables.base import Runnable
from chatnb.runnables.config import RunnableConfig
from chatnb.runnables.threads import close
from chatnb.runnables.verbs import Out
from chatnb.schema.coercion import ChatInput, to_messages
from chatnb.structured_output.answers import answers_of
from chatnb.structured_output.inquiry import Inquiry
from chatnb.structured_output.methods import method_named


class StructuredOutput(Runnable[ChatInput, Out]):
    """A chat model whose answers are values of a type; see `BaseChatModel.with_structured_output`.

    A stream gives the answer again and again as it grows; each replaces the one before.

    Args:
        model: The chat model.
        schema: A Pydantic model, a TypedDict, a dataclass or a JSON schema.
        method: How the model is asked: `json_schema`, `tools` or `json_mode`.
        include_raw: Whether to give a `StructuredReply`, and no error for an invalid answer.
        strict: Whether the provider guarantees that answers are valid.
        repair: How often the model is shown what is wrong with its answer, and asked again.

    Raises:
        ConfigurationError: If strict mode cannot express the schema.
        TypeError: If the schema is none of these.
        ValueError: If there is no such method, or repair is negative.
    """

    chunks_replace = True

    def __init__(
        self,
        model: Runnable[ChatInput, Any],
        schema: Any,
        *,
        method: str,
        include_raw: bool,
        strict: bool | None,
        repair: int,
    ) -> None:
        if repair < 0:
            raise ValueError(f"repair is how often to ask again, 0 or more, not {repair}")
        named = schema_of(schema)
        self._method = method_named(method, named, strict)
        self._answers = answers_of(schema)
        self._include_raw = include_raw
        self._repair = repair
        self._shown = f"{model!r}, {named.name}"
        self.model = model.bind(**self._method.params())

    def __repr__(self) -> str:
        return f"StructuredOutput({self._shown})"

    def invoke(self, input: ChatInput, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        inquiry = self._inquiry(input)
        while not inquiry.over:
            with inquiry.keeping_refusals():
                inquiry.take(self.model.invoke(inquiry.messages, config, **kwargs))
        return inquiry.result()

    async def ainvoke(
        self, input: ChatInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Out:
        inquiry = self._inquiry(input)
        while not inquiry.over:
            with inquiry.keeping_refusals():
                inquiry.take(await self.model.ainvoke(inquiry.messages, config, **kwargs))
        return inquiry.result()

    def stream(
        self, input: ChatInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        inquiry = self._inquiry(input)
        while not inquiry.over:
            chunks = self.model.stream(inquiry.messages, config, **kwargs)
            try:
                with inquiry.keeping_refusals():
                    for chunk in chunks:
                        yield from inquiry.grow(chunk)
                    inquiry.take_grown()
            finally:
                close(chunks)
        yield inquiry.result()

    async def astream(
        self, input: ChatInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        inquiry = self._inquiry(input)
        while not inquiry.over:
            source = self.model.astream(inquiry.messages, config, **kwargs)
            async with aclosing(source) as chunks:
                with inquiry.keeping_refusals():
                    async for chunk in chunks:
                        for partial in inquiry.grow(chunk):
                            yield partial
                    inquiry.take_grown()
        yield inquiry.result()

    def _inquiry(self, input: ChatInput) -> Inquiry:
        return Inquiry(
            self._method,
            self._answers,
            to_messages(input),
            include_raw=self._include_raw,
            repair=self._repair,
        )
