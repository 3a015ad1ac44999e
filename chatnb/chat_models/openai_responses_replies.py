"""Whole replies of OpenAI's Responses API, read into messages: pure functions.

Source: https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from chatnb.chat_models.openai_errors import details, refusal
from chatnb.chat_models.openai_payloads import Payload, malformed, parse_json
from chatnb.chat_models.openai_replies import raise_if_refused
from chatnb.chat_models.openai_responses import ITEMS
from chatnb.errors import ModelError, ServerError
from chatnb.schema.messages import AIMessage
from chatnb.schema.openai_dicts import read_tool_calls
from chatnb.schema.usage import UsageMetadata

BETWEEN = "\n\n"
"""What stands between two summaries, or two messages, of one reply."""

_PLAIN = {"message": ("type", "id", "phase"), "function_call": ("type", "id", "call_id")}
"""What is kept of the items whose text or call a message has in its own fields."""
_FINISH_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}


def usage_from_response(usage: Payload | None) -> UsageMetadata | None:
    """Read the token counts of a reply.

    Args:
        usage: What stands under `usage`.

    Returns:
        The counts, or None if there are none.

    Example:
        >>> usage_from_response({"input_tokens": 3, "output_tokens": 1, "total_tokens": 4})
        {'input_tokens': 3, 'output_tokens': 1, 'total_tokens': 4}
    """
    if not usage:
        return None
    read_in, read_out = usage.get("input_tokens") or 0, usage.get("output_tokens") or 0
    counts = UsageMetadata(
        input_tokens=read_in,
        output_tokens=read_out,
        total_tokens=usage.get("total_tokens") or read_in + read_out,
    )
    of_input: Payload = usage.get("input_tokens_details") or {}
    if of_input.get("cached_tokens"):
        counts["input_token_details"] = {"cached": of_input["cached_tokens"]}
    of_output: Payload = usage.get("output_tokens_details") or {}
    if of_output.get("reasoning_tokens"):
        counts["output_token_details"] = {"reasoning": of_output["reasoning_tokens"]}
    return counts


def message_from_response(payload: Payload) -> AIMessage:
    """Read a whole reply.

    Args:
        payload: The response object.

    Returns:
        The message. Its id is the response's, for `previous_response_id`; reasoning summaries,
        annotations and a refusal are in `additional_kwargs`, and there under `output_items` what
        the API wants to see again: reasoning, and what built-in tools did.

    Raises:
        MalformedReplyError: If the payload is no response.
        ModelError: If it holds an error.

    Example:
        >>> said = {"type": "message", "content": [{"type": "output_text", "text": "Hello."}]}
        >>> message_from_response({"id": "resp_1", "status": "completed", "output": [said]})
        AIMessage(content='Hello.')
    """
    raise_failure_in(payload)
    try:
        output: Sequence[Payload] = payload["output"]
        written = [_chat_call(item) for item in output if item["type"] == "function_call"]
        calls, invalid = read_tool_calls(written, finished=payload.get("status") == "completed")
        spoken = [_text_of(item) for item in output if item["type"] == "message"]
        return AIMessage(
            BETWEEN.join(text for text in spoken if text),
            additional_kwargs=_additional(output),
            response_metadata=metadata_of(payload, output),
            id=payload.get("id"),
            tool_calls=calls,
            invalid_tool_calls=invalid,
            usage_metadata=usage_from_response(payload.get("usage")),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise malformed(json.dumps(payload, default=str)) from error


def replies_in_response(body: bytes) -> list[AIMessage]:
    """Read a whole reply from its text.

    Args:
        body: The body of the response.

    Returns:
        The message; the API gives one a call.

    Raises:
        MalformedReplyError: If the body holds no response.
        ContentFilterError: If the model or the provider refused to answer.
        ModelError: If it holds an error.

    Example:
        >>> replies_in_response(b'{"status": "completed", "output": []}')
        [AIMessage(content='')]
    """
    message = message_from_response(parse_json(body))
    raise_if_refused(message)
    return [message]


def raise_failure_in(payload: Payload) -> None:
    """Raise the error of a response that failed.

    Args:
        payload: The response object.

    Raises:
        ModelError: If it failed or was cancelled.

    Example:
        >>> raise_failure_in({"status": "completed", "error": None})
    """
    if payload.get("error") or payload.get("status") in ("failed", "cancelled"):
        raise failure(payload)


def failure(payload: Payload) -> ModelError:
    """Make the error that a payload tells of.

    Args:
        payload: A response that failed, or an `error` event.

    Returns:
        The error.

    Example:
        >>> print(failure({"error": {"code": "invalid_prompt", "message": "No."}}))
        No. Check the model's name and the parameters.
    """
    message, code = details(payload)
    if not message:
        return ServerError("The response failed, and the provider did not say why.")
    return refusal(400 if code.startswith("invalid_") else None, payload)


def kept_items(output: Iterable[Payload]) -> list[dict[str, Any]]:
    """Keep what the API wants to see again, and in which order.

    Args:
        output: The items of a reply.

    Returns:
        Reasoning and what built-in tools did as it came, and the ids of the rest; nothing if
        there is only the rest, which a message has in its own fields.

    Example:
        >>> kept_items([{"type": "reasoning", "id": "rs_1"}, {"type": "message", "content": []}])
        [{'type': 'reasoning', 'id': 'rs_1'}, {'type': 'message'}]
    """
    items = list(output)
    if all(item["type"] in _PLAIN for item in items):
        return []
    return [
        {name: item[name] for name in _PLAIN.get(item["type"], item) if item.get(name) is not None}
        for item in items
    ]


def metadata_of(payload: Payload, output: Iterable[Payload]) -> dict[str, Any]:
    """Read what a response says of its call.

    Args:
        payload: The response object.
        output: Its items.

    Returns:
        The finish reason in chat completions' words, the model's name, the response's id, and
        log probabilities where they were asked for.

    Example:
        >>> metadata_of({"id": "resp_1", "model": "m", "status": "completed"}, [])
        {'finish_reason': 'stop', 'model_name': 'm', 'id': 'resp_1'}
    """
    items = list(output)
    reason = "tool_calls" if any(i["type"] == "function_call" for i in items) else "stop"
    if payload.get("status") == "incomplete":
        why: Payload = payload.get("incomplete_details") or {}
        cut = why.get("reason") or "length"
        reason = _FINISH_REASONS.get(cut, cut)
    said = {
        "finish_reason": reason,
        "model_name": payload.get("model"),
        "id": payload.get("id"),
        "service_tier": payload.get("service_tier"),
    }
    metadata: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    logprobs = [entry for part in _parts(items) for entry in part.get("logprobs") or ()]
    if logprobs:
        metadata["logprobs"] = {"content": logprobs}
    return metadata


def annotations_in(output: Iterable[Payload]) -> list[dict[str, Any]]:
    """Gather the annotations of a reply's texts.

    Args:
        output: The items.

    Returns:
        The annotations, in order.

    Example:
        >>> cited = {"type": "output_text", "text": "a", "annotations": [{"type": "url_citation"}]}
        >>> annotations_in([{"type": "message", "content": [cited]}])
        [{'type': 'url_citation'}]
    """
    return [dict(note) for part in _parts(output) for note in part.get("annotations") or ()]


def _additional(output: Sequence[Payload]) -> dict[str, Any]:
    declined = [part["refusal"] for part in _parts(output) if part.get("type") == "refusal"]
    thoughts = [text for item in output if item["type"] == "reasoning" for text in _thoughts(item)]
    said = {
        "reasoning_content": BETWEEN.join(thoughts),
        "refusal": "".join(declined),
        "annotations": annotations_in(output),
        ITEMS: kept_items(output),
    }
    return {name: value for name, value in said.items() if value}


def _thoughts(item: Payload) -> list[str]:
    parts = [*(item.get("summary") or ()), *(item.get("content") or ())]
    return [part["text"] for part in parts if part.get("text")]


def _parts(output: Iterable[Payload]) -> list[Payload]:
    return [
        part for item in output if item["type"] == "message" for part in item.get("content") or ()
    ]


def _text_of(item: Payload) -> str:
    parts: Iterable[Payload] = item.get("content") or ()
    return "".join(part["text"] for part in parts if part.get("type") == "output_text")


def _chat_call(item: Payload) -> Payload:
    """A function call in the form of chat completions."""
    return {"id": item.get("call_id"), "function": item}
