"""Errors of Anthropic's API.

Source: https://platform.claude.com/docs/en/api/errors
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from chatnb.chat_models.wire import error_responses
from chatnb.chat_models.wire.payloads import Payload, malformed_reply, parse_object
from chatnb.errors import MalformedReplyError

error_response = partial(error_responses.error_response, key="ANTHROPIC_API_KEY")
"""Return the error for an error response."""


def malformed(text: str) -> MalformedReplyError:
    """Return the error for a payload that is not of the Messages API."""
    return malformed_reply(
        text,
        "of the Messages API",
        "Check that base_url points to a server that answers /v1/messages.",
    )


parse_json: Callable[[bytes], Payload] = partial(parse_object, malformed)
"""Parse the JSON object of an event or a response."""
