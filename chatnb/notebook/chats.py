"""The chats that reply in cells and panels: one rule for names, models, chains and functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from chatnb.cassettes.active import active_cassette
from chatnb.chat_models.base import BaseChatModel
from chatnb.chat_models.registry import init_chat_model
from chatnb.errors import UnknownModelError
from chatnb.langchain_objects import is_langchain
from chatnb.redaction import environment_secret
from chatnb.runnables.base import Runnable
from chatnb.runnables.functions import RunnableLambda
from chatnb.schema.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage, as_chunk

Chat: TypeAlias = Runnable[Any, Any]
"""A runnable from messages to text or messages."""

NO_MODEL_INSIDE = "This chat is no model but a chain of its own; set the temperature in there."


class SessionModels:
    """The chats of one session by name, of which models keep their connections."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, str | None], BaseChatModel] = {}

    def get(self, name: str | None, namespace: Mapping[str, Any]) -> Chat:
        """Return the chat in the variable of that name, else the model that the name means.

        Raises:
            UnknownModelError: If the variable holds no chat, or there is no such model.
            ConfigurationError: If the model lacks a key or its weights.
        """
        value: Any = namespace.get(name) if name else None
        if value is None:
            return self._model(name)
        try:
            return self._model(value) if isinstance(value, str) else runnable_from_chat(value)
        except (TypeError, UnknownModelError) as error:
            raise UnknownModelError(f"The variable {name} holds no chat model. {error}") from None

    def _model(self, name: str | None) -> Chat:
        key = environment_secret("OPENAI_API_KEY")
        name = name or default_model()
        if (name, key) not in self._models:
            self._models[name, key] = init_chat_model(name)
        return self._models[name, key]


def default_model() -> str:
    """Return the name of the model that replies where none is chosen."""
    found = "openai" if environment_secret("OPENAI_API_KEY") else "local"
    # A replay keeps to the model that was recorded.
    cassette = active_cassette()
    return found if cassette is None else cassette.default_model(found)


def repeated(names: Sequence[str]) -> list[str]:
    """Return the names of chats that several have."""
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def runnable_from_chat(chat: Any) -> Chat:
    """Return the runnable of a chat.

    Args:
        chat: A chat model, bound or not, a name for `init_chat_model`, any chain from messages, a
            `ToolLoop`, a runnable of LangChain's, or a function or generator function of the
            messages, asynchronous or not. None means the default model.

    Raises:
        TypeError: If it is none of them.

    Example:
        >>> runnable_from_chat("scripted:Hello.").invoke("Hi")
        AIMessage(content='Hello.')
        >>> runnable_from_chat(lambda messages: f"{len(messages)} messages").invoke([])
        '0 messages'
    """
    if chat is None or isinstance(chat, str):
        return SessionModels().get(chat, {})
    if is_langchain(chat, "Runnable"):
        from chatnb.langchain import from_langchain

        return from_langchain(chat)
    if isinstance(chat, Runnable) and chat.run_type != "tool":
        return chat
    if callable(chat) and not isinstance(chat, type | Runnable):
        return RunnableLambda(chat)
    raise TypeError(
        "What replies is a chat model, the name of one, a chain, a ToolLoop, or a function of "
        f"messages, not {chat!r:.80}"
    )


def get_chat_name(chat: Chat) -> str:
    """Return the name of the model, or of the runnable."""
    model = find_chat_model(chat)
    return chat.get_name() if model is None else model.model_name


def find_chat_model(chat: Any) -> BaseChatModel | None:
    """Return the model inside a tool loop or binding; None for a chain."""
    while not isinstance(chat, BaseChatModel):
        chat = getattr(chat, "chat", None) or getattr(chat, "bound", None)
        if chat is None:
            return None
    return chat


def reply_part(output: Any) -> AIMessageChunk | ToolMessage:
    """Return what a chat streamed as a chunk of a reply, or as the result of a tool.

    Raises:
        TypeError: If it is neither text nor a message.
    """
    match output:
        case str():
            return AIMessageChunk(output)
        case AIMessageChunk() | ToolMessage():
            return output
        case AIMessage():
            return as_chunk(output)
        case BaseMessage():
            return AIMessageChunk(output.content)
        case _:
            raise TypeError(
                f"Cells and panels show text and messages; the chat gave {output!r:.80}"
            )
