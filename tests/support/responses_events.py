"""Items, responses and stream events as OpenAI's Responses API sends them.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import Any

from tests.support.loopback import event

REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [
        {"type": "summary_text", "text": "Look it up."},
        {"type": "summary_text", "text": "Then tell."},
    ],
    "encrypted_content": "gAAAA",
}
SEARCH = {
    "type": "web_search_call",
    "id": "ws_1",
    "status": "completed",
    "action": {"type": "search", "query": "weather in Paris"},
}
CITATION = {"type": "url_citation", "url": "https://example.org", "start_index": 0, "end_index": 3}
SAID = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Let me see.", "annotations": [CITATION]}],
}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "c1",
    "name": "weather",
    "arguments": '{"city": "Paris"}',
    "status": "completed",
}


def response(*output: dict[str, Any], **said: Any) -> dict[str, Any]:
    whole = {"id": "resp_1", "object": "response", "model": "gpt-x", "status": "completed"}
    return {**whole, "error": None, "output": list(output), **said}


def said(kind: str, **fields: Any) -> bytes:
    return event({"type": f"response.{kind}", "sequence_number": 0, **fields})


CREATED = said("created", response=response(status="in_progress"))


def text(delta: str, item: str = "msg_1", **fields: Any) -> bytes:
    place = {"item_id": item, "output_index": 0, "content_index": 0}
    return said("output_text.delta", delta=delta, **place, **fields)


def thought(delta: str, part: int) -> bytes:
    return said(
        "reasoning_summary_text.delta",
        delta=delta,
        item_id="rs_1",
        output_index=0,
        summary_index=part,
    )


def added(item: dict[str, Any], index: int = 0) -> bytes:
    return said("output_item.added", item=item, output_index=index)


def done(item: dict[str, Any], index: int = 0) -> bytes:
    return said("output_item.done", item=item, output_index=index)


def arguments(delta: str, index: int = 0, **fields: Any) -> bytes:
    return said("function_call_arguments.delta", delta=delta, output_index=index, **fields)


def completed(*output: dict[str, Any], **fields: Any) -> bytes:
    return said("completed", response=response(*output, **fields))
