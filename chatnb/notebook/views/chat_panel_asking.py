"""Who answers in a panel, piece by piece."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeAlias

from chatnb.chat_models.base import BaseChatModel
from chatnb.notebook.chosen_model import ChosenModels, is_of_langchain
from chatnb.runnables.base import Runnable
from chatnb.runnables.function import RunnableLambda
from chatnb.schema.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ToolMessage,
    as_chunk,
)

Said: TypeAlias = AIMessageChunk | ToolMessage
"""A piece of a reply, or what came of a tool call."""


def answerer_of(chat: Any) -> Runnable[Any, Any]:
    """What answers, of whatever a panel was given.

    Args:
        chat: A chat model or its name, None for the notebook's own, any runnable from messages to
            a message, one of LangChain's, or a function, asynchronous or not, or a generator.

    Raises:
        ConfigurationError: If there is no such model, or it lacks a key or its weights.
        TypeError: If it is none of these.

    Example:
        >>> answerer_of("scripted:Hello.")
        ScriptedChatModel(1 responses)
    """
    if isinstance(chat, Runnable):
        return chat
    if chat is None or isinstance(chat, str):
        return ChosenModels().get(chat, {})
    if is_of_langchain(chat):
        from chatnb.langchain import from_langchain

        return from_langchain(chat)
    if callable(chat) and not isinstance(chat, type):
        return RunnableLambda(chat)
    raise TypeError(
        "A panel talks to a chat model, the name of one, a chain, or a function of messages, "
        f"not to {chat!r:.80}"
    )


def name_of(chat: Runnable[Any, Any]) -> str:
    """What an answerer is called.

    Example:
        >>> name_of(answerer_of("scripted:Hello."))
        'scripted'
    """
    model = chat_model_in(chat)
    return chat.get_name() if model is None else model.model_name


def chat_model_in(chat: Any) -> BaseChatModel | None:
    """The chat model that a runnable only adds something to, such as tools; None for a chain."""
    while not isinstance(chat, BaseChatModel):
        chat = getattr(chat, "chat", None) or getattr(chat, "bound", None)
        if chat is None:
            return None
    return chat


async def said_by(
    chat: Runnable[Any, Any], messages: list[BaseMessage], params: dict[str, Any]
) -> AsyncGenerator[Said, None]:
    """What an answerer says, piece by piece; closing the generator ends the reply.

    Raises:
        TypeError: If it gives what is neither text nor a message.
    """
    async with aclosing(chat.astream(messages, **params)) as pieces:
        async for piece in pieces:
            yield _said(piece)


def _said(piece: Any) -> Said:
    match piece:
        case str():
            return AIMessageChunk(piece)
        case AIMessageChunk() | ToolMessage():
            return piece
        case AIMessage():
            return as_chunk(piece)
        case BaseMessage():
            return AIMessageChunk(piece.content)
        case _:
            raise TypeError(f"A panel shows text and messages; the chat gave it {piece!r:.80}")
