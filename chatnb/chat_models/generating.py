"""The verbs of the page beside `invoke` and `stream`: generate, predict, and the call itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from chatnb.chat_models.tokens import count_tokens
from chatnb.runnables.batch import aas_completed, as_completed, configs_for
from chatnb.runnables.config import RunnableConfig, check_config
from chatnb.runnables.terms import Terms
from chatnb.runnables.traced import arun_traced, run_traced
from chatnb.schema.coercion import ChatInput, MessageLike, to_messages
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage
from chatnb.schema.model_call import ModelCall, prompt_line
from chatnb.schema.outputs import (
    ChatGeneration,
    LLMResult,
    RunInfo,
    combine_llm_outputs,
    token_usage,
)
from chatnb.schema.prices import price_of
from chatnb.schema.prompts import PromptValue
from chatnb.schema.usage import UsageMetadata
from chatnb.tracing.counting import counting_here
from chatnb.tracing.usage_tracker import UsageTracker

_OF_THE_RUN = frozenset(RunnableConfig.__annotations__) - {"max_concurrency"}


class Generating:
    """Whole replies to many prompts, over what answers one."""

    model_name: str
    provider: str = "chatnb"
    """Whose model it is, for handlers and logs."""

    def _replies(
        self, messages: list[BaseMessage], stop: list[str] | None, params: dict[str, Any]
    ) -> list[AIMessage]:
        raise NotImplementedError

    async def _areplies(
        self, messages: list[BaseMessage], stop: list[str] | None, params: dict[str, Any]
    ) -> list[AIMessage]:
        raise NotImplementedError

    def __call__(
        self, messages: ChatInput, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        """Messages in, message out: `chat([HumanMessage("Hi")])`.

        Args:
            messages: A string, a message, or a list of messages.
            stop: Texts at which the model stops.
            **params: The provider's parameters for this call only.

        Returns:
            The reply.
        """
        params, config = _apart(params)
        return self._logged_replies(to_messages(messages), stop, params, config)[0]

    def generate(
        self,
        messages: Sequence[Sequence[MessageLike]],
        stop: list[str] | None = None,
        *,
        max_concurrency: int | None = None,
        return_exceptions: bool = False,
        checkpoint: str | Path | None = None,
        progress: bool = True,
        **params: Any,
    ) -> LLMResult:
        """Ask for replies to several lists of messages, with what each call said of itself.

        When the provider refuses a call for its rate, all of them wait as long as it says and go
        on more slowly, instead of failing.

        Args:
            messages: A list of lists of messages, one list a prompt.
            stop: Texts at which the model stops.
            max_concurrency: The most calls at a time; 64 unless told otherwise.
            return_exceptions: Whether a prompt that fails has no candidates and its exception in
                `errors`, instead of ending the whole.
            checkpoint: A file in which every reply is kept as it arrives: the same call after a
                crash or an interrupt asks only for what is missing.
            progress: Whether a bar is shown once it takes longer than two seconds.
            **params: The provider's parameters for these calls only, and `callbacks`, `tags` and
                the like of the run.

        Returns:
            The candidates of each prompt, in the order of the prompts, and the usage in sum.

        Raises:
            TypeError: If the messages are not a list of lists.
            ValueError: If there is one `run_id` for several prompts.
            BatchError: If a call failed; it is of the first failure's class as well, and keeps the
                replies that came.
            BatchInterrupted: On a KeyboardInterrupt, likewise.
        """
        prompts, (params, config) = _prompts(messages), _apart(params)
        pairs = zip(prompts, configs_for(config, len(prompts)), strict=True)
        took = dict[int, UsageTracker]()
        calls = [
            partial(self._answered, took, index, each, stop, params, own)
            for index, (each, own) in enumerate(pairs)
        ]
        terms = Terms(max_concurrency, return_exceptions, checkpoint, progress)
        return self._result(prompts, dict(as_completed(calls, terms)), took)

    async def agenerate(
        self,
        messages: Sequence[Sequence[MessageLike]],
        stop: list[str] | None = None,
        *,
        max_concurrency: int | None = None,
        return_exceptions: bool = False,
        checkpoint: str | Path | None = None,
        progress: bool = True,
        **params: Any,
    ) -> LLMResult:
        """Ask for replies to several lists of messages without blocking; like `generate`."""
        prompts, (params, config) = _prompts(messages), _apart(params)
        pairs = zip(prompts, configs_for(config, len(prompts)), strict=True)
        took = dict[int, UsageTracker]()
        calls = [
            partial(self._aanswered, took, index, each, stop, params, own)
            for index, (each, own) in enumerate(pairs)
        ]
        terms = Terms(max_concurrency, return_exceptions, checkpoint, progress)
        async with aclosing(aas_completed(calls, terms)) as done:
            replies = {index: each async for index, each in done}
        return self._result(prompts, replies, took)

    def _answered(self, took: dict[int, UsageTracker], index: int, *asked: Any) -> list[AIMessage]:
        tracker = took[index] = UsageTracker()
        with counting_here(tracker):
            return self._logged_replies(*asked)

    async def _aanswered(
        self, took: dict[int, UsageTracker], index: int, *asked: Any
    ) -> list[AIMessage]:
        tracker = took[index] = UsageTracker()
        with counting_here(tracker):
            return await self._alogged_replies(*asked)

    def _call_of(
        self,
        messages: list[BaseMessage],
        outcome: list[AIMessage] | Exception,
        tracker: UsageTracker,
    ) -> ModelCall:
        """The call as it was counted, as an earlier try left it in a checkpoint, or as what kept it
        from being made."""
        if tracker.calls:
            return tracker.calls[-1]
        call = ModelCall(self.model_name, self.provider, prompt_line(messages))
        if isinstance(outcome, Exception):
            call.error = type(outcome).__name__
            call.usage = UsageMetadata(input_tokens=0, output_tokens=0, total_tokens=0)
            return call
        said, call.usage = outcome[0].response_metadata, outcome[0].usage_metadata
        call.model = said.get("model_name") or call.model
        call.finish_reason = said.get("finish_reason")
        return call

    def _result(
        self,
        prompts: Sequence[list[BaseMessage]],
        replies: Mapping[int, list[AIMessage] | Exception],
        took: Mapping[int, UsageTracker],
    ) -> LLMResult:
        """The replies in the order of their prompts; a prompt that failed has no candidates."""
        ordered = [replies[index] for index in range(len(replies))]
        candidates = [[] if isinstance(each, Exception) else each for each in ordered]
        result = llm_result(candidates, self.model_name)
        result.calls = [
            self._call_of(prompt, outcome, took[index])
            for index, (prompt, outcome) in enumerate(zip(prompts, ordered, strict=True))
        ]
        result.errors = {i: each for i, each in enumerate(ordered) if isinstance(each, Exception)}
        return result

    def generate_prompt(
        self, prompts: Sequence[PromptValue], stop: list[str] | None = None, **params: Any
    ) -> LLMResult:
        """Like `generate`, of prompt values."""
        return self.generate(_messages_of(prompts), stop, **params)

    async def agenerate_prompt(
        self, prompts: Sequence[PromptValue], stop: list[str] | None = None, **params: Any
    ) -> LLMResult:
        """Like `agenerate`, of prompt values."""
        return await self.agenerate(_messages_of(prompts), stop, **params)

    def predict(self, text: str, *, stop: list[str] | None = None, **params: Any) -> str:
        """Text in, text out."""
        return self(text, stop, **params).text

    async def apredict(self, text: str, *, stop: list[str] | None = None, **params: Any) -> str:
        """Text in, text out, without blocking."""
        return (await self.apredict_messages([text], stop=stop, **params)).text

    def predict_messages(
        self, messages: Sequence[MessageLike], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        """Messages in, message out."""
        return self(messages, stop, **params)

    async def apredict_messages(
        self, messages: Sequence[MessageLike], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        """Messages in, message out, without blocking."""
        params, config = _apart(params)
        return (await self._alogged_replies(to_messages(messages), stop, params, config))[0]

    def output_of_run(self, output: AIMessage | list[AIMessage]) -> dict[str, Any]:
        """How handlers and logs see replies: an `LLMResult`, as a dict down to the messages."""
        if isinstance(output, AIMessageChunk):
            return LLMResult([[_generation(output)]]).as_dict()
        result = llm_result([output if isinstance(output, list) else [output]], self.model_name)
        return replace(result, run=None).as_dict()

    def cost_of_run(self, output: AIMessage | list[AIMessage]) -> float | None:
        """What the call cost, by the price list of its provider."""
        reply = output[0] if isinstance(output, list) else output
        name = reply.response_metadata.get("model_name") or self.model_name
        return price_of(self.provider, name, reply.usage_metadata)

    def metadata_of_run(self) -> dict[str, Any]:
        """Who answers, by the names that LangSmith gave these facts."""
        return {
            "ls_provider": self.provider,
            "ls_model_name": self.model_name,
            "ls_model_type": "chat",
        }

    def usage_of_run(self, output: AIMessage | list[AIMessage]) -> UsageMetadata | None:
        """The tokens of the call, which the first candidate tells of."""
        return (output[0] if isinstance(output, list) else output).usage_metadata

    def _logged_replies(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        params: dict[str, Any],
        config: RunnableConfig | None,
    ) -> list[AIMessage]:
        return run_traced(self, messages, config, lambda _: self._replies(messages, stop, params))

    async def _alogged_replies(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        params: dict[str, Any],
        config: RunnableConfig | None,
    ) -> list[AIMessage]:
        return await arun_traced(
            self, messages, config, lambda _: self._areplies(messages, stop, params)
        )

    def get_num_tokens(self, text: str) -> int:
        """How many tokens a text has for this model; see `chatnb.chat_models.tokens`."""
        return count_tokens(text, self.model_name)

    def get_num_tokens_from_messages(self, messages: ChatInput) -> int:
        """How many tokens messages have, with the few that frame each of them."""
        frame = 4
        return sum(frame + self.get_num_tokens(message.text) for message in to_messages(messages))


def llm_result(replies: Sequence[Sequence[AIMessage]], model_name: str) -> LLMResult:
    """Put the replies to several prompts together.

    Args:
        replies: The candidates of each prompt.
        model_name: The model's name, where the replies do not say theirs.

    Example:
        >>> llm_result([], "m")
        LLMResult(generations=[], llm_output={'token_usage': {}, 'model_name': 'm'}, run=None)
    """
    generations = [[_generation(r) for r in some] for some in replies]
    said = [r.response_metadata.get("model_name") for some in replies for r in some]
    outputs = [{"token_usage": token_usage(some[0].usage_metadata)} for some in replies if some]
    names = [name for name in said if name]
    output = {**combine_llm_outputs(outputs), "model_name": names[-1] if names else model_name}
    unknown = sum(_is_unknown(some[0]) for some in replies if some)
    if unknown:
        output["calls_without_usage"] = unknown
    runs = [RunInfo(uuid4()) for _ in replies]
    return LLMResult(generations, output, runs or None)


def _is_unknown(reply: AIMessage) -> bool:
    """Whether nobody knows what a reply took; one out of a cache took nothing."""
    return reply.usage_metadata is None and not reply.response_metadata.get("from_cache")


def _apart(params: dict[str, Any]) -> tuple[dict[str, Any], RunnableConfig | None]:
    """The parameters of the model, and those that describe the run."""
    config = {name: value for name, value in params.items() if name in _OF_THE_RUN}
    of_the_model = {name: value for name, value in params.items() if name not in config}
    return of_the_model, check_config(cast("RunnableConfig", config)) if config else None


def _generation(reply: AIMessage) -> ChatGeneration:
    metadata = reply.response_metadata
    info = {name: metadata[name] for name in ("finish_reason", "logprobs") if metadata.get(name)}
    return ChatGeneration(reply.text, info or None, message=reply)


def _messages_of(prompts: Sequence[PromptValue]) -> list[list[BaseMessage]]:
    for prompt in prompts:
        if not isinstance(prompt, PromptValue):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                "generate_prompt takes prompt values, such as prompt.invoke(...) gives, "
                f"not {prompt!r}. For text write generate([[text]])."
            )
    return [prompt.to_messages() for prompt in prompts]


def _prompts(messages: Sequence[Sequence[MessageLike]]) -> list[list[BaseMessage]]:
    if not isinstance(messages, list | tuple):
        raise TypeError(f"generate takes a list of lists of messages, not {messages!r}")
    for prompt in messages:
        if not isinstance(prompt, list):
            raise TypeError(
                "generate takes a list of lists of messages, one list a prompt; "
                f"this item is no list: {prompt!r}. For one prompt write generate([messages])."
            )
    return [to_messages(prompt) for prompt in messages]
