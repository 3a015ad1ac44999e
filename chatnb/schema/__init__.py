"""What travels between people, models and views: pure data."""

from chatnb.schema.coercion import ChatInput, to_messages
from chatnb.schema.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
)
from chatnb.schema.usage import UsageMetadata

__all__ = [
    "AIMessage",
    "AIMessageChunk",
    "BaseMessage",
    "ChatInput",
    "HumanMessage",
    "SystemMessage",
    "UsageMetadata",
    "to_messages",
]
