"""What a browser is told of a panel, and what it may ask."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnb.notebook.views.chat_panel_attachments import (
    LIMITS,
    content_of,
    shown_attachments,
    shown_text,
    with_text,
)
from chatnb.notebook.views.chat_panel_item import Item, empty_item
from chatnb.notebook.views.chat_panel_items import items_of
from chatnb.notebook.views.chat_panel_requests import Attached, Send, Settle, request_of
from chatnb.notebook.views.chat_panel_wire import PanelWire
from chatnb.schema import AIMessage, HumanMessage
from chatnb.schema.content import image_part
from chatnb.store import Node
from tests.notebook.panel_talks import Browser, wire_of

STATE: Any = {"running": False}
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100


def wire_and_browser(*items: Item) -> tuple[PanelWire, Browser]:
    wire = PanelWire(STATE)
    wire.show(items)
    wire.take()
    return wire, wire_of(wire)


def ai(id: str, text: str = "") -> Item:
    return empty_item(id, "ai", text)


# Events.


def test_pieces_that_come_together_travel_together() -> None:
    """Between two takes a field costs one delta, however many pieces came."""
    wire, browser = wire_and_browser(ai("a"))
    for piece in ("Hel", "lo", "."):
        wire.append("a", "text", piece)
    wire.append("a", "reasoning", "Hm")
    messages = wire.take()
    assert [(m["field"], m["at"], m["text"]) for m in messages] == [
        ("text", 0, "Hello."),
        ("reasoning", 0, "Hm"),
    ]
    browser.hear(messages)
    assert browser.items == wire.items
    assert wire.take() == []


def test_places_in_a_text_are_counted_as_browsers_count_them() -> None:
    """A character outside of the basic plane counts two, before and after it was sent."""
    wire, browser = wire_and_browser(ai("a", "\U0001f600"))
    for piece in ("é", "\U0001f601\U0001f602", "x"):
        wire.append("a", "text", piece)
        (message,) = wire.take()
        browser.hear([message])
    assert message["at"] == 2 + 1 + 4
    assert browser.texts == ["\U0001f600é\U0001f601\U0001f602x"]


def test_an_item_that_changes_while_it_grows_is_told_whole() -> None:
    """What has not been sent of its text is in the item, and not sent again."""
    wire, browser = wire_and_browser(ai("a"))
    wire.append("a", "text", "Hello")
    wire.put({**wire.items[0], "status": "done"})
    browser.hear(wire.take())
    assert browser.items == [{**ai("a", "Hello"), "status": "done"}]
    wire.append("a", "text", "!")
    browser.hear(wire.take())
    assert browser.texts == ["Hello!"]


def test_showing_what_is_shown_says_nothing() -> None:
    """Only what is different travels, also while something grows."""
    wire, browser = wire_and_browser(ai("a"), ai("b"))
    wire.append("b", "text", "Hi")
    wire.show(wire.items)
    (message,) = wire.take()
    assert message["kind"] == "delta"
    browser.hear([message])
    assert browser.texts == ["", "Hi"]


def test_what_grows_elsewhere_is_not_told() -> None:
    """A reply on a branch that is not shown may go on."""
    wire, _ = wire_and_browser(ai("a"))
    wire.append("elsewhere", "text", "Hi")
    assert wire.take() == []


def test_another_path_is_told_as_a_whole() -> None:
    """The browser shows the new one, whatever they have in common."""
    wire, browser = wire_and_browser(ai("a", "1"), ai("b", "2"), ai("c", "3"))
    wire.append("c", "text", "4")
    wire.show([ai("a", "1"), ai("d", "5")])
    browser.hear(wire.take())
    assert browser.texts == ["1", "5"]
    wire.show([])
    browser.hear(wire.take())
    assert browser.items == []


def test_a_path_that_is_long_comes_in_parts() -> None:
    """No message is long, but for an item that is; who misses one of them notices."""
    items = [ai(str(number), "x" * 30_000) for number in range(20)]
    wire, browser = wire_and_browser(ai("a"))
    before = wire.seq
    wire.show([*items, ai("long", "y" * 500_000)])
    messages = wire.take()
    assert {message["kind"] for message in messages} == {"snapshot"}
    assert [len(json.dumps(message)) < 205_000 for message in messages].count(False) == 1
    assert wire.seq == before + 1
    browser.hear(messages)
    assert browser.items == wire.items
    wire.append("long", "text", "z")
    browser.hear(wire.take())


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("append"), st.sampled_from("abc"), st.text(max_size=3)),
            st.tuples(st.just("show"), st.lists(st.sampled_from("abc"), unique=True)),
            st.tuples(st.just("put"), st.sampled_from("abc"), st.text(max_size=3)),
            st.tuples(st.just("take")),
            st.tuples(st.just("state"), st.integers()),
        ),
        max_size=40,
    )
)
def test_a_browser_shows_what_the_kernel_has(steps: list[Any]) -> None:
    """Whatever happens between two takes, in any order, the browser ends with the same."""
    wire, browser = wire_and_browser()
    texts = dict[str, str]()
    for step in steps:
        match step:
            case ("append", id, text):
                if id in {item["id"] for item in wire.items}:
                    texts[id] = texts.get(id, "") + text
                wire.append(id, "text", text)
            case ("show", ids):
                texts = {id: texts.get(id, "") for id in ids}
                wire.show([ai(id, texts[id]) for id in ids])
            case ("put", id, text):
                texts[id] = text
                wire.put(ai(id, text))
            case ("take",):
                browser.hear(wire.take())
            case ("state", number):
                wire.state = {"running": number}  # type: ignore[typeddict-item]
    browser.hear(wire.take())
    assert browser.items == wire.items
    assert {item["id"]: item["text"] for item in browser.items} == texts
    assert browser.state == wire.state
    assert wire_of(wire).items == wire.items


def test_a_reply_costs_bytes_in_proportion_to_its_text() -> None:
    """Ten times the text is ten times the bytes."""

    def sent(words: int) -> int:
        wire, _ = wire_and_browser(ai("a"))
        total = 0
        for _ in range(words):
            wire.append("a", "text", "word ")
            total += sum(len(json.dumps(message)) for message in wire.take())
        return total

    assert sent(5_000) / sent(500) < 10.5


# Requests.


@pytest.mark.parametrize(
    "content",
    [
        None,
        3,
        [],
        "stop",
        {},
        {"kind": None},
        {"kind": ["stop"]},
        {"kind": "eval", "code": "1/0"},
        {"kind": "send"},
        {"kind": "send", "text": 3},
        {"kind": "edit", "text": "x"},
        {"kind": "edit", "id": None, "text": "x"},
        {"kind": "edit", "id": "", "text": "x"},
        {"kind": "branch", "id": "x" * 10_000},
        {"kind": "delete", "id": {"$ne": 1}},
        {"kind": "decide", "call": "a", "decision": True},
        {"kind": "decide", "call": "a", "decision": "ONCE"},
        {"kind": "decide", "decision": "once"},
    ],
)
def test_what_no_front_end_sends_is_no_request(content: object) -> None:
    """It is ignored, whatever it is."""
    assert request_of(content) is None


@pytest.mark.parametrize(
    ("content", "buffers", "reason"),
    [
        ({"kind": "send", "text": "x" * 2_000_001}, [], "at most 2,000,000"),
        ({"kind": "send", "text": "x", "attachments": [{"name": "a"}]}, [], "did not arrive whole"),
        ({"kind": "send", "text": "x", "attachments": "no"}, [b"1"], "did not arrive whole"),
        ({"kind": "send", "text": "", "attachments": [{}] * 51}, [b""] * 51, "At most 50"),
        ({"kind": "settings", "temperature": "hot"}, [], "from 0 to 2"),
        ({"kind": "settings", "temperature": True}, [], "from 0 to 2"),
        ({"kind": "settings", "temperature": float("nan")}, [], "from 0 to 2"),
        ({"kind": "settings", "temperature": 1e400}, [], "from 0 to 2"),
    ],
)
def test_a_request_that_cannot_be_met_says_why(content: Any, buffers: Any, reason: str) -> None:
    """The person gets a line to act on."""
    with pytest.raises(ValueError, match=reason):
        request_of(content, buffers)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)
FIELDS = ("id", "text", "attachments", "call", "decision", "reason", "model", "temperature")


@given(
    st.sampled_from(["send", "edit", "branch", "decide", "settings", "regenerate", "stop", "x"]),
    st.dictionaries(st.sampled_from([*FIELDS, "system", "nonce"]), JSON),
    st.lists(st.binary(max_size=4), max_size=2),
)
def test_any_json_is_a_request_or_none_or_has_a_reason(
    kind: str, content: dict[str, Any], buffers: list[bytes]
) -> None:
    """Nothing that a browser sends raises anything else."""
    try:
        request_of({"kind": kind, **content}, buffers)
    except ValueError as error:
        assert str(error)  # noqa: PT017


def test_halves_of_characters_do_not_come_in() -> None:
    """What a browser splits cannot be written to a file."""
    request = request_of({"kind": "send", "text": "a\ud83d"})
    assert request == Send("a\ufffd")
    assert request_of({"kind": "settings", "model": " m\udc00 "}) == Settle({"model": "m\ufffd"})


# Attachments.


def test_an_image_is_a_part_that_models_see() -> None:
    """By its bytes, whatever the browser calls it; small ones are shown."""
    content, files = content_of("What is it?", [Attached("a.txt", "text/plain", PNG)])
    assert content == [{"type": "text", "text": "What is it?"}, image_part(PNG)]
    message = HumanMessage(content)
    assert shown_text(message, files) == "What is it?"
    assert shown_attachments(message, files) == [
        {
            "name": "a.txt",
            "mime": "image/png",
            "size": len(PNG),
            "data": base64.b64encode(PNG).decode(),
        }
    ]


def test_large_images_are_named_and_not_sent_back() -> None:
    """A browser that comes late is not sent megabytes; of several as many as there is room for."""
    large = PNG + b"\0" * 200_000
    content, files = content_of("", [Attached("a.png", "image/png", large)])
    assert "data" not in shown_attachments(HumanMessage(content), files)[0]
    some = PNG + b"\0" * 90_000
    content, files = content_of("", [Attached("a.png", "image/png", some)] * 3)
    assert ["data" in each for each in shown_attachments(HumanMessage(content), files)] == [
        True,
        True,
        False,
    ]


def test_a_fence_in_a_text_file_does_not_end_it() -> None:
    """The fence around it is longer than any within."""
    content, _ = content_of("", [Attached("a.md", "text/markdown", b"````\nx\n````")])
    assert content == [{"type": "text", "text": "a.md:\n`````md\n````\nx\n````\n`````"}]


@pytest.mark.parametrize(
    ("attached", "reason"),
    [
        ([Attached("a.pdf", "application/pdf", b"%PDF-1.7\0")], "a.pdf is neither an image"),
        ([Attached("a.txt", "text/plain", b"\xff\xfe\x00")], "a.txt is neither an image"),
        ([Attached("a.png", "image/png", PNG + b"\0" * 5 * 2**20)], "the most is 5 MB"),
        ([Attached("a.txt", "text/plain", b"x" * 5 * 2**20)] * 5, "the most is 20 MB"),
    ],
)
def test_what_is_not_taken_is_named(attached: list[Attached], reason: str) -> None:
    """The line says which file, and that nothing was sent."""
    with pytest.raises(ValueError, match=reason) as raised:
        content_of("Look", attached)
    assert "Nothing was sent" in str(raised.value)


def test_an_edited_message_keeps_its_files() -> None:
    """Other words, the same files, in the content and in what is known of them."""
    attached = [Attached("a.py", "text/x-python", b"1/0"), Attached("b.png", "image/png", PNG)]
    content, files = content_of("Why?", attached)
    edited, kept = with_text(HumanMessage(content), files, "How?")
    assert shown_text(HumanMessage(edited), kept) == "How?"
    assert shown_attachments(HumanMessage(edited), kept) == shown_attachments(
        HumanMessage(content), files
    )
    assert LIMITS["attachment_bytes"] == 5 * 2**20


def test_facts_that_somebody_else_wrote_do_not_break_the_panel() -> None:
    """A conversation that was imported may know less of its files, or say it another way."""
    message = HumanMessage([{"type": "image_url", "image_url": "x"}, {"type": "odd"}, "text"])
    node = Node(1, "a", None, message, "done", 0.0, {"files": {"7": {}}, "error": None})
    reply = Node(2, "b", "a", AIMessage("Hi"), "done", 0.0, {"seconds": "x", "cost": "free"})
    items = items_of([node, reply], lambda node: [])
    assert items[0]["text"] == "text"
    assert [each["name"] for each in items[0]["attachments"]] == ["image", "odd"]
    assert items[1]["facts"] == ""
