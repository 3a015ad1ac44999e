"""Prompt templates for text and for chat messages."""

from typing import TYPE_CHECKING

from chatnb.errors import MissingVariableError
from chatnb.lazy_names import lazy_names
from chatnb.prompts.base import BasePromptTemplate
from chatnb.prompts.chat import ChatPromptTemplate
from chatnb.prompts.few_shot import FewShotChatMessagePromptTemplate, FewShotPromptTemplate
from chatnb.prompts.message_templates import (
    AIMessagePromptTemplate,
    ChatMessagePromptTemplate,
    HumanMessagePromptTemplate,
    MessagePromptTemplate,
    MessagesPlaceholder,
    SystemMessagePromptTemplate,
)
from chatnb.prompts.text import PromptTemplate

__all__ = [
    "AIMessagePromptTemplate",
    "BasePromptTemplate",
    "ChatMessagePromptTemplate",
    "ChatPromptTemplate",
    "FewShotChatMessagePromptTemplate",
    "FewShotPromptTemplate",
    "HumanMessagePromptTemplate",
    "MessagePromptTemplate",
    "MessagesPlaceholder",
    "MissingVariableError",
    "PromptTemplate",
    "SystemMessagePromptTemplate",
]

if not TYPE_CHECKING:  # LangChain's other names: chatnb/upstream_names.toml.
    __getattr__, _ = lazy_names(__name__, {})
