"""A chat model that returns values of a type, with repeated requests for invalid ones."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Generic, TypedDict, TypeVar

from chatnb.concurrency.threads import close
from chatnb.errors import ContentFilterError, OutputParserError, StructuredOutputError
from chatnb.json_schemas import schema_from_type
from chatnb.output_parsers.json import GrowingJson, GrowingJsonParser
from chatnb.runnables.base import Runnable
from chatnb.runnables.batches.checkpoint import stored_replies
from chatnb.runnables.config import RunnableConfig
from chatnb.runnables.methods import Out
from chatnb.schema.conversion import ChatInput, to_messages
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage
from chatnb.structured_output.methods import ByJsonSchema, MethodName, get_method
from chatnb.structured_output.parsers import parser_from_type
from chatnb.terminal import SafeText

T = TypeVar("T")
# Providers' finish reasons.
_CUT_OFF = ("length", "max_tokens", "max_output_tokens")
_REFUSED = ("refusal", "content_filter")


class StructuredReply(TypedDict, Generic[T]):
    """A parsed value with its message: the result of `include_raw=True`.

    Both `parsed` and `parsing_error` are None only while a reply streams in that has no value yet;
    otherwise one of them is.

    Example:
        >>> from chatnb import ScriptedChatModel
        >>> schema = {"title": "Age", "type": "object", "properties": {"age": {"type": "integer"}}}
        >>> chat = ScriptedChatModel(['{"age": 9}']).with_structured_output(
        ...     schema, method="json_mode", include_raw=True
        ... )
        >>> reply = chat.invoke("How old is the cat?")
        >>> reply["parsed"], reply["raw"].content
        ({'age': 9}, '{"age": 9}')
    """

    raw: AIMessage
    parsed: T | None
    parsing_error: Exception | None


class StructuredOutput(Runnable[ChatInput, Out]):
    """A chat model that returns values of a type; see `BaseChatModel.with_structured_output`.

    A stream yields the value so far at each change; each replaces the one before.

    Args:
        model: The chat model.
        schema: A Pydantic model, a TypedDict, a dataclass or a JSON schema.
        method: The request's method: `json_schema`, `tools` or `json_mode`.
        include_raw: Whether to return a `StructuredReply`, without an error for an invalid reply.
        strict: Whether the provider guarantees that replies are valid.
        repair: The number of further requests that show the model its error.

    Raises:
        ConfigurationError: If strict mode cannot express the schema.
        TypeError: If the schema is none of these.
        ValueError: If there is no such method, or repair is negative.

    Example:
        >>> from chatnb import ScriptedChatModel
        >>> schema = {"title": "Age", "type": "object", "properties": {"age": {"type": "integer"}}}
        >>> chat = ScriptedChatModel(['{"age": 9}'])
        >>> typed = chat.with_structured_output(schema, method="json_mode")
        >>> isinstance(typed, StructuredOutput), typed.invoke("How old is the cat?")
        (True, {'age': 9})
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
            raise ValueError(f"repair is a number of attempts, 0 or more, not {repair}")
        if schema is None:
            raise TypeError(
                "with_structured_output takes a type or a JSON schema. For JSON of any form write "
                'chat.bind(response_format={"type": "json_object"}) | JsonOutputParser()'
            )
        named = schema_from_type(schema)
        self._method = get_method(method, named, strict)
        self._parser = parser_from_type(schema)
        self._include_raw = include_raw
        self._repair = repair
        self._shown = f"{model!r}, {named.name}"
        self.model = model.bind(**self._method.params())

    def __repr__(self) -> str:
        return SafeText(f"StructuredOutput({self._shown})")

    def invoke(self, input: ChatInput, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        loop = self._repair_loop(input)
        while not loop.done:
            with loop.catch_refusals():
                loop.add_reply(self.model.invoke(loop.messages, config, **kwargs))
        return loop.result()

    async def ainvoke(
        self, input: ChatInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Out:
        loop = self._repair_loop(input)
        while not loop.done:
            with loop.catch_refusals():
                loop.add_reply(await self.model.ainvoke(loop.messages, config, **kwargs))
        return loop.result()

    def stream(
        self, input: ChatInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        loop = self._repair_loop(input)
        while not loop.done:
            chunks = self.model.stream(loop.messages, config, **kwargs)
            try:
                with loop.catch_refusals():
                    for chunk in chunks:
                        yield from loop.add_chunk(chunk)
                    loop.end_stream()
            finally:
                close(chunks)
        yield loop.result()

    async def astream(
        self, input: ChatInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        loop = self._repair_loop(input)
        while not loop.done:
            source = self.model.astream(loop.messages, config, **kwargs)
            async with aclosing(source) as chunks:
                with loop.catch_refusals():
                    async for chunk in chunks:
                        for partial in loop.add_chunk(chunk):
                            yield partial
                    loop.end_stream()
        yield loop.result()

    def request_messages(self, input: ChatInput) -> list[BaseMessage]:
        """Return the messages of the first request for a value of `input`."""
        return self._repair_loop(input).messages

    def request_params(self) -> dict[str, Any]:
        """Return the parameters of each request."""
        return dict(self._method.params())

    def value_of(self, reply: AIMessage) -> Any:
        """Return the value in a `reply`, or raise a StructuredOutputError."""
        loop = self._repair_loop([])
        loop.add_reply(reply)
        return loop.result()

    def _repair_loop(self, input: ChatInput) -> RepairLoop:
        return RepairLoop(
            self._method,
            self._parser,
            to_messages(input),
            include_raw=self._include_raw,
            repair=self._repair,
        )


class RepairLoop:
    """The requests for one value: the first, and one for each reply to be corrected."""

    # Without I/O, so that the four loops below share it: while it is not `done`, they send
    # `messages` and pass the reply to `add_reply`, or its chunks to `add_chunk`, then `end_stream`.

    def __init__(
        self,
        method: ByJsonSchema,
        parser: GrowingJsonParser[Any],
        messages: list[BaseMessage],
        *,
        include_raw: bool,
        repair: int,
    ) -> None:
        self.messages = method.request_messages(messages)
        self.done = False
        self._method = method
        self._parser = parser
        self._include_raw = include_raw
        self._repair = repair
        self._attempts = list[AIMessage]()
        self._invalid = list[str]()
        self._reply: StructuredReply[Any]
        self._reset_stream()

    def add_reply(self, reply: AIMessage) -> None:
        """Parse a complete reply; raise a ContentFilterError if the model refused to answer."""
        self._attempts.append(reply)
        _raise_if_refused(reply)
        try:
            value = self._parser.parse(self._method.text(reply))
        except OutputParserError as error:
            self._request_correction(reply, error)
        else:
            self._end(reply, value, None)

    def add_chunk(self, chunk: AIMessageChunk) -> Iterator[Any]:
        """Add a chunk of a reply, and yield the partial value if the chunk changed it."""
        self._streamed += chunk
        if self._json.add(self._method.chunk_text(chunk)):
            partial = self._parser.partial_value(self._json.data)
            reply = StructuredReply(raw=self._streamed, parsed=partial, parsing_error=None)
            yield self._shown(reply)

    def end_stream(self) -> None:
        """Parse the chunks so far as the complete reply."""
        reply = self._streamed.to_message()
        self._reset_stream()
        self.add_reply(reply)

    @contextmanager
    def catch_refusals(self) -> Generator[None]:
        """Make a refusal the result, if errors are part of results."""
        try:
            yield
        except ContentFilterError as error:
            if not self._include_raw or error.partial is None:
                raise
            self._end(error.partial, None, error)

    def result(self) -> Any:
        """Return the value, or the `StructuredReply` with it; raise the error of an invalid one."""
        error = self._reply["parsing_error"]
        if error is not None and not self._include_raw:
            raise error
        return self._shown(self._reply)

    def _reset_stream(self) -> None:
        self._streamed, self._json = AIMessageChunk(""), GrowingJson()

    def _request_correction(self, reply: AIMessage, error: OutputParserError) -> None:
        self._invalid.append(error.text)
        if len(self._attempts) <= self._repair:
            self.messages = [*self.messages, *self._method.correction_messages(reply, str(error))]
            return
        for text in self._invalid:
            stored_replies.forget(text)
        failure = StructuredOutputError(
            f"{str(error).rstrip('.')}.",
            text=error.text,
            hint=self._hint(reply),
            raw=reply,
            attempts=self._attempts,
        )
        failure.__cause__ = error.__cause__
        self._end(reply, None, failure)

    def _hint(self, reply: AIMessage) -> str:
        if _finish(reply) in _CUT_OFF:
            return "The reply was cut off at its token limit: raise it with max_tokens=."
        if self._repair:
            return "Simplify the schema, or use another model."
        return "With repair=1 the model is asked again, with the error."

    def _end(self, raw: AIMessage, parsed: Any, error: Exception | None) -> None:
        self._reply = StructuredReply(raw=raw, parsed=parsed, parsing_error=error)
        self.done = True

    def _shown(self, reply: StructuredReply[Any]) -> Any:
        return reply if self._include_raw else reply["parsed"]


class Options(TypedDict, total=False):
    """The options of `with_structured_output`, beside the schema and `include_raw`."""

    method: MethodName
    strict: bool | None
    repair: int


def _finish(reply: AIMessage) -> Any:
    return reply.response_metadata.get("finish_reason")


def _raise_if_refused(reply: AIMessage) -> None:
    """Raise a ContentFilterError for a refusal that the provider did not raise itself."""
    refusal = reply.additional_kwargs.get("refusal")
    if not refusal and _finish(reply) not in _REFUSED:
        return
    message = f"The model refused to answer{f': {refusal}' if refusal else '.'}"
    raise ContentFilterError(message, hint="Rephrase the prompt.", partial=reply)
