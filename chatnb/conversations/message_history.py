"""A runnable with the messages of a conversation before its input."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any, Protocol, cast

from chatnb.conversations.conversation import Conversation
from chatnb.runnables.base import Runnable
from chatnb.runnables.binding import ConfigurableField
from chatnb.runnables.chunks import add_up
from chatnb.runnables.config import RunnableConfig, child_config, effective_config
from chatnb.schema.conversion import to_messages
from chatnb.schema.messages import AIMessage, BaseMessage

_SESSION = (ConfigurableField(id="session_id"),)


class MessageHistory(Protocol):
    """An object that keeps messages, such as LangChain's chat message histories."""

    @property
    def messages(self) -> Any:
        """The messages so far."""
        ...

    @property
    def add_messages(self) -> Callable[[Sequence[BaseMessage]], Any]:
        """A function that adds messages."""
        ...


class RunnableWithMessageHistory(Runnable[Any, Any]):
    """A runnable that gets the messages of a conversation, and adds its own to it.

    `config["configurable"]["session_id"]` names the conversation. The messages of a run are added
    when it has succeeded.

    Args:
        runnable: A chat model, or a chain that takes messages or a dict.
        get_session_history: A function of the session's id that returns its `Conversation`, or an
            object with `messages` and `add_messages`. By default the conversation of that name,
            which `%%chat -c` and panels share.
        input_messages_key: The key of the new message in the input, if that is a dict.
        output_messages_key: The key of the reply in the output, if that is a dict.
        history_messages_key: The key of the input under which the runnable gets the messages
            before; without it, they come before the new ones.
        history_factory_config: The fields in `config["configurable"]` that are the arguments of
            `get_session_history`, by keyword, instead of `session_id`.

    Raises:
        ValueError: When it runs, if the config lacks such a field, or the input or output a key.

    Example:
        >>> from chatnb.chat_models import ScriptedChatModel
        >>> from chatnb.store import Store
        >>> store = Store(":memory:")
        >>> chat = RunnableWithMessageHistory(
        ...     ScriptedChatModel(["Hello, Ada.", "You are Ada."]),
        ...     lambda session_id: Conversation(session_id, store=store),
        ... )
        >>> session = {"configurable": {"session_id": "ada"}}
        >>> [chat.invoke(text, session).text for text in ("I am Ada.", "Who am I?")]
        ['Hello, Ada.', 'You are Ada.']
        >>> len(Conversation("ada", store=store).messages)
        4
    """

    def __init__(
        self,
        runnable: Runnable[Any, Any],
        get_session_history: Callable[..., Conversation | MessageHistory] = Conversation,
        *,
        input_messages_key: str | None = None,
        output_messages_key: str | None = None,
        history_messages_key: str | None = None,
        history_factory_config: Sequence[ConfigurableField] | None = None,
    ) -> None:
        self.bound = runnable
        self.chunks_replace = runnable.chunks_replace
        self.get_session_history = get_session_history
        self.input_messages_key = input_messages_key
        self.output_messages_key = output_messages_key
        self.history_messages_key = history_messages_key
        self._fields = None if history_factory_config is None else tuple(history_factory_config)

    def __repr__(self) -> str:
        return f"RunnableWithMessageHistory({self.bound!r})"

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        turn = _Turn(self, input, config)
        output = self.bound.invoke(turn.request, turn.config, **kwargs)
        turn.save(output)
        return output

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        turn = _Turn(self, input, config)
        output = await self.bound.ainvoke(turn.request, turn.config, **kwargs)
        turn.save(output)
        return output

    def stream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        turn, chunks = _Turn(self, input, config), list[Any]()
        with closing(cast("Any", self.bound.stream(turn.request, turn.config, **kwargs))) as stream:
            for chunk in stream:
                chunks.append(chunk)
                yield chunk
        turn.save(add_up(chunks, replace=bool(self.chunks_replace)))

    async def astream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        turn, chunks = _Turn(self, input, config), list[Any]()
        async with aclosing(self.bound.astream(turn.request, turn.config, **kwargs)) as stream:
            async for chunk in stream:
                chunks.append(chunk)
                yield chunk
        turn.save(add_up(chunks, replace=bool(self.chunks_replace)))

    def history(self, config: RunnableConfig | None) -> Conversation | MessageHistory:
        """Return the history that a config names.

        Args:
            config: The config of a run.

        Raises:
            ValueError: If it lacks a field.
        """
        given: Mapping[str, Any] = (config or {}).get("configurable") or {}
        fields = _SESSION if self._fields is None else self._fields
        missing = [field.id for field in fields if field.id not in given]
        if missing:
            example = {"configurable": dict.fromkeys(missing, "...")}
            raise ValueError(f"This runnable needs a config with {', '.join(missing)}: {example}")
        values = {field.id: given[field.id] for field in fields}
        if self._fields is None:
            return self.get_session_history(values["session_id"])
        return self.get_session_history(**values)


class _Turn:
    """One run: the request with the messages so far, and what is added afterwards."""

    def __init__(
        self, runnable: RunnableWithMessageHistory, input: Any, config: RunnableConfig | None
    ) -> None:
        effective = effective_config(config)
        self.config = child_config(effective)
        self._runnable = runnable
        self._history = runnable.history(effective)
        self._new = _messages(_item(input, runnable.input_messages_key, "input"))
        self.request = self._request(input)

    def _request(self, input: Any) -> Any:
        history, runnable = self._history, self._runnable
        if isinstance(history, Conversation):
            before = list(history.messages_through(history.tip))
        else:
            before = to_messages(list(history.messages))
        if runnable.history_messages_key is not None:
            if not isinstance(input, Mapping):
                raise ValueError("With a history_messages_key the input is a dict")
            return {**input, runnable.history_messages_key: before}  # pyright: ignore[reportUnknownVariableType]
        messages = [*before, *self._new]
        if runnable.input_messages_key is None or not isinstance(input, Mapping):
            return messages
        return {**input, runnable.input_messages_key: messages}  # pyright: ignore[reportUnknownVariableType]

    def save(self, output: Any) -> None:
        """Add the new messages and the reply to the history."""
        reply = _item(output, self._runnable.output_messages_key, "output")
        replies = [AIMessage(reply)] if isinstance(reply, str) else _messages(reply)
        added = [_whole(message) for message in (*self._new, *replies)]
        if isinstance(self._history, Conversation):
            for message in added:
                self._history.add(message)
        else:
            self._history.add_messages(added)


def _item(value: Any, key: str | None, side: str) -> Any:
    """Return the messages of an input or output: itself, or an item of it."""
    if not isinstance(value, Mapping) or (key is None and "role" in value):
        return value  # pyright: ignore[reportUnknownVariableType]
    items = cast("Mapping[str, Any]", value)
    if key is None and len(items) == 1:
        key = next(iter(items))
    if key is None or key not in items:
        known = ", ".join(map(repr, items))
        raise ValueError(
            f"{side}_messages_key names one of the {side}'s keys, {known}; not {key!r}"
        )
    return items[key]


def _messages(value: Any) -> list[BaseMessage]:
    return to_messages([cast("Any", value)] if isinstance(value, Mapping) else value)


def _whole(message: BaseMessage) -> BaseMessage:
    """Return a message as it is, and a sum of chunks as a message."""
    to_message = getattr(message, "to_message", None)
    return message if to_message is None else to_message()
