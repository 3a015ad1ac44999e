"""The chat model: the methods that call it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, TypeVar, overload

# `from chatnb.chat_models import generate` would ask for a name first, and read LangChain's.
import chatnb.chat_models.generate as generating
from chatnb.chat_models.cache import ReplyCache
from chatnb.chat_models.provider_call import (
    NOT_IN_KEYS,
    ProviderCall,
    agather_reply,
    gather_reply,
    without_stream,
)
from chatnb.chat_models.provider_hooks import ProviderHooks
from chatnb.chat_models.rate_limiter import RateLimiter
from chatnb.lazy_names import names_of_package
from chatnb.redaction import hide_in_options
from chatnb.runnables.base import KeepsModelMethods, Runnable, check_implemented
from chatnb.runnables.batches.batch import BatchOptions, aas_completed
from chatnb.runnables.config import RunnableConfig, check_config, take_config
from chatnb.schema.conversion import ChatInput, MessageLike, to_messages
from chatnb.schema.messages import AIMessage, AIMessageChunk, as_chunk
from chatnb.schema.prompt_values import PromptValue
from chatnb.schema.results import LLMResult
from chatnb.tools.openai_schema import (
    ToolChoice,
    ToolLike,
    flat_tools,
    to_openai_tool_choice,
    to_openai_tools,
)
from chatnb.tools.validation import CallCheck

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from typing import Unpack

    from chatnb.structured_output.methods import MethodName
    from chatnb.structured_output.runnable import Options, StructuredReply

T = TypeVar("T")
JsonSchema: TypeAlias = Mapping[str, Any]


class BaseChatModel(
    ProviderHooks, KeepsModelMethods[ChatInput, AIMessage], Runnable[ChatInput, AIMessage]
):
    """A chat model: messages in, a message out.

    A provider implements one or more of the hooks `_generate`, `_stream`, `_agenerate` and
    `_astream`; each of the others is derived from those.

    Example:
        >>> class Echo(BaseChatModel):
        ...     model_name = "echo"
        ...
        ...     def _generate(self, messages, *, stop=None, **params):
        ...         return AIMessage(messages[-1].text)
        >>> Echo().invoke("Hello")
        AIMessage(content='Hello')
    """

    run_type = "llm"

    model_name: str
    """The model's name, as the provider calls it."""
    provider: str = "chatnb"
    """The provider's name, for handlers, logs and prices."""
    cache: ReplyCache | Literal[False] | None = None
    """The cache of replies; None for the one that `set_llm_cache` chose, False for no cache."""
    rate_limiter: RateLimiter | None = None
    """The limit on how often the provider is called."""
    deadline: float | None = None
    """The seconds within which each call has to end, as `deadline` of a config."""

    streaming: bool = False
    """True if whole replies are streamed, so that handlers get their tokens."""
    disable_streaming: bool | Literal["tool_calling"] = False
    """True if streams are one chunk, of a whole reply; `tool_calling` for those with tools."""

    _not_in_cache_key: ClassVar[frozenset[str]] = NOT_IN_KEYS

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_implemented(cls, cls._own_hooks, "_generate or _stream")

    def invoke(
        self,
        input: ChatInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **params: Any,
    ) -> AIMessage:
        """Return one whole reply.

        Args:
            input: A string, a message, a list of messages, or a prompt value.
            config: Tags, callbacks and the like of this run.
            stop: Texts at which the model stops.
            **params: The provider's parameters for this call only.

        Returns:
            The reply.

        Raises:
            ModelError: If the call fails.
        """
        return self._run_call(self._call(input, stop, params, config), config)[0]

    async def ainvoke(
        self,
        input: ChatInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **params: Any,
    ) -> AIMessage:
        """Return one whole reply without blocking the event loop; like `invoke`."""
        return (await self._arun_call(self._call(input, stop, params, config), config))[0]

    def stream(
        self,
        input: ChatInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **params: Any,
    ) -> Iterator[AIMessageChunk]:
        """Yield a reply in chunks that add up to it; closing the iterator closes the connection.

        Args:
            input: A string, a message, a list of messages, or a prompt value.
            config: Tags, callbacks and the like of this run.
            stop: Texts at which the model stops.
            **params: The provider's parameters for this call only.

        Raises:
            ModelError: If the call fails; `partial` holds what had arrived.
        """
        call = self._call(input, stop, params, config, stream=True)
        if call.is_unstreamed:
            yield as_chunk(call.replies(self._candidates)[0])
            return
        # A generator function, so that a step of a chain made of it is known to stream.
        yield from call.stream(self._stream)

    async def astream(
        self,
        input: ChatInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **params: Any,
    ) -> AsyncGenerator[AIMessageChunk, None]:
        """Yield a reply chunk by chunk without blocking the event loop; like `stream`."""
        call = self._call(input, stop, params, config, stream=True)
        if call.is_unstreamed:
            yield as_chunk((await call.areplies(self._acandidates))[0])
            return
        async with aclosing(call.astream(self._astream)) as chunks:
            async for chunk in chunks:
                yield chunk

    def __call__(
        self, messages: ChatInput, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        """Return the reply to messages; `params` may hold `callbacks`, `tags` and the like."""
        config, params = take_config(None, hide_in_options(params))
        call = self._call(messages, stop, params)
        return call.traced_replies(partial(self._run_call, call), config)[0]

    def generate(
        self,
        messages: generating.Prompts,
        stop: list[str] | None = None,
        *,
        max_concurrency: int | None = None,
        executor: Executor | None = None,
        send_keys: bool = False,
        return_exceptions: bool = False,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        **params: Any,
    ) -> LLMResult:
        """Return the replies to several lists of messages, with the metadata of each call.

        After an error of the provider's rate limit, all calls wait as long as it says and go on
        more slowly, instead of failing.

        Args:
            messages: The prompts, in any iterable: lists of messages, strings or prompt values.
            stop: Texts at which the model stops.
            max_concurrency: The most calls at a time; 64 by default.
            return_exceptions: Whether a prompt that fails has no candidates and its exception in
                `errors`, instead of ending the batch.
            checkpoint: A file of the replies, as for `batch`.
            checkpoint_grace: Seconds that an interrupt leaves to calls under way.
            progress: Whether to show a progress bar after two seconds.
            executor, send_keys: Workers that make the calls, as for `batch`.
            **params: The provider's parameters for these calls only, and `callbacks`, `tags` and
                the like of the run.

        Returns:
            The candidates of each prompt, in the order of the prompts, and the total usage.

        Raises:
            TypeError: If the messages are not a list of lists.
            ValueError: If there is one `run_id` for several prompts.
            BatchError: If a call failed. It is also of the first failure's class, and `results`
                holds the replies that arrived.
            BatchInterrupted: On a KeyboardInterrupt, with `results` as well.
        """
        params = hide_in_options(params)
        batch = generating.GenerateBatch(messages, stop, params)
        options = BatchOptions(
            max_concurrency, return_exceptions, checkpoint, progress, checkpoint_grace
        )
        workers = None if executor is None else (executor, send_keys)
        return batch.result(batch.run(self._call, self._run_call, options, workers), self)

    async def agenerate(
        self,
        messages: generating.Prompts,
        stop: list[str] | None = None,
        *,
        max_concurrency: int | None = None,
        return_exceptions: bool = False,
        checkpoint: str | Path | None = None,
        checkpoint_grace: float = 0.0,
        progress: bool = True,
        **params: Any,
    ) -> LLMResult:
        """Return the replies to several lists of messages without blocking; like `generate`."""
        params = hide_in_options(params)
        batch = generating.GenerateBatch(messages, stop, params)
        options = BatchOptions(
            max_concurrency, return_exceptions, checkpoint, progress, checkpoint_grace
        )
        calls = batch.acalls(self._call, self._arun_call)
        async with aclosing(aas_completed(calls, options)) as pairs:
            return batch.result({index: outcome async for index, outcome in pairs}, self)

    def generate_prompt(
        self, prompts: Sequence[PromptValue], stop: list[str] | None = None, **params: Any
    ) -> LLMResult:
        """Return the replies to `prompts`; `stop` and `params` are those of `generate`."""
        return self.generate(generating.messages_from_prompts(prompts), stop, **params)

    async def agenerate_prompt(
        self, prompts: Sequence[PromptValue], stop: list[str] | None = None, **params: Any
    ) -> LLMResult:
        """Return the replies to `prompts` without blocking; see `generate_prompt`."""
        return await self.agenerate(generating.messages_from_prompts(prompts), stop, **params)

    def predict(self, text: str, *, stop: list[str] | None = None, **params: Any) -> str:
        """Return the text of the reply to `text`; `stop` and `params` are those of `invoke`."""
        return self(text, stop, **params).text()

    async def apredict(self, text: str, *, stop: list[str] | None = None, **params: Any) -> str:
        """Return the text of the reply to `text` without blocking; see `predict`."""
        return (await self.apredict_messages([text], stop=stop, **params)).text()

    def predict_messages(
        self, messages: Sequence[MessageLike], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        """Return the reply to `messages`; `stop` and `params` are those of `invoke`."""
        return self(messages, stop, **params)

    async def apredict_messages(
        self, messages: Sequence[MessageLike], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        """Return the reply to `messages` without blocking; see `predict_messages`."""
        config, params = take_config(None, hide_in_options(params))
        call = self._call(messages, stop, params)
        return (await call.atraced_replies(partial(self._arun_call, call), config))[0]

    def bind_tools(
        self,
        tools: Sequence[ToolLike],
        *,
        tool_choice: ToolChoice | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
    ) -> Runnable[ChatInput, AIMessage]:
        """Return this chat model, as a runnable, with tools that it may call.

        Calls of other tools or with arguments that do not fit are in the `invalid_tool_calls` of
        its replies, with the reason.

        Args:
            tools: Functions, `Tool`s, Pydantic models, OpenAI's or Anthropic's dicts, or JSON
                schemas with a title. Tools of the provider (`web_search`) are sent as they are.
            tool_choice: `auto`, `none`, `required` (or `any`, or True), or the name of the tool
                that the model must call.
            strict: Whether the provider holds the model to the schemas.
            parallel_tool_calls: Whether one reply may have several calls.

        Raises:
            TypeError: If an item describes no tool.
            ValueError: If two tools have one name, or `tool_choice` names none of them.

        Example:
            >>> from chatnb.chat_models import ScriptedChatModel
            >>> def add(a: int, b: int) -> int:
            ...     return a + b
            >>> call = {"name": "add", "args": {"a": 1}, "id": "c1"}
            >>> chat = ScriptedChatModel([AIMessage("", tool_calls=[call])]).bind_tools([add])
            >>> chat.invoke("What is 1 + 2?").invalid_tool_calls[0]["error"]
            'The arguments do not fit add: b: Field required'
        """
        tools = flat_tools(tools)
        written = to_openai_tools(tools, strict=strict, extras=self._tool_extras)
        self._check_tools(written)
        params: dict[str, Any] = {"tools": written} if written else {}
        if tool_choice is not None:
            params["tool_choice"] = to_openai_tool_choice(tool_choice, written)
        if parallel_tool_calls is not None:
            params["parallel_tool_calls"] = parallel_tool_calls
        return (self | CallCheck(tools)).bind(**params)

    @overload
    def with_structured_output(
        self, schema: type[T], *, include_raw: Literal[False] = False, **options: Unpack[Options]
    ) -> Runnable[ChatInput, T]: ...
    @overload
    def with_structured_output(
        self, schema: type[T], *, include_raw: Literal[True], **options: Unpack[Options]
    ) -> Runnable[ChatInput, StructuredReply[T]]: ...
    @overload
    def with_structured_output(
        self, schema: JsonSchema, *, include_raw: Literal[False] = False, **options: Unpack[Options]
    ) -> Runnable[ChatInput, dict[str, Any]]: ...
    @overload
    def with_structured_output(
        self, schema: JsonSchema, *, include_raw: Literal[True], **options: Unpack[Options]
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
        """Return a runnable of this model that gives values of a type instead of messages.

        A stream yields the growing answer: objects in which a missing field has its default or is
        None, or dicts with the keys so far. Only the last value has passed all validation.

        Args:
            schema: A Pydantic model or a dataclass, for an object of it; a TypedDict or a JSON
                schema, for a dict. The model sees their docstrings, descriptions and names.
            method: `json_schema` has the provider hold the answer to the schema, `tools` (or
                `function_calling`) has the model call a tool that takes the schema, and
                `json_mode` allows any JSON and describes the schema in the system prompt.
            include_raw: Whether to give a dict of `raw`, the message; `parsed`, the value or None;
                and `parsing_error`, the validation error or None, which then is not raised.
            strict: Whether the provider guarantees a valid answer, as OpenAI's strict mode does.
                It closes the schema: all properties are required, and no others are allowed.
            repair: The most times that the model gets its error back, to correct its answer.

        Raises:
            ConfigurationError: If strict mode cannot express the schema.
            TypeError: If the schema is none of these.
            ValueError: If there is no such method, or repair is negative.
            StructuredOutputError: When run, if the answer is not valid; `raw` has the message,
                `text` the JSON and `attempts` every answer.
            ContentFilterError: When run, if the model refuses to answer.

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
        from chatnb.structured_output.runnable import StructuredOutput

        return StructuredOutput[Any](
            self, schema, method=method, include_raw=include_raw, strict=strict, repair=repair
        )

    def get_num_tokens(self, text: str) -> int:
        """Return the number of tokens in `text`; see `chatnb.chat_models.generate`."""
        return generating.count_tokens(text, self.model_name)

    def get_num_tokens_from_messages(self, messages: ChatInput) -> int:
        """Return the number of tokens in `messages`, with 4 that frame each of them.

        Tool calls and their results are counted as text, and media as what they take about.
        """
        from chatnb.schema.token_counts import message_tokens

        count = self.get_num_tokens
        return sum(4 + message_tokens(message, count) for message in to_messages(messages))

    def _run_call(self, call: ProviderCall, config: RunnableConfig | None) -> list[AIMessage]:
        if call.is_streamed:
            return [gather_reply(call.stream(self._stream), config)]
        return call.replies(self._candidates)

    async def _arun_call(
        self, call: ProviderCall, config: RunnableConfig | None
    ) -> list[AIMessage]:
        if call.is_streamed:
            return [await agather_reply(call.astream(self._astream), config)]
        return await call.areplies(self._acandidates)

    def _call(
        self,
        input: ChatInput,
        stop: list[str] | None,
        params: dict[str, Any],
        config: RunnableConfig | None = None,
        *,
        stream: bool = False,
    ) -> ProviderCall:
        if config is not None:
            check_config(config)
        if "stream" in params:
            params = without_stream(params, stream=stream)
        cut_at = self._client_side_stop_sequences(stop, params)
        messages = to_messages(input)
        call = ProviderCall(self, messages, stop, params, cut_at, self._not_in_cache_key)
        if config:
            call.run = config.get("parent_run")
        return call


if not TYPE_CHECKING:  # LangChain's module of this path has `init_chat_model`.
    __getattr__ = names_of_package("chatnb.chat_models")
