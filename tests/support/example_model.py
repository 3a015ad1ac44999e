"""A model on OpenAI's wire that answers any example: in words, by a schema, with a call."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

from tests.support.loopback import Exchange, event, head

REPLY = "A notebook mixes text, code and results."


async def answer_example(exchange: Exchange) -> AsyncIterator[bytes]:
    """Answer a request: the first tool is called once, and a schema gets its smallest instance."""
    body = exchange.body
    call, text = tool_call_for(body), text_for(body)
    finish = "stop" if call is None else "tool_calls"
    reply = {"id": "chatcmpl-1", "model": body["model"]}
    counts = {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}
    if not body.get("stream"):
        message = {"role": "assistant", "content": text if call is None else None}
        message |= {} if call is None else {"tool_calls": [call]}
        choice = {"index": 0, "message": message, "finish_reason": finish}
        whole = reply | {"choices": [choice], "usage": counts}
        yield head(kind="application/json") + json.dumps(whole).encode()
        return
    deltas = [{"content": piece} for piece in re.findall(r"\s*\S+", text)]
    if call is not None:
        deltas = [{"tool_calls": [{"index": 0, **call}]}]
    yield head()
    for each in deltas:
        yield event(reply | {"choices": [{"index": 0, "delta": each}]})
    yield event(reply | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    yield event(reply | {"choices": [], "usage": counts})
    yield event("[DONE]")


def tool_call_for(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return a call of the first tool, until the prompt ends with a result."""
    if not body.get("tools") or body["messages"][-1]["role"] == "tool":
        return None
    function = body["tools"][0]["function"]
    arguments = json.dumps(smallest(function.get("parameters", {})))
    named = {"name": function["name"], "arguments": arguments}
    return {"id": "call_1", "type": "function", "function": named}


def text_for(body: dict[str, Any]) -> str:
    wanted = body.get("response_format") or {}
    if wanted.get("type") != "json_schema":
        return REPLY
    return json.dumps(smallest(wanted["json_schema"]["schema"]))


def smallest(schema: dict[str, Any], whole: dict[str, Any] | None = None) -> Any:
    """Return a small instance of a JSON schema, as far as examples use it."""
    whole = schema if whole is None else whole
    if "$ref" in schema:
        return smallest(whole["$defs"][schema["$ref"].rsplit("/", 1)[-1]], whole)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    if "anyOf" in schema:
        return smallest(schema["anyOf"][0], whole)
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: smallest(each, whole) for name, each in properties.items()}
        case "array":
            return [smallest(schema["items"], whole)]
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return "Oslo"
