"""Errors of OpenAI's protocols.

Source: https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from chatnb.chat_models.wire import error_responses
from chatnb.chat_models.wire.payloads import Payload, malformed_reply, parse_object
from chatnb.errors import MalformedReplyError

error_response = partial(error_responses.error_response, key="OPENAI_API_KEY")
"""Return the error for an error response."""


def malformed(text: str) -> MalformedReplyError:
    """Return the error for a payload that is not of OpenAI's protocols."""
    return malformed_reply(
        text,
        "a chat completion",
        "Check that base_url points to an OpenAI-compatible API (it often ends in /v1).",
    )


parse_json: Callable[[bytes], Payload] = partial(parse_object, malformed)
"""Parse the JSON object of an event or a response."""
