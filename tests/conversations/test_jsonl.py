"""Conversations as JSON lines."""

from __future__ import annotations

import json

import pytest

from chatnb import Conversation, HumanMessage
from chatnb.conversations import from_jsonl, to_jsonl


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1e"])
def test_only_newlines_end_a_line(separator: str) -> None:
    """Other characters that Python calls line ends are text, which JSON need not escape."""
    text = f"one{separator}two"
    line = json.dumps({"role": "user", "content": text}, ensure_ascii=separator < " ")
    conversation = from_jsonl(f"{line}\r\n{line}\n")
    assert [message.text for message in conversation.messages] == [text, text]
    assert from_jsonl(to_jsonl(conversation)).messages == [HumanMessage(text)] * 2
    assert Conversation(conversation.name).messages == conversation.messages


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        *((given, "The settings are not a dict") for given in (3, "x", [1], True)),
        *(({"temperature": value}, "temperature cannot be") for value in (-1, 101, "hot", True)),
        *(({name: 3}, f"{name} cannot be") for name in ("system", "model")),
    ],
)
def test_settings_of_other_types_are_one_error(settings: object, reason: str) -> None:
    """Nothing of the file is taken."""
    head = json.dumps({"chatnb_conversation": 1, "name": "odd", "settings": settings})
    message = json.dumps({"role": "user", "content": "Hi"})
    with pytest.raises(ValueError, match=reason):
        from_jsonl(f"{head}\n{message}\n")
    assert not Conversation("odd").messages
