"""All message and chunk classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import names_of_package
from chatnb.schema.chunks import (
    AIMessageChunk,
    BaseMessageChunk,
    ChatMessageChunk,
    FunctionMessageChunk,
    HumanMessageChunk,
    SystemMessageChunk,
    ToolMessageChunk,
    as_chunk,
    join_chunks,
    text_chunk,
)
from chatnb.schema.merging import Content, ContentPart, merge_content, merge_kwargs
from chatnb.schema.message_types import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from chatnb.schema.tool_calls import InvalidToolCall, ToolCall, ToolCallChunk

__all__ = [
    "AIMessage",
    "AIMessageChunk",
    "BaseMessage",
    "BaseMessageChunk",
    "ChatMessage",
    "ChatMessageChunk",
    "Content",
    "ContentPart",
    "FunctionMessage",
    "FunctionMessageChunk",
    "HumanMessage",
    "HumanMessageChunk",
    "InvalidToolCall",
    "SystemMessage",
    "SystemMessageChunk",
    "ToolCall",
    "ToolCallChunk",
    "ToolMessage",
    "ToolMessageChunk",
    "as_chunk",
    "join_chunks",
    "merge_content",
    "merge_kwargs",
    "text_chunk",
]


if not TYPE_CHECKING:  # LangChain's module of this path has the package's other names, too.
    __getattr__ = names_of_package("chatnb.schema")
