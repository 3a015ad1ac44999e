"""Requests to OpenAI's chat completions: pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chatnb.schema.base_message import BaseMessage
from chatnb.schema.openai_dicts import message_to_openai


def request_body(messages: Sequence[BaseMessage], params: Mapping[str, Any]) -> dict[str, Any]:
    """Write a request: the messages and every parameter that is set.

    Args:
        messages: The conversation.
        params: The parameters by OpenAI's names; None leaves one out.

    Returns:
        The request's JSON.

    Raises:
        ValueError: If OpenAI has no role for a message.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> request_body([HumanMessage("Hi")], {"model": "m", "seed": None})
        {'messages': [{'role': 'user', 'content': 'Hi'}], 'model': 'm'}
    """
    body: dict[str, Any] = {"messages": [message_to_openai(message) for message in messages]}
    body.update((name, value) for name, value in params.items() if value is not None)
    return body
