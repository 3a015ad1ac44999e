"""Messages, results and run logs: pure data that models, conversations and views share.

Importing it loads nothing else; each name is loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.runnables.messages import filter_messages, merge_message_runs, trim_messages
    from chatnb.schema.content.parts import audio_part, file_part, image_part, text_part
    from chatnb.schema.conversion import (
        ChatInput,
        MessageLike,
        convert_to_openai_messages,
        messages_from_openai_dicts,
        to_messages,
    )
    from chatnb.schema.messages import (
        AIMessage,
        AIMessageChunk,
        BaseMessage,
        BaseMessageChunk,
        ChatMessage,
        ChatMessageChunk,
        FunctionMessage,
        FunctionMessageChunk,
        HumanMessage,
        HumanMessageChunk,
        InvalidToolCall,
        SystemMessage,
        SystemMessageChunk,
        ToolCall,
        ToolCallChunk,
        ToolMessage,
        ToolMessageChunk,
    )
    from chatnb.schema.prompt_values import (
        ChatPromptValue,
        PromptValue,
        StringPromptValue,
        get_buffer_string,
    )
    from chatnb.schema.results import ChatGeneration, ChatResult, Generation, LLMResult, RunInfo
    from chatnb.schema.run_logs.log import RunLog, RunLogPatch
    from chatnb.schema.run_logs.state import LogEntry, RunFailure, RunRoot, RunState
    from chatnb.schema.run_logs.tree import RunRow, leaf_usage, run_rows
    from chatnb.schema.serialization import (
        message_from_dict,
        message_to_dict,
        messages_from_dict,
        messages_from_json,
        messages_to_dict,
        messages_to_json,
    )
    from chatnb.schema.token_counts import count_tokens_approximately
    from chatnb.schema.usage import UsageMetadata

__all__ = [
    "AIMessage",
    "AIMessageChunk",
    "BaseMessage",
    "BaseMessageChunk",
    "ChatGeneration",
    "ChatInput",
    "ChatMessage",
    "ChatMessageChunk",
    "ChatPromptValue",
    "ChatResult",
    "FunctionMessage",
    "FunctionMessageChunk",
    "Generation",
    "HumanMessage",
    "HumanMessageChunk",
    "InvalidToolCall",
    "LLMResult",
    "LogEntry",
    "MessageLike",
    "PromptValue",
    "RunFailure",
    "RunInfo",
    "RunLog",
    "RunLogPatch",
    "RunRoot",
    "RunRow",
    "RunState",
    "StringPromptValue",
    "SystemMessage",
    "SystemMessageChunk",
    "ToolCall",
    "ToolCallChunk",
    "ToolMessage",
    "ToolMessageChunk",
    "UsageMetadata",
    "audio_part",
    "convert_to_openai_messages",
    "count_tokens_approximately",
    "file_part",
    "filter_messages",
    "get_buffer_string",
    "image_part",
    "leaf_usage",
    "merge_message_runs",
    "message_from_dict",
    "message_to_dict",
    "messages_from_dict",
    "messages_from_json",
    "messages_from_openai_dicts",
    "messages_to_dict",
    "messages_to_json",
    "run_rows",
    "text_part",
    "to_messages",
    "trim_messages",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        # They are steps of chains as well, and so belong to a package above this one.
        "chatnb.runnables.messages": "filter_messages merge_message_runs trim_messages",
        "chatnb.schema.content.parts": "audio_part file_part image_part text_part",
        "chatnb.schema.conversion": (
            "ChatInput MessageLike convert_to_openai_messages messages_from_openai_dicts "
            "to_messages"
        ),
        "chatnb.schema.messages": (
            "AIMessage AIMessageChunk BaseMessage BaseMessageChunk ChatMessage "
            "ChatMessageChunk FunctionMessage FunctionMessageChunk HumanMessage "
            "HumanMessageChunk InvalidToolCall SystemMessage SystemMessageChunk ToolCall "
            "ToolCallChunk ToolMessage ToolMessageChunk"
        ),
        "chatnb.schema.prompt_values": (
            "ChatPromptValue PromptValue StringPromptValue get_buffer_string"
        ),
        "chatnb.schema.results": "ChatGeneration ChatResult Generation LLMResult RunInfo",
        "chatnb.schema.run_logs.log": "RunLog RunLogPatch",
        "chatnb.schema.run_logs.state": "LogEntry RunFailure RunRoot RunState",
        "chatnb.schema.run_logs.tree": "RunRow leaf_usage run_rows",
        "chatnb.schema.serialization": (
            "message_from_dict message_to_dict messages_from_dict messages_from_json "
            "messages_to_dict messages_to_json"
        ),
        "chatnb.schema.token_counts": "count_tokens_approximately",
        "chatnb.schema.usage": "UsageMetadata",
    },
)
