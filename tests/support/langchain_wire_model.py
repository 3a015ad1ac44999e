"""Replies of a capable model, in OpenAI's wire format, to each request of LangChain's tests.

It refuses what OpenAI does: parts and tools of other forms.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from tests.support.loopback import Exchange, event, head

ARGUMENTS: dict[str, dict[str, Any]] = {
    "get_weather": {"location": "San Francisco, CA"},
    "greeting_generator": {"answer_style": "Pirate"},
    "magic_function": {"input": 3},
    "magic_function_no_args": {},
    "my_adder_tool": {"a": 1, "b": 2},
}
"""The arguments of the model's calls of each tool."""
JOKE = {"setup": "Why do cats purr?", "punchline": "They run on whiskers."}
COMPANIES = ("你好啊集团", "こんにちは株式会社")
USAGE = {
    "prompt_tokens": 7,
    "completion_tokens": 5,
    "total_tokens": 12,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 1},
}


_PARTS = {"text", "image_url", "input_audio", "file", "refusal"}
_OF_TEXT = {"type", "text", "cache_control"}


async def answering(exchange: Exchange) -> AsyncIterator[bytes]:
    """Answer as the request asks: with a tool's call, JSON or text, whole or streamed."""
    wrong = _wrong(exchange.body)
    if wrong:
        yield head("400 Bad Request", "application/json")
        yield json.dumps({"error": {"message": wrong, "code": "invalid_value"}}).encode()
        return
    said = _said(exchange.body)
    if not exchange.body.get("stream"):
        yield head(kind="application/json") + json.dumps(_whole(exchange.body, said)).encode()
        return
    yield head()
    for delta in _deltas(said):
        yield _event(exchange.body, {"index": 0, "delta": delta, "finish_reason": None})
        await asyncio.sleep(0)
    yield _event(exchange.body, {"index": 0, "delta": {}, "finish_reason": _reason(said)})
    yield event(_envelope(exchange.body) | {"choices": [], "usage": USAGE})
    yield event("[DONE]")


def _wrong(body: dict[str, Any]) -> str:
    contents = [message["content"] for message in body["messages"]]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    for part in parts:
        if part["type"] not in _PARTS or (part["type"] == "text" and part.keys() - _OF_TEXT):
            return f"No such part: {part}"
    for tool in body.get("tools", []):
        if tool["type"] != "function" or not tool["function"]["name"]:
            return f"No such tool: {tool}"
    return ""


def _said(body: dict[str, Any]) -> dict[str, Any]:
    answered = any(message["role"] == "tool" for message in body["messages"])
    if body.get("tools") and not (answered and body.get("tool_choice") is None):
        return {"role": "assistant", "content": None, "tool_calls": [_call(body)]}
    if body.get("response_format"):
        return {"role": "assistant", "content": json.dumps(JOKE)}
    return {"role": "assistant", "content": "Hello there."}


def _call(body: dict[str, Any]) -> dict[str, Any]:
    choice = body.get("tool_choice")
    offered = [tool["function"]["name"] for tool in body["tools"]]
    name = choice["function"]["name"] if isinstance(choice, dict) else offered[0]
    arguments = ARGUMENTS.get(name, JOKE)
    if name == "unicode_customer":
        asked = body["messages"][-1]["content"]
        company = next(company for company in COMPANIES if company in asked)
        arguments = {"customer_name": company, "description": "A company."}
    written = json.dumps(arguments, ensure_ascii=False)
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": written}}


def _deltas(said: dict[str, Any]) -> list[dict[str, Any]]:
    if said["content"] is not None:
        return [{"content": piece} for piece in _cut(said["content"])]
    call = said["tool_calls"][0]
    function = call["function"]
    first = {**call, "index": 0, "function": {"name": function["name"], "arguments": ""}}
    rest = [{"index": 0, "function": {"arguments": piece}} for piece in _cut(function["arguments"])]
    return [{"tool_calls": [piece]} for piece in (first, *rest)]


def _cut(text: str) -> list[str]:
    return [text[start : start + 5] for start in range(0, len(text), 5)]


def _reason(said: dict[str, Any]) -> str:
    return "tool_calls" if said.get("tool_calls") else "stop"


def _envelope(body: dict[str, Any]) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "model": body["model"]}


def _event(body: dict[str, Any], choice: dict[str, Any]) -> bytes:
    return event(_envelope(body) | {"choices": [choice]})


def _whole(body: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "message": said, "finish_reason": _reason(said)}
    return _envelope(body) | {"choices": [choice], "usage": USAGE}
