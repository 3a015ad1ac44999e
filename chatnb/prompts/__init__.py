"""Prompts: messages and texts with variables."""

from chatnb.errors import MissingVariableError
from chatnb.prompts.chat import ChatPromptTemplate
from chatnb.prompts.message_templates import (
    AIMessagePromptTemplate,
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
