"""Prompt templates for text and for chat messages."""

from chatnb.errors import MissingVariableError
from chatnb.prompts.chat import (
    AIMessagePromptTemplate,
    ChatPromptTemplate,
    HumanMessagePromptTemplate,
    MessagePromptTemplate,
    MessagesPlaceholder,
    SystemMessagePromptTemplate,
)
from chatnb.prompts.text import PromptTemplate

__all__ = [
    "AIMessagePromptTemplate",
    "ChatPromptTemplate",
    "HumanMessagePromptTemplate",
    "MessagePromptTemplate",
    "MessagesPlaceholder",
    "MissingVariableError",
    "PromptTemplate",
    "SystemMessagePromptTemplate",
]
