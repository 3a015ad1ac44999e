"""The JSON objects that OpenAI's wire carries, parsed and checked for errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import jiter

from chatnb.chat_models.openai_errors import refusal
from chatnb.errors import MalformedReplyError

Payload: TypeAlias = Mapping[str, Any]


def parse_json(data: bytes) -> Payload:
    """Parse the JSON object of an event or of a whole response.

    jiter refuses half a surrogate pair, which a server may send when it cuts an emoji in two;
    the standard library takes it.

    Args:
        data: The JSON as it came, in UTF-8.

    Returns:
        The object.

    Raises:
        MalformedReplyError: If it is not a JSON object.

    Example:
        >>> parse_json(b'{"choices": []}')
        {'choices': []}
    """
    try:
        parsed: object = jiter.from_json(data)
    except ValueError:
        parsed = _parse_leniently(data.decode("utf-8", "replace"))
    if isinstance(parsed, dict):
        return cast("dict[str, Any]", parsed)
    raise malformed(data.decode("utf-8", "replace"))


def _parse_leniently(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise malformed(text) from error


def malformed(text: str) -> MalformedReplyError:
    """Make the error for something that is not what the protocol says.

    Args:
        text: What came.

    Returns:
        The error, which shows its start.

    Example:
        >>> malformed("<html>").message
        'The provider sent something that is not a chat completion: <html>'
    """
    start = text if len(text) <= 200 else text[:200] + "…"
    return MalformedReplyError(
        f"The provider sent something that is not a chat completion: {start}",
        hint="Check that base_url points to an OpenAI-compatible API (it often ends in /v1).",
    )


def raise_error_in(payload: Payload) -> None:
    """Raise the error that a payload holds.

    Args:
        payload: What came where a reply was expected.

    Raises:
        ModelError: If it holds an error.

    Example:
        >>> raise_error_in({"choices": []})
    """
    if payload.get("error"):
        raise refusal(None, payload)
