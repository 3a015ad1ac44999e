"""The loop of a model's calls and their results, until the model answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import ExitStack, aclosing, closing
from typing import Any, TypeAlias

from chatnb.runnables.base import Runnable
from chatnb.runnables.config import RunnableConfig, child_config, effective_config
from chatnb.runnables.threads import close
from chatnb.schema.coercion import ChatInput, to_messages
from chatnb.schema.messages import AIMessage, BaseMessage
from chatnb.tools.approval import Approve
from chatnb.tools.base import Tool
from chatnb.tools.call_check import CallCheck
from chatnb.tools.caller import Caller
from chatnb.tools.openai_tools import ToolLike, declaration_of, is_dict, to_openai_tools
from chatnb.tools.rounds import Rounds, Said, messages_of

ChatModel: TypeAlias = Runnable[ChatInput, AIMessage]

DEFAULT_MAX_ROUNDS = 10
DEFAULT_MAX_RESULT_CHARS = 20_000


class ToolLoop(Runnable[ChatInput, BaseMessage]):
    """A chat model that may call tools until it answers; with the verbs of a chat model.

    `invoke` gives the answer. `stream` gives everything as it comes: the chunks of the model's
    replies, and the `ToolMessage`s in the order of the calls; `messages_of` puts them together.
    The calls of one reply run at the same time, on threads or in tasks; the config's
    `max_concurrency` says how many. What a tool raises, a rejection, and what is wrong with a call
    are told to the model, which may do better.

    Args:
        chat: A chat model, or one that `bind_tools` was called on, whose choices then hold.
        tools: Functions and `Tool`s, and dicts of tools that the provider has built in.
        approve: Is asked before each call, one after the other, and gives True, or False or
            `Reject(reason)`. It may be asynchronous.
        max_rounds: How often the model may be asked.
        max_result_chars: The most characters of a result that the model is told; None for all.

    Raises:
        TypeError: If a tool is none that can be run here.
        ValueError: If two tools have the same name, or there is not even one round.
        ToolRoundsError: When it is run, if the model still calls tools in the last round.

    Example:
        >>> from chatnb.chat_models import ScriptedChatModel
        >>> def add(a: int, b: int) -> int:
        ...     return a + b
        >>> call = {"name": "add", "args": {"a": 1, "b": 2}, "id": "c1"}
        >>> chat = ScriptedChatModel([AIMessage("", tool_calls=[call]), "It is 3."])
        >>> ToolLoop(chat, [add]).invoke("What is 1 + 2?")
        AIMessage(content='It is 3.')
    """

    def __init__(
        self,
        chat: ChatModel,
        tools: Sequence[ToolLike],
        *,
        approve: Approve | None = None,
        max_rounds: int = DEFAULT_MAX_ROUNDS,
        max_result_chars: int | None = DEFAULT_MAX_RESULT_CHARS,
    ) -> None:
        if max_rounds < 1:
            raise ValueError(f"max_rounds must be 1 or more, not {max_rounds}")
        runnable = [_runnable(tool) for tool in tools]
        bound: dict[str, Any] = getattr(chat, "kwargs", {})
        written = to_openai_tools(runnable)
        self.chat = chat.bind(tools=written) if written and "tools" not in bound else chat
        self.tools = [tool for tool in runnable if isinstance(tool, Tool)]
        self.max_rounds = max_rounds
        self._caller = Caller(self.tools, approve, max_result_chars)
        self._check = CallCheck(runnable)

    def __repr__(self) -> str:
        return f"ToolLoop({self.chat!r}, [{', '.join(tool.name for tool in self.tools)}])"

    def invoke(
        self, input: ChatInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessage:
        return _answer_in(list(self.stream(input, config, **kwargs)))

    async def ainvoke(
        self, input: ChatInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessage:
        async with aclosing(self.astream(input, config, **kwargs)) as said:
            return _answer_in([each async for each in said])

    def stream(
        self, input: ChatInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Said]:
        inner = child_config(effective_config(config))
        rounds = Rounds(to_messages(input), self.max_rounds, self._check)
        while rounds.open:
            with rounds.kept(), ExitStack() as stack:
                chunks = self.chat.stream(rounds.messages, inner, **kwargs)
                stack.callback(close, chunks)
                yield from map(rounds.heard, chunks)
            with closing(self._caller.results(rounds.replied(), inner)) as results:
                yield from map(rounds.answered, results)

    async def astream(
        self, input: ChatInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Said, None]:
        inner = child_config(effective_config(config))
        rounds = Rounds(to_messages(input), self.max_rounds, self._check)
        while rounds.open:
            chunks = self.chat.astream(rounds.messages, inner, **kwargs)
            with rounds.kept():
                async with aclosing(chunks):
                    async for chunk in chunks:
                        yield rounds.heard(chunk)
            async with aclosing(self._caller.aresults(rounds.replied(), inner)) as results:
                async for message in results:
                    yield rounds.answered(message)


def run_tools(
    chat: ChatModel,
    tools: Sequence[ToolLike],
    messages: ChatInput,
    *,
    approve: Approve | None = None,
    max_rounds: int = DEFAULT_MAX_ROUNDS,
    max_result_chars: int | None = DEFAULT_MAX_RESULT_CHARS,
    config: RunnableConfig | None = None,
) -> list[BaseMessage]:
    """Let a chat model call tools until it answers.

    Whoever wants to keep what came before an interrupt streams a `ToolLoop`.

    Args:
        chat: A chat model, or one that `bind_tools` was called on, whose choices then hold.
        tools: Functions and `Tool`s, and dicts of tools that the provider has built in.
        messages: A string, a message, or a list of messages.
        approve: Is asked before each call, one after the other, and gives True, or False or
            `Reject(reason)`. It may be asynchronous.
        max_rounds: How often the model may be asked.
        max_result_chars: The most characters of a result that the model is told; None for all.
        config: Tags, callbacks and the like of the run.

    Returns:
        The new messages: replies with calls, the results of these, and at the end the answer.

    Raises:
        ToolRoundsError: If the model still calls tools in the last round; `messages` has all of it.
        ModelError: If the model fails; `messages` has what came before.

    Example:
        >>> from chatnb.chat_models import ScriptedChatModel
        >>> def add(a: int, b: int) -> int:
        ...     return a + b
        >>> call = {"name": "add", "args": {"a": 1, "b": 2}, "id": "c1"}
        >>> chat = ScriptedChatModel([AIMessage("", tool_calls=[call]), "It is 3."])
        >>> asked, result, answer = run_tools(chat, [add], "What is 1 + 2?")
        >>> result, answer
        (ToolMessage(content='3', name='add', tool_call_id='c1'), AIMessage(content='It is 3.'))
    """
    loop = ToolLoop(
        chat, tools, approve=approve, max_rounds=max_rounds, max_result_chars=max_result_chars
    )
    return messages_of(loop.stream(messages, config))


async def arun_tools(
    chat: ChatModel,
    tools: Sequence[ToolLike],
    messages: ChatInput,
    *,
    approve: Approve | None = None,
    max_rounds: int = DEFAULT_MAX_ROUNDS,
    max_result_chars: int | None = DEFAULT_MAX_RESULT_CHARS,
    config: RunnableConfig | None = None,
) -> list[BaseMessage]:
    """Let a chat model call tools until it answers, without blocking; like `run_tools`."""
    loop = ToolLoop(
        chat, tools, approve=approve, max_rounds=max_rounds, max_result_chars=max_result_chars
    )
    async with aclosing(loop.astream(messages, config)) as said:
        return messages_of([each async for each in said])


def _runnable(tool: ToolLike) -> ToolLike:
    """The tool itself, of a function one that can be run.

    Raises:
        TypeError: If it can only be described.
    """
    if isinstance(tool, Tool) or (is_dict(tool) and declaration_of(tool) is None):
        return tool
    if is_dict(tool) or isinstance(tool, type) or not callable(tool):
        raise TypeError(
            "A loop of calls needs tools that it can run, functions and Tools; this only "
            f"describes one: {tool!r}. bind_tools takes it."
        )
    return Tool(tool)


def _answer_in(said: Sequence[Said]) -> AIMessage:
    answer = messages_of(said)[-1]
    assert isinstance(answer, AIMessage)
    return answer
