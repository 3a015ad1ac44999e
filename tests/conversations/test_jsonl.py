"""Conversations as JSON lines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatnb import AIMessage, Conversation, HumanMessage
from chatnb.conversations import from_jsonl, to_jsonl
from chatnb.errors import DamagedFileError
from chatnb.schema.serialization import message_to_dict
from chatnb.store import Store


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


@pytest.mark.parametrize("temperature", [0, 0.5, 100])
def test_temperatures_that_a_model_may_have_are_taken(temperature: float) -> None:
    """The limits are among them."""
    head = {"chatnb_conversation": 1, "settings": {"temperature": temperature, "other": "x"}}
    assert from_jsonl(json.dumps(head)).settings == {"temperature": temperature}


def all_of(conversation: Conversation) -> list[tuple[Any, ...]]:
    """Everything about the messages of a conversation but their ids."""
    texts = {node.id: node.message.text for node in conversation.nodes()}
    return [
        (node.message, texts.get(node.parent or ""), node.status, node.created, node.facts)
        for node in conversation.nodes()
    ]


def test_everything_but_what_was_deleted_comes_back() -> None:
    """Branches, endings, times, facts, settings, and the path that was selected."""
    times = iter(range(100))
    talk = Conversation("ideas", store=Store(":memory:", clock=lambda: float(next(times))))
    talk.system, talk.temperature = "Be brief.", 0.5
    asked = talk.add(HumanMessage("one"))
    talk.add(AIMessage("1"), status="failed", facts={"error": "no", "seconds": 2.5})
    gone = talk.add(HumanMessage("gone"))
    talk.add(AIMessage("A"), parent=asked.id)
    talk.add(HumanMessage("other"), parent=None)
    talk.delete(gone.id)
    talk.select(asked.id)
    other = Store(":memory:")
    for name, given in (("ideas", None), ("ideas.2", None), ("mine", "mine")):
        again = from_jsonl(to_jsonl(talk), name=given, store=other)
        assert (again.name, again.settings, again.store) == (name, talk.settings, other)
        assert all_of(again) == all_of(talk)
        assert again.messages == talk.messages
    talk.end_at(None)
    assert from_jsonl(to_jsonl(talk), store=other).messages == []


def line(**fields: Any) -> dict[str, Any]:
    """A line of `to_jsonl`, with other fields."""
    message = message_to_dict(HumanMessage("Hi"))
    return {"id": "a", "parent": None, "message": message, **fields}


def test_a_line_may_lack_what_has_a_default() -> None:
    """A reply that was streaming was stopped; blank lines and a byte order mark are skipped."""
    lines = (line(), line(id="b", parent="a", status="streaming", created=7, facts=None))
    text = "\ufeff" + "\n \n\n".join(map(json.dumps, lines))
    conversation = from_jsonl(text)
    assert conversation.name == "imported"
    assert [(node.status, node.created, node.facts) for node in conversation.path()] == [
        ("done", 0.0, {}),
        ("stopped", 7.0, {}),
    ]


LATEST = {"chatnb_conversation": 1, "name": "odd"}


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([{"chatnb_conversation": 2}], "written by a newer chatnb: pip install -U chatnb"),
        ([LATEST, line(id=7)], "Message 2 cannot be read: its id and parent are texts, not 7 and"),
        ([line(parent=7)], "Message 1 cannot be read: its id and parent are texts, not 'a' and 7"),
        ([line(status="odd")], "status is one of done, streaming, stopped, failed, not 'odd'"),
        ([line(created=-1)], "its time is in seconds since 1970, not -1"),
        ([line(created="x")], "its time is in seconds since 1970, not 'x'"),
        ([line(facts=[1])], r"its facts cannot be \[1\]"),
        ([line(facts={"seconds": "x"})], "its facts cannot be {'seconds': 'x'}"),
        ([line(message={"type": "martian", "data": {}})], "Message 1 cannot be read"),
        ([LATEST, line(), line()], "Message 3 does not follow one that comes before it"),
        ([line(parent="b"), line(id="b")], "Message 1 does not follow one that comes before it"),
        ([{"role": "user", "content": "Hi"}, "x"], "Line 2 is not a message in JSON"),
        ([{**LATEST, "name": " "}], "needs a name"),
    ],
)
def test_lines_that_are_no_conversation_are_one_error(lines: list[Any], reason: str) -> None:
    """The error says which line is wrong and how, at no great length, and nothing is written."""
    store = Store(":memory:")
    with pytest.raises(DamagedFileError, match=reason) as raised:
        from_jsonl("\n".join(map(json.dumps, lines)), store=store)
    assert isinstance(raised.value, ValueError)
    assert store.summaries() == []


@pytest.mark.parametrize("field", ["id", "status", "created", "facts", "message"])
def test_an_error_shows_little_of_a_long_value(field: str) -> None:
    """A line may have a picture in it."""
    with pytest.raises(DamagedFileError) as raised:
        from_jsonl(json.dumps(line(**{field: ["x" * 1000]})))
    assert len(str(raised.value)) < 500
