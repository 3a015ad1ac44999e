"""Batches of whole replies: the calls of `generate`, their result, and token counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from chatnb.chat_models.call_tracking import TrackedModel
from chatnb.chat_models.provider_call import ProviderCall
from chatnb.runnables.batches.batch import BatchOptions, configs_for, values_of
from chatnb.runnables.batches.inputs import input_list
from chatnb.runnables.batches.methods import gather
from chatnb.runnables.config import RunnableConfig, take_config
from chatnb.schema.conversion import ChatInput, MessageLike, to_messages
from chatnb.schema.message_types import plain_text
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage
from chatnb.schema.model_call import ModelCall, call_from_reply, prompt_line
from chatnb.schema.prompt_values import PromptValue
from chatnb.schema.results import (
    ChatGeneration,
    LLMResult,
    RunInfo,
    token_usage,
)
from chatnb.schema.usage import UsageMetadata, sum_counts

if TYPE_CHECKING:
    from concurrent.futures import Executor

Params: TypeAlias = dict[str, Any]
NewCall: TypeAlias = Callable[[ChatInput, list[str] | None, Params], ProviderCall]
Replies: TypeAlias = list[AIMessage]
Prompts: TypeAlias = Iterable[Sequence[MessageLike] | PromptValue]
RunCall: TypeAlias = Callable[[ProviderCall, RunnableConfig | None], Replies]

_BYTES_PER_TOKEN = 4
_PROMPT_TYPES = (list, str, PromptValue)


class _LastCall:
    """A tracker of one prompt: the call that was answered, or the last that failed."""

    __slots__ = ("call",)

    def __init__(self) -> None:
        self.call: ModelCall | None = None

    def admit(self) -> None:
        """Admit every call."""

    def record(self, call: ModelCall) -> None:
        """Keep a finished call."""
        self.call = call


class GenerateBatch:
    """The calls of one `generate`, with a tracker for each prompt."""

    def __init__(self, messages: Prompts, stop: list[str] | None, params: Params) -> None:
        self._prompts = _check_prompts(messages)
        self._stop = stop
        config, self._params = take_config(None, params)
        self._configs = configs_for(config, len(self._prompts))
        self._trackers = [_LastCall() for _ in self._prompts]

    def _calls(self, new_call: NewCall, replies: RunCall) -> list[Callable[[], Replies]]:
        rows = zip(self._new_calls(new_call), self._configs, strict=True)
        return [partial(call.traced_replies, partial(replies, call), own) for call, own in rows]

    def acalls(
        self,
        new_call: NewCall,
        replies: Callable[[ProviderCall, RunnableConfig | None], Coroutine[Any, Any, Replies]],
    ) -> list[Callable[[], Coroutine[Any, Any, Replies]]]:
        """Return a coroutine function for each prompt that makes its call."""
        rows = zip(self._new_calls(new_call), self._configs, strict=True)
        return [partial(call.atraced_replies, partial(replies, call), own) for call, own in rows]

    def run(
        self,
        new_call: NewCall,
        replies: RunCall,
        options: BatchOptions,
        workers: tuple[Executor, bool] | None,
    ) -> dict[int, Replies | Exception]:
        """Return the replies or exceptions, from workers of an executor, if there is one."""
        if workers is None:
            return values_of(self._calls(new_call, replies), options)
        from chatnb.runnables.batches.executors import Workers, executor_completed

        def record(index: int, calls: list[ModelCall]) -> None:
            for call in calls:
                self._trackers[index].record(call)

        pairs = executor_completed(
            partial(_make_call, new_call, replies, self._stop, self._params),
            [to_messages(prompt) for prompt in self._prompts],
            self._configs[0] if self._configs else None,
            {},
            options,
            Workers(*workers),
            in_order=False,
            on_calls=record,
        )
        return dict(enumerate(gather(pairs, len(self._prompts))))

    def _new_calls(self, new_call: NewCall) -> list[ProviderCall]:
        calls = [new_call(prompt, self._stop, self._params) for prompt in self._prompts]
        for call, tracker in zip(calls, self._trackers, strict=True):
            call.tracker = tracker
        return calls

    def result(self, outcomes: Mapping[int, Replies | Exception], model: TrackedModel) -> LLMResult:
        """Return the replies in the order of the prompts; a failed prompt has no candidates."""
        ordered = [outcomes[index] for index in range(len(outcomes))]
        rows = zip(self._prompts, ordered, self._trackers, strict=True)
        calls = [
            # Without a call the reply was in the checkpoint, or something kept it from being made.
            tracker.call or call_from_outcome(model, prompt_line(to_messages(prompt)), outcome)
            for prompt, outcome, tracker in rows
        ]
        return result_of_outcomes(ordered, calls, model.model_name)


def _make_call(
    new_call: NewCall,
    replies: RunCall,
    stop: list[str] | None,
    params: Params,
    prompt: list[BaseMessage],
    config: RunnableConfig | None,
) -> Replies:
    call = new_call(prompt, stop, params)
    return call.traced_replies(partial(replies, call), config)


def call_from_outcome(model: TrackedModel, prompt: str, outcome: Replies | Exception) -> ModelCall:
    """Return the call of a prompt whose outcome alone is known."""
    if not isinstance(outcome, Exception):
        return call_from_reply(outcome[0], model.model_name, model.provider, prompt)
    # Such as a spent budget, which kept it from being made.
    nothing = UsageMetadata(input_tokens=0, output_tokens=0, total_tokens=0)
    error = type(outcome).__name__
    return ModelCall(model.model_name, model.provider, prompt, nothing, error=error)


def result_of_outcomes(
    outcomes: Sequence[Replies | Exception], calls: list[ModelCall], model_name: str
) -> LLMResult:
    """Return the outcomes of prompts as one result; a failed prompt has no candidates."""
    replies = [[] if isinstance(outcome, Exception) else outcome for outcome in outcomes]
    result = llm_result(replies, model_name)
    result.run = [RunInfo() for _ in replies] or None
    result.calls = calls
    result.errors = {i: error for i, error in enumerate(outcomes) if isinstance(error, Exception)}
    return result


def llm_result(replies: Sequence[Sequence[AIMessage]], model_name: str) -> LLMResult:
    """Return the candidates of several prompts as one result."""
    first = [candidates[0] for candidates in replies if candidates]
    metadata = [reply.response_metadata for candidates in replies for reply in candidates]
    names = (name for each in reversed(metadata) if (name := each.get("model_name")))
    usages = (token_usage(reply.usage_metadata) for reply in first)
    output = {"token_usage": sum_counts(usages), "model_name": next(names, model_name)}
    unknown = sum(_is_usage_unknown(reply) for reply in first)
    if unknown:
        output["calls_without_usage"] = unknown
    generations = [[_generation(reply) for reply in candidates] for candidates in replies]
    return LLMResult(generations, output)


def run_output(output: AIMessage | list[AIMessage], model_name: str) -> dict[str, Any]:
    """Return the output of a run as handlers and logs show it: an `LLMResult`, as a dict."""
    if isinstance(output, AIMessageChunk):
        return LLMResult([[_generation(output)]]).as_dict()
    result = llm_result([output if isinstance(output, list) else [output]], model_name)
    return result.as_dict()


def _generation(reply: AIMessage) -> ChatGeneration:
    metadata = reply.response_metadata
    info = {name: metadata[name] for name in ("finish_reason", "logprobs") if metadata.get(name)}
    return ChatGeneration(plain_text(reply), info or None, message=reply)


def _is_usage_unknown(reply: AIMessage) -> bool:
    # Cached replies use no tokens.
    return reply.usage_metadata is None and not reply.response_metadata.get("from_cache")


def messages_from_prompts(prompts: Sequence[PromptValue]) -> list[list[BaseMessage]]:
    """Return the messages of prompt values."""
    for prompt in prompts:
        if not isinstance(prompt, PromptValue):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                "generate_prompt takes prompt values, such as prompt.invoke(...) gives, "
                f"not {prompt!r}. For text write generate([[text]])."
            )
    return [prompt.to_messages() for prompt in prompts]


def _check_prompts(messages: Prompts) -> Sequence[ChatInput]:
    if isinstance(messages, str | PromptValue) or not isinstance(messages, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"generate takes a list of lists of messages, not {messages!r}")
    prompts = input_list(messages)
    for prompt in prompts:
        if not isinstance(prompt, _PROMPT_TYPES):
            raise TypeError(
                "generate takes a list of lists of messages, one list a prompt; "
                f"this item is no list: {prompt!r}. For one prompt write generate([messages])."
            )
    return prompts


def count_tokens(text: str, model_name: str) -> int:
    """Return the number of tokens in a text."""
    # With the extra `tokens` (tiktoken) the count is that of the model's own encoding, where
    # tiktoken knows the model and has, or can fetch, its tables. Otherwise it is a quarter of the
    # bytes, rounded up: about right for English prose, too low for code and for scripts that are
    # rare in training data.
    encoding = _encoding(model_name)
    if encoding is not None:
        return len(encoding.encode(text, disallowed_special=()))
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / _BYTES_PER_TOKEN)


def _encoding(model_name: str) -> Any:
    try:
        return import_module("tiktoken").encoding_for_model(model_name)
    except (ImportError, KeyError, OSError):
        return None
