"""The verbs of the page beside `invoke` and `stream`: generate, predict, and the call itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import uuid4

from chatnb.chat_models.tokens import count_tokens
from chatnb.runnables.batch import aas_completed, as_completed
from chatnb.runnables.config import RunnableConfig
from chatnb.schema.coercion import ChatInput, MessageLike, to_messages
from chatnb.schema.messages import AIMessage, BaseMessage
from chatnb.schema.outputs import (
    ChatGeneration,
    LLMResult,
    RunInfo,
    combine_llm_outputs,
    token_usage,
)
from chatnb.schema.prompts import PromptValue

_OF_THE_RUN = frozenset(RunnableConfig.__annotations__) - {"max_concurrency"}


class Generating:
    """Whole replies to many prompts, over what answers one."""

    model_name: str

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
        return self._replies(to_messages(messages), stop, _of_the_model(params))[0]

    def generate(
        self,
        messages: Sequence[Sequence[MessageLike]],
        stop: list[str] | None = None,
        *,
        max_concurrency: int | None = None,
        **params: Any,
    ) -> LLMResult:
        """Ask for replies to several lists of messages, with what each call said of itself.

        Args:
            messages: A list of lists of messages, one list a prompt.
            stop: Texts at which the model stops.
            max_concurrency: The most calls at a time; 64 unless told otherwise.
            **params: The provider's parameters for these calls only, and `callbacks`, `tags` and
                the like of the run.

        Returns:
            The candidates of each prompt, in the order of the prompts, and the usage in sum.

        Raises:
            TypeError: If the messages are not a list of lists.
            BatchError: If a call failed; it is of the first failure's class as well, and keeps the
                replies that came.
        """
        prompts, params = _prompts(messages), _of_the_model(params)
        calls = [partial(self._replies, prompt, stop, params) for prompt in prompts]
        replies = dict(as_completed(calls, max_concurrency, return_exceptions=False))
        return llm_result([replies[index] for index in range(len(prompts))], self.model_name)

    async def agenerate(
        self,
        messages: Sequence[Sequence[MessageLike]],
        stop: list[str] | None = None,
        *,
        max_concurrency: int | None = None,
        **params: Any,
    ) -> LLMResult:
        """Ask for replies to several lists of messages without blocking; like `generate`."""
        prompts, params = _prompts(messages), _of_the_model(params)
        calls = [partial(self._areplies, prompt, stop, params) for prompt in prompts]
        pairs = aas_completed(calls, max_concurrency, return_exceptions=False)
        replies = {index: reply async for index, reply in pairs}
        return llm_result([replies[index] for index in range(len(prompts))], self.model_name)

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
        return (await self._areplies(to_messages(text), stop, params))[0].text

    def predict_messages(
        self, messages: Sequence[MessageLike], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        """Messages in, message out."""
        return self(messages, stop, **params)

    async def apredict_messages(
        self, messages: Sequence[MessageLike], *, stop: list[str] | None = None, **params: Any
    ) -> AIMessage:
        """Messages in, message out, without blocking."""
        return (await self._areplies(to_messages(messages), stop, params))[0]

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
    runs = [RunInfo(uuid4()) for _ in replies]
    return LLMResult(generations, output, runs or None)


def _of_the_model(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters of the model, without those that describe the run."""
    return {name: value for name, value in params.items() if name not in _OF_THE_RUN}


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
