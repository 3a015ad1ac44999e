"""A server on loopback that the notebooks of tests/testing are recorded from.

It speaks the wires of OpenAI and Anthropic, and answers by the words of the prompt.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.anthropic_events import answering, calling, finish, start, streaming, text
from tests.support.anthropic_events import whole as anthropic_whole
from tests.support.loopback import (
    Exchange,
    LoopbackServer,
    delta,
    event,
    head,
    refusal,
    saying,
    usage,
)

# The first words that stand in the last message decide.
_ANSWERS = {
    "soup": "Simmer it for 30 min, then let it rest for 5 min.",
    "train": "It leaves at 12:30:00 from platform 7.",
    "moon": "The first landing was on 1969-07-20 at 20:17.",
    "empty file": "Its MD5 is d41d8cd98f00b204e9800998ecf8427e.",
    "server": "It listens on localhost:8080.",
    "log": "It is in /tmp/app/server.log.",
    "speed": "It writes 50 tokens/s.",
    "Oslo": '{"city": "Oslo", "inhabitants": 717710}',
    "Lima": '{"city": "Lima", "inhabitants": 10092000}',
    "Cairo": '{"city": "Cairo", "inhabitants": 10230350}',
    "good": "positive",
    "bad": "negative",
    "fine": "neutral",
    "colours": "Red, green and blue.",
    "haiku": "An old silent pond\nA frog jumps into the pond\nSplash! Silence again.",
    "squared": "1: 1, 2: 4, 3: 9",
    "scores": "12, 15, 9, 21",
    "weather": "It is 21 degrees and sunny.",
    "Norwegian": "Norwegian: god morgen",
    "French": "French: bonjour",
    "Today": "It is a good day to test.",
    "judge": "0.75",
}
_DEFAULT = "I would rather not say."


@contextmanager
def style_server() -> Iterator[LoopbackServer]:
    """Run the server, and hang up at the end."""
    server = LoopbackServer()
    server.plays(_respond)
    try:
        yield server
    finally:
        server.close()


async def _respond(exchange: Exchange) -> AsyncIterator[bytes]:
    if exchange.path.endswith("/messages"):
        script = _anthropic(exchange.body)
    elif exchange.path.endswith("/chat/completions"):
        script = _openai(exchange.body)
    else:
        script = refusal("404 Not Found", f"There is no {exchange.path}.")
    async for piece in script(exchange):
        yield piece


def _answer(body: dict[str, Any]) -> str:
    last = json.dumps(body["messages"][-1], ensure_ascii=False)
    return next((answer for word, answer in _ANSWERS.items() if word in last), _DEFAULT)


def _openai(body: dict[str, Any]) -> Any:
    if body.get("model") == "missing":
        return refusal("404 Not Found", "The model `missing` does not exist.", "model_not_found")
    words = _answer(body)
    if body.get("stream"):
        pieces = _pieces(words)
        ends = ["stop" if i == len(pieces) - 1 else None for i in range(len(pieces))]
        chunks = [delta(piece, end) for piece, end in zip(pieces, ends, strict=True)]
        return saying(head(), *chunks, usage(9, len(pieces)), event("[DONE]"))
    message: dict[str, Any] = {"role": "assistant", "content": words}
    reason = "stop"
    if body.get("tools") and body["messages"][-1]["role"] == "user":
        function = {"name": body["tools"][0]["function"]["name"], "arguments": words}
        call = {"id": "call_1", "type": "function", "function": function}
        message, reason = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    choice = {"index": 0, "message": message, "finish_reason": reason}
    counts = {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}
    reply = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1767225600,
             "model": "loopback-1", "choices": [choice], "usage": counts}  # fmt: skip
    return saying(head(kind="application/json") + json.dumps(reply).encode())


def _anthropic(body: dict[str, Any]) -> Any:
    words = _answer(body)
    asks_tool = body.get("tools") and isinstance(body["messages"][-1]["content"], str)
    if body.get("stream"):
        block = text(0, *_pieces(words))
        if asks_tool:
            block = calling(0, "toolu_1", body["tools"][0]["name"], '{"city": ', '"Oslo"}')
        reason = "tool_use" if asks_tool else "end_turn"
        return streaming(start(), *block, *finish(reason))
    if asks_tool:
        name = body["tools"][0]["name"]
        call = {"type": "tool_use", "id": "toolu_1", "name": name, "input": {"city": "Oslo"}}
        return answering(anthropic_whole(call, reason="tool_use"))
    return answering(anthropic_whole({"type": "text", "text": words}))


def _pieces(words: str) -> list[str]:
    """Split an answer as models send it, with the spaces before the words."""
    first, *others = words.split(" ")
    return [first, *(f" {word}" for word in others)]
