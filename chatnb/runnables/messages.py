"""Trim, filter and merge messages, as functions and as steps of a chain."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, cast, overload

from chatnb.schema import trimming
from chatnb.schema.conversion import ChatInput, MessageLike, to_messages
from chatnb.schema.messages import BaseMessage
from chatnb.schema.prompt_values import PromptValue

if TYPE_CHECKING:
    from chatnb.runnables.base import Runnable

Options = ParamSpec("Options")
Messages = ChatInput | Iterable[MessageLike]


class MessageFunction(Protocol[Options]):
    """A function of messages; without messages it returns a runnable that takes them."""

    @overload
    def __call__(
        self, messages: None = None, *args: Options.args, **options: Options.kwargs
    ) -> Runnable[ChatInput, list[BaseMessage]]: ...
    @overload
    def __call__(
        self, messages: Messages, *args: Options.args, **options: Options.kwargs
    ) -> list[BaseMessage]: ...


def _message_function(
    function: Callable[Concatenate[list[BaseMessage], Options], list[BaseMessage]],
) -> MessageFunction[Options]:
    signature = inspect.signature(function)

    @wraps(function)
    def of_any_input(messages: Messages, **options: Any) -> list[BaseMessage]:
        call: Callable[..., list[BaseMessage]] = function
        return call(_as_messages(messages), **options)

    @wraps(function)
    def function_or_runnable(messages: Messages | None = None, **options: Any) -> Any:
        if messages is not None:
            return of_any_input(messages, **options)
        # Whoever has messages does not load asyncio.
        from chatnb.runnables.functions import RunnableLambda

        signature.bind([], **options)
        return RunnableLambda(partial(of_any_input, **options), name=function.__name__)

    return cast("MessageFunction[Options]", function_or_runnable)


def _as_messages(messages: Messages) -> list[BaseMessage]:
    if isinstance(messages, str | BaseMessage | PromptValue | list):
        return to_messages(messages)
    return to_messages(list(cast("Iterable[MessageLike]", messages)))


trim_messages = _message_function(trimming.trim_messages)
filter_messages = _message_function(trimming.filter_messages)
merge_message_runs = _message_function(trimming.merge_message_runs)
