"""Events of Anthropic's Messages API, in the types of its documentation.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from tests.support.loopback import Exchange, Script, head, saying

Event = dict[str, Any]

SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk"


def sent(*events: Event) -> bytes:
    """The bytes of events, each under its name."""
    lines = (f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in events)
    return "".join(lines).encode()


def start(**usage: int) -> Event:
    counts = {"input_tokens": 8, "output_tokens": 1, **usage}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
    return {
        "type": "message_start",
        "message": {**message, "model": "loopback-1", "stop_reason": None, "usage": counts},
    }


def opened(index: int, kind: str, **block: Any) -> Event:
    return {
        "type": "content_block_start",
        "index": index,
        "content_block": {"type": kind, **block},
    }


def grown(index: int, kind: str, **delta: Any) -> Event:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **delta}}


def closed(index: int) -> Event:
    return {"type": "content_block_stop", "index": index}


def text(index: int, *pieces: str) -> list[Event]:
    """A block of text."""
    grows = [grown(index, "text_delta", text=piece) for piece in pieces]
    return [opened(index, "text", text=""), *grows, closed(index)]


def thinking(index: int, *pieces: str, signature: str = SIGNATURE) -> list[Event]:
    """A block of thinking, signed at its end."""
    grows = [grown(index, "thinking_delta", thinking=piece) for piece in pieces]
    signed = grown(index, "signature_delta", signature=signature)
    return [opened(index, "thinking", thinking="", signature=""), *grows, signed, closed(index)]


def calling(index: int, id: str, name: str, *pieces: str) -> list[Event]:
    """A call of a tool, its arguments in pieces."""
    grows = [grown(index, "input_json_delta", partial_json=piece) for piece in ("", *pieces)]
    begun = opened(index, "tool_use", id=id, name=name, input={})
    return [begun, *grows, closed(index)]


def finish(reason: str, output: int = 5, **delta: Any) -> list[Event]:
    """The end of a reply."""
    return [
        {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": None, **delta},
            "usage": {"output_tokens": output},
        },
        {"type": "message_stop"},
    ]


def error(kind: str, message: str) -> Event:
    said = {"type": kind, "message": message}
    return {"type": "error", "error": said, "request_id": "req_9"}


def whole(*blocks: Event, reason: str = "end_turn", **more: Any) -> Event:
    """A reply that is not streamed."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "loopback-1",
        "content": list(blocks),
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 8, "output_tokens": 5},
        **more,
    }


def streaming(*events: Event) -> Script:
    return saying(head(), *(sent(each) for each in events))


def answering(reply: Event) -> Script:
    return saying(head(kind="application/json") + json.dumps(reply).encode())


def refusing(status: str, kind: str, message: str, **headers: str) -> Script:
    async def script(_: Exchange) -> AsyncIterator[bytes]:
        body = json.dumps(error(kind, message))
        yield head(status, "application/json", **headers) + body.encode()

    return script
