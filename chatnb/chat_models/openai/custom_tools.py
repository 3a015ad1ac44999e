"""Custom tools of OpenAI's chat completions, whose input is text instead of JSON.

Their calls have one argument here, and their results are those of any tool.
Source: https://platform.openai.com/docs/guides/function-calling#custom-tools
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from chatnb.schema.messages import AIMessageChunk, ToolCallChunk
from chatnb.schema.tool_calls import CUSTOM_INPUT, tool_call_chunk

CUSTOM = "custom"


def nested(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool, or a choice of one, with a custom tool's fields below its type."""
    if tool.get("type") != CUSTOM or CUSTOM in tool:
        return dict(tool)
    return {"type": CUSTOM, CUSTOM: {k: v for k, v in tool.items() if k != "type"}}


def write_custom_tools(body: dict[str, Any]) -> None:
    """Write a request's custom tools, and the calls of them, as chat completions have them."""
    body["tools"] = [nested(tool) for tool in body["tools"]]
    names = {tool[CUSTOM]["name"] for tool in body["tools"] if tool.get("type") == CUSTOM}
    if isinstance(body.get("tool_choice"), Mapping):
        body["tool_choice"] = nested(body["tool_choice"])
    for message in body["messages"] if names else ():
        calls: Iterable[Mapping[str, Any]] = message.get("tool_calls") or ()
        if calls:
            message["tool_calls"] = [_written(call, names) for call in calls]


def _written(call: Mapping[str, Any], names: set[str]) -> Mapping[str, Any]:
    function: Mapping[str, Any] = call.get("function") or {}
    if function.get("name") not in names:
        return call
    try:
        text = json.loads(function["arguments"])[CUSTOM_INPUT]
    except (ValueError, LookupError, TypeError):
        text = function["arguments"]
    custom = {"name": function["name"], "input": text}
    return {"type": CUSTOM, "id": call.get("id"), CUSTOM: custom}


class CustomCalls:
    """The custom calls of a streamed reply, whose arguments end when it does."""

    def __init__(self) -> None:
        self._open = dict[int, None]()

    def read(self, delta: Mapping[str, Any], chunk: AIMessageChunk) -> None:
        """Write the input of custom calls into the chunks of calls; end them with the reply."""
        given: Iterable[Mapping[str, Any]] = delta.get("tool_calls") or ()
        for written, call in zip(given, chunk.tool_call_chunks if given else (), strict=False):
            if written.get(CUSTOM):
                self._read_call(written[CUSTOM], call)
        if self._open and "finish_reason" in chunk.response_metadata:
            ends = [tool_call_chunk(args='"}', index=index) for index in self._open]
            chunk.tool_call_chunks = [*chunk.tool_call_chunks, *ends]
            self._open.clear()

    def _read_call(self, custom: Mapping[str, Any], call: ToolCallChunk) -> None:
        index, text = call["index"] or 0, json.dumps(custom.get("input") or "")[1:-1]
        call["name"] = custom.get("name")
        call["args"] = text if index in self._open else f'{{"{CUSTOM_INPUT}": "{text}'
        self._open[index] = None
