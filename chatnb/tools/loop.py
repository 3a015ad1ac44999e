"""The loop of model calls and tool calls until the model answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, aclosing, closing, contextmanager
from typing import Any, TypeAlias

from chatnb.concurrency.threads import close
from chatnb.errors import ModelError, ToolRoundsError
from chatnb.langchain_objects import is_langchain
from chatnb.runnables.base import Runnable
from chatnb.runnables.config import RunnableConfig, child_config, effective_config
from chatnb.schema.conversion import ChatInput, to_messages
from chatnb.schema.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ToolMessage,
    as_chunk,
    join_chunks,
)
from chatnb.tools.base import Tool
from chatnb.tools.execution import Approve, ToolExecutor
from chatnb.tools.openai_schema import (
    ToolLike,
    flat_tools,
    given_tool,
    is_dict,
    to_tool,
    tool_declaration,
    tools_for_model,
)
from chatnb.tools.validation import CallCheck, StreamedCalls

ChatModel: TypeAlias = Runnable[ChatInput, AIMessage]
# The chunks of the model's replies, and the results of tools.
Streamed: TypeAlias = AIMessageChunk | ToolMessage

DEFAULT_MAX_ROUNDS = 10
DEFAULT_MAX_RESULT_CHARS = 20_000


class ToolLoop(Runnable[ChatInput, BaseMessage]):
    """A chat model that may call tools until it answers; a runnable like a chat model.

    `invoke` returns the answer. `stream` yields everything as it comes: the chunks of the model's
    replies, and the `ToolMessage`s in the order of the calls. The calls of one reply run at the
    same time, on threads or in tasks, at most `max_concurrency` of the config; they end when the
    stream is closed, cancelled or interrupted. Exceptions of tools, rejections and invalid calls
    are reported to the model, which may correct itself. The result of a tool with `return_direct`
    is the answer, unless the tool failed.

    Args:
        chat: A chat model; with `bind_tools` its own choice of tools applies.
        tools: Functions, `Tool`s and LangChain's tools, and dicts of tools that the provider has
            built in.
        approve: A function that gets each call before it is made, one after the other, and
            returns True, or False or `Reject(reason)`. It may be asynchronous.
        max_rounds: The most requests to the model.
        max_result_chars: The most characters of a result for the model; None for all.

    Raises:
        TypeError: If a tool cannot be run here.
        ValueError: If two tools have the same name, or there is not even one round.
        ToolRoundsError: In a run, if the model still calls tools in the last round.

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
        runnable = [_to_runnable_tool(tool) for tool in flat_tools(tools)]
        bound: dict[str, Any] = getattr(chat, "kwargs", {})
        written = tools_for_model(chat, runnable)
        self.chat = chat.bind(tools=written) if written and "tools" not in bound else chat
        self.tools = [tool for tool in runnable if isinstance(tool, Tool)]
        self.max_rounds = max_rounds
        self._direct = {tool.name for tool in self.tools if tool.return_direct}
        self._executor = ToolExecutor(self.tools, approve, max_result_chars)
        self._check = CallCheck(runnable)

    def __repr__(self) -> str:
        return f"ToolLoop({self.chat!r}, [{', '.join(tool.name for tool in self.tools)}])"

    def invoke(
        self, input: ChatInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessage:
        return _final_answer(list(self.stream(input, config, **kwargs)))

    async def ainvoke(
        self, input: ChatInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessage:
        async with aclosing(self.astream(input, config, **kwargs)) as streamed:
            return _final_answer([item async for item in streamed])

    def stream(
        self, input: ChatInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Streamed]:
        inner = child_config(effective_config(config))
        rounds = Rounds(to_messages(input), self.max_rounds, self._check, self._direct)
        while rounds.open:
            with rounds.messages_in_errors(), ExitStack() as stack:
                chunks = self.chat.stream(rounds.messages, inner, **kwargs)
                stack.callback(close, chunks)
                yield from map(rounds.add_chunk, chunks)
            results = self._executor.results(rounds.finish_reply(), inner)
            with rounds.messages_in_errors(), closing(results):
                yield from map(rounds.add_result, results)
            yield from rounds.direct_answer()

    async def astream(
        self, input: ChatInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Streamed, None]:
        inner = child_config(effective_config(config))
        rounds = Rounds(to_messages(input), self.max_rounds, self._check, self._direct)
        while rounds.open:
            chunks = self.chat.astream(rounds.messages, inner, **kwargs)
            with rounds.messages_in_errors():
                async with aclosing(chunks):
                    async for chunk in chunks:
                        yield rounds.add_chunk(chunk)
            results = self._executor.aresults(rounds.finish_reply(), inner)
            with rounds.messages_in_errors():
                async with aclosing(results):
                    async for message in results:
                        yield rounds.add_result(message)
            for answer in rounds.direct_answer():
                yield answer


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

    Stream a `ToolLoop` instead to keep the messages before an interrupt.

    Args:
        chat: A chat model; with `bind_tools` its own choice of tools applies.
        tools: Functions, `Tool`s and LangChain's tools, and dicts of tools that the provider has
            built in.
        messages: A string, a message, or a list of messages.
        approve: A function that gets each call before it is made, one after the other, and
            returns True, or False or `Reject(reason)`. It may be asynchronous.
        max_rounds: The most requests to the model.
        max_result_chars: The most characters of a result for the model; None for all.
        config: Tags, callbacks and other settings of the run.

    Returns:
        The new messages: replies with calls, their results, and at the end the answer.

    Raises:
        ToolRoundsError: If the model still calls tools in the last round.
        ModelError: If the model fails. Both errors have the new messages so far in `messages`.

    Example:
        >>> from chatnb.chat_models import ScriptedChatModel
        >>> def add(a: int, b: int) -> int:
        ...     return a + b
        >>> call = {"name": "add", "args": {"a": 1, "b": 2}, "id": "c1"}
        >>> chat = ScriptedChatModel([AIMessage("", tool_calls=[call]), "It is 3."])
        >>> calls, result, answer = run_tools(chat, [add], "What is 1 + 2?")
        >>> result, answer
        (ToolMessage(content='3', name='add', tool_call_id='c1'), AIMessage(content='It is 3.'))
    """
    loop = ToolLoop(
        chat, tools, approve=approve, max_rounds=max_rounds, max_result_chars=max_result_chars
    )
    return join_streamed(loop.stream(messages, config))


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
    """Let a chat model call tools until it answers, without blocking the event loop.

    Args:
        chat: A chat model; with `bind_tools` its own choice of tools applies.
        tools: Functions, `Tool`s and LangChain's tools.
        messages: What the chat model takes.
        approve: A function that allows or rejects each call, as for `ToolLoop`.
        max_rounds: The most requests to the model.
        max_result_chars: The most characters of a result for the model; None for all.
        config: Tags, callbacks and other settings of the run.

    Returns:
        The new messages: the model's calls, their results, and the answer.

    Raises:
        ToolRoundsError: If the model still calls tools in the last round.

    Example:
        >>> import asyncio
        >>> from chatnb.chat_models import ScriptedChatModel
        >>> def add(a: int, b: int) -> int:
        ...     return a + b
        >>> call = {"name": "add", "args": {"a": 1, "b": 2}, "id": "c1"}
        >>> chat = ScriptedChatModel([AIMessage("", tool_calls=[call]), "It is 3."])
        >>> asyncio.run(arun_tools(chat, [add], "What is 1 + 2?"))[-1]
        AIMessage(content='It is 3.')
    """
    loop = ToolLoop(
        chat, tools, approve=approve, max_rounds=max_rounds, max_result_chars=max_result_chars
    )
    async with aclosing(loop.astream(messages, config)) as streamed:
        return join_streamed([item async for item in streamed])


def _to_runnable_tool(tool: ToolLike) -> ToolLike:
    """Return a tool, or a function as one; raise TypeError if it cannot run."""
    tool = given_tool(tool)
    if isinstance(tool, Tool) or (is_dict(tool) and tool_declaration(tool) is None):
        return tool
    if is_langchain(tool, "BaseTool"):
        return to_tool(tool)
    if is_dict(tool) or isinstance(tool, type) or not callable(tool):
        raise TypeError(
            "A tool loop needs tools that it can run, functions and Tools; this only "
            f"describes one: {tool!r}. bind_tools takes it."
        )
    return to_tool(tool)


def _final_answer(streamed: Sequence[Streamed]) -> AIMessage:
    answer = join_streamed(streamed)[-1]
    assert isinstance(answer, AIMessage)
    return answer


def join_streamed(streamed: Iterable[Streamed]) -> list[BaseMessage]:
    """Join the stream of a tool loop to messages: replies with calls, results, the answer."""
    messages, chunks = list[BaseMessage](), list[AIMessageChunk]()
    for item in streamed:
        if isinstance(item, AIMessageChunk):
            chunks.append(item)
            continue
        if chunks:
            messages.append(join_chunks(chunks).to_message())
            chunks = []
        messages.append(item)
    return [*messages, join_chunks(chunks).to_message()] if chunks else messages


class Rounds:
    """The rounds of one run: a reply that streams in, then the results of its calls."""

    def __init__(
        self,
        messages: Sequence[BaseMessage],
        max_rounds: int,
        check: CallCheck,
        direct: Collection[str] = (),
    ) -> None:
        self._direct = direct
        self._answers = list[str]()
        self._input = list(messages)
        self._new = list[BaseMessage]()
        self._remaining = max_rounds
        self._max_rounds = max_rounds
        self._check = check
        self._start_reply()
        self.open = True

    @property
    def messages(self) -> list[BaseMessage]:
        """Return the messages of the next request."""
        return [*self._input, *self._new]

    def add_chunk(self, chunk: AIMessage) -> AIMessageChunk:
        """Add a chunk of the reply, and return it with invalid calls marked."""
        checked = self._calls.push(chunk if isinstance(chunk, AIMessageChunk) else as_chunk(chunk))
        self._chunks.append(checked)
        return checked

    def finish_reply(self) -> AIMessage:
        """Join the reply; without calls it is the answer, and the last round is over."""
        reply = join_chunks([*self._chunks, *self._calls.end()]).to_message()
        self._new.append(reply)
        self._start_reply()
        self._remaining -= 1
        self.open = bool(reply.tool_calls or reply.invalid_tool_calls)
        if self.open and not self._remaining:
            raise ToolRoundsError(
                f"The model still calls tools after {self._max_rounds} rounds. max_rounds= allows "
                "more; the error's `messages` are those so far.",
                self._new,
            )
        return reply

    def add_result(self, message: ToolMessage) -> ToolMessage:
        """Add the result of a call, and return it."""
        self._new.append(message)
        if message.name in self._direct and message.status == "success":
            self._answers.append(message.text())
        return message

    def direct_answer(self) -> Iterator[AIMessageChunk]:
        """Yield the answer, if a result of this round is not for the model."""
        if self._answers:
            self.open = False
            answer = AIMessageChunk("\n".join(self._answers))
            self._new.append(answer.to_message())
            yield answer

    @contextmanager
    def messages_in_errors(self) -> Generator[None]:
        """Give an error of the model the messages of the rounds before."""
        try:
            yield
        except ModelError as error:
            error.messages = list(self._new)
            raise

    def _start_reply(self) -> None:
        self._chunks = list[AIMessageChunk]()
        self._calls = StreamedCalls(self._check.problem)
