"""Messages of every kind, made up from a seed."""

from __future__ import annotations

import json
import random
from typing import Any

from chatnb.schema import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from chatnb.schema.tool_calls import parse_tool_call

TEXTS = ["", "Hi", "it's", 'say "no"', "a\nb", "naïve ☃ 😀", "<b>&amp;</b>", "x" * 300]


def message(seed: int) -> BaseMessage:
    """A message such as OpenAI's dicts can hold, and of which nothing is lost there."""
    chance = random.Random(seed)
    kind = chance.choice([_human, _system, _ai, _tool, _function, _chat])
    return kind(chance)


def pieces_of(text: str, seed: int) -> list[str]:
    """The text, cut anywhere."""
    chance = random.Random(seed)
    cuts = sorted(chance.randint(0, len(text)) for _ in range(chance.randint(0, 6)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def _content(chance: random.Random) -> Any:
    if chance.random() < 0.6:
        return chance.choice(TEXTS)
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    texts = [{"type": "text", "text": text} for text in chance.sample(TEXTS, 2)]
    return [*texts, image] if chance.random() < 0.5 else texts


def _name(chance: random.Random) -> dict[str, Any]:
    return {"name": chance.choice(["ada", "bob"])} if chance.random() < 0.3 else {}


def _human(chance: random.Random) -> BaseMessage:
    return HumanMessage(_content(chance), **_name(chance))


def _system(chance: random.Random) -> BaseMessage:
    developer = {"__openai_role__": "developer"} if chance.random() < 0.5 else {}
    return SystemMessage(_content(chance), additional_kwargs=developer)


def _ai(chance: random.Random) -> BaseMessage:
    said: dict[str, Any] = {}
    if chance.random() < 0.2:
        said["function_call"] = {"name": "f", "arguments": "{}"}
    if chance.random() < 0.2:
        said["refusal"] = "No."
    calls, invalid = [], []
    for number in range(chance.randint(0, 3)):
        whole = json.dumps({"text": chance.choice(TEXTS), "n": number}, ensure_ascii=False)
        args = whole if chance.random() < 0.7 else whole[: chance.randint(1, len(whole) - 1)]
        call: Any = parse_tool_call("add", args, f"c{number}", finished=True)
        (invalid if "error" in call else calls).append(call)
    return AIMessage(
        _content(chance),
        additional_kwargs=said,
        tool_calls=calls,
        invalid_tool_calls=invalid,
        **_name(chance),
    )


def _tool(chance: random.Random) -> BaseMessage:
    return ToolMessage(_content(chance), tool_call_id="c1", **_name(chance))


def _function(chance: random.Random) -> BaseMessage:
    return FunctionMessage(_content(chance), name="add")


def _chat(chance: random.Random) -> BaseMessage:
    return ChatMessage(_content(chance), role="critic", **_name(chance))
