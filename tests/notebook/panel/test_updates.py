"""The updates of a panel, its requests and its attachments."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnb.conversations.paths import NodePath
from chatnb.errors import ConfigurationError
from chatnb.notebook.attachments import (
    LIMITS,
    content_with_attachments,
    content_with_other_text,
    item_attachments,
    typed_text,
)
from chatnb.notebook.panel.path_view import PathView, usage_line
from chatnb.notebook.panel.requests import Attachment, ChangeSettings, Send, parse_request
from chatnb.notebook.panel.turn import panel_error_line
from chatnb.notebook.panel.updates import (
    Item,
    PanelUpdates,
    empty_item,
    items_from_path,
)
from chatnb.schema import AIMessage, HumanMessage, ToolMessage
from chatnb.schema.content.parts import image_part
from chatnb.schema.usage import UsageMetadata
from chatnb.store import Node
from tests.support.panel_controllers import Browser, browser_from_updates

STATE: Any = {"running": False}
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100


def updates_and_browser(*items: Item) -> tuple[PanelUpdates, Browser]:
    updates = PanelUpdates(STATE)
    updates.set_items(items)
    take(updates)
    return updates, browser_from_updates(updates)


def take(updates: PanelUpdates) -> list[Any]:
    return list(updates.take())


def ai(id: str, text: str = "") -> Item:
    return empty_item(id, "ai", text)


# Events.


def test_pieces_that_come_together_travel_together() -> None:
    """Between two takes a field costs one delta, however many pieces came."""
    updates, browser = updates_and_browser(ai("a"))
    for piece in ("Hel", "lo", "."):
        updates.append("a", "text", piece)
    updates.append("a", "reasoning", "Hm")
    messages = take(updates)
    assert [(m["field"], m["at"], m["text"]) for m in messages] == [
        ("text", 0, "Hello."),
        ("reasoning", 0, "Hm"),
    ]
    browser.receive(messages)
    assert browser.items == updates.items
    assert take(updates) == []


def test_places_in_a_text_are_counted_as_browsers_count_them() -> None:
    """A character outside of the basic plane counts two, before and after it was sent."""
    updates, browser = updates_and_browser(ai("a", "\U0001f600"))
    for piece in ("é", "\U0001f601\U0001f602", "x"):
        updates.append("a", "text", piece)
        (message,) = take(updates)
        browser.receive([message])
    assert message["at"] == 2 + 1 + 4
    assert browser.texts == ["\U0001f600é\U0001f601\U0001f602x"]


def test_an_item_that_changes_while_it_grows_is_told_whole() -> None:
    """Text that was not sent yet is in the item, and not sent again."""
    updates, browser = updates_and_browser(ai("a"))
    updates.append("a", "text", "Hello")
    updates.set_item({**updates.items[0], "status": "done"})
    browser.receive(take(updates))
    assert browser.items == [{**ai("a", "Hello"), "status": "done"}]
    updates.append("a", "text", "!")
    browser.receive(take(updates))
    assert browser.texts == ["Hello!"]


def test_showing_what_is_shown_says_nothing() -> None:
    """Only what is different travels, also while something grows."""
    updates, browser = updates_and_browser(ai("a"), ai("b"))
    updates.append("b", "text", "Hi")
    updates.set_items(updates.items)
    (message,) = take(updates)
    assert message["type"] == "delta"
    browser.receive([message])
    assert browser.texts == ["", "Hi"]


def test_what_grows_elsewhere_is_not_told() -> None:
    """A reply on a branch that is not shown may go on."""
    updates, _ = updates_and_browser(ai("a"))
    updates.append("elsewhere", "text", "Hi")
    assert take(updates) == []


def test_another_path_is_told_as_a_whole() -> None:
    """The browser shows the new one, whatever they have in common."""
    updates, browser = updates_and_browser(ai("a", "1"), ai("b", "2"), ai("c", "3"))
    updates.append("c", "text", "4")
    updates.set_items([ai("a", "1"), ai("d", "5")])
    browser.receive(take(updates))
    assert browser.texts == ["1", "5"]
    updates.set_items([])
    browser.receive(take(updates))
    assert browser.items == []


def test_a_path_that_is_long_comes_in_parts() -> None:
    """No message is long, but for an item that is; who misses one of them notices."""
    items = [ai(str(number), "x" * 30_000) for number in range(20)]
    updates, browser = updates_and_browser(ai("a"))
    before = updates.seq
    updates.set_items([*items, ai("long", "y" * 500_000)])
    messages = take(updates)
    assert {message["type"] for message in messages} == {"snapshot"}
    assert [len(json.dumps(message)) < 205_000 for message in messages].count(False) == 1
    assert updates.seq == before + 1
    browser.receive(messages)
    assert browser.items == updates.items
    updates.append("long", "text", "z")
    browser.receive(take(updates))


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
    """The browser ends with the same after any events between two takes, in any order."""
    updates, browser = updates_and_browser()
    texts = dict[str, str]()
    for step in steps:
        match step:
            case ("append", id, text):
                if id in {item["id"] for item in updates.items}:
                    texts[id] = texts.get(id, "") + text
                updates.append(id, "text", text)
            case ("show", ids):
                texts = {id: texts.get(id, "") for id in ids}
                updates.set_items([ai(id, texts[id]) for id in ids])
            case ("put", id, text):
                texts[id] = text
                updates.set_item(ai(id, text))
            case ("take",):
                browser.receive(take(updates))
            case ("state", number):
                updates.state = {"running": number}  # type: ignore[typeddict-item]
    browser.receive(take(updates))
    assert browser.items == updates.items
    assert {item["id"]: item["text"] for item in browser.items} == texts
    assert browser.state == updates.state
    assert browser_from_updates(updates).items == updates.items


def test_a_reply_costs_bytes_in_proportion_to_its_text() -> None:
    """Ten times the text is ten times the bytes."""

    def sent(words: int) -> int:
        updates, _ = updates_and_browser(ai("a"))
        total = 0
        for _ in range(words):
            updates.append("a", "text", "word ")
            total += sum(len(json.dumps(message)) for message in take(updates))
        return total

    assert sent(5_000) / sent(500) < 10.5


def test_the_footer_of_a_reply_and_the_usage_of_a_path() -> None:
    """The footer has model, duration and cost; the usage sums turns, tokens and costs."""
    usage = {"input_tokens": 8, "output_tokens": 4, "total_tokens": 12}
    facts = {"model": "m", "seconds": 2, "cost": 0.5}
    question = Node(1, "q", None, HumanMessage("Hi"), "done", 0.0, {})
    reply = Node(2, "a", "q", AIMessage("Hi", usage_metadata=usage), "done", 0.0, facts)  # type: ignore[arg-type]
    (_, item) = items_from_path([question, reply], {"q": ["q"], "a": ["a"]})
    assert item["footer"] == "m · 8 tokens in, 4 out · 2.0 s · 2 tokens/s · $0.5000"
    assert usage_line([question, reply]) == "1 turn · 12 tokens · $0.5000"


@pytest.mark.parametrize(
    ("siblings", "branch"),
    [
        *(([], (1, 1, None, None)), (["q"], (1, 1, None, None))),
        (["q", "b"], (1, 2, None, "b")),
        (["a", "q"], (2, 2, "a", None)),
        (["a", "b", "q", "c", "d"], (3, 5, "b", "c")),
    ],
)
def test_a_branch_has_its_number_and_its_neighbours(
    siblings: list[str], branch: tuple[Any, ...]
) -> None:
    """Also a message that the store has not told of yet is one of one."""
    question = Node(1, "q", None, HumanMessage("Hi"), "done", 0.0, {})
    (item,) = items_from_path([question], {"q": siblings})
    assert tuple(item["branch"].values()) == branch


def test_an_error_is_one_line() -> None:
    """The package's own errors say what to do, others need their type."""
    assert panel_error_line(ValueError("no\nway")) == "ValueError: no way"
    assert panel_error_line(ConfigurationError("Busy. Try again.")) == "Busy. Try again."


# Requests.


@pytest.mark.parametrize(
    "content",
    [
        None,
        3,
        [],
        "stop",
        {},
        {"type": None},
        {"type": ["stop"]},
        {"type": "eval", "code": "1/0"},
        {"type": "send"},
        {"type": "send", "text": 3},
        {"type": "edit", "text": "x"},
        {"type": "edit", "id": None, "text": "x"},
        {"type": "edit", "id": "", "text": "x"},
        {"type": "select_branch", "id": "x" * 10_000},
        {"type": "delete", "id": {"$ne": 1}},
        {"type": "decide", "call": "a", "decision": True},
        {"type": "decide", "call": "a", "decision": "ONCE"},
        {"type": "decide", "decision": "once"},
    ],
)
def test_what_no_front_end_sends_is_no_request(content: object) -> None:
    """It is ignored, whatever it is."""
    assert parse_request(content) is None


@pytest.mark.parametrize(
    ("content", "buffers", "reason"),
    [
        ({"type": "send", "text": "x" * 2_000_001}, [], "at most 2,000,000"),
        ({"type": "send", "text": "x", "attachments": [{"name": "a"}]}, [], "did not arrive whole"),
        ({"type": "send", "text": "x", "attachments": "no"}, [b"1"], "did not arrive whole"),
        ({"type": "send", "text": "", "attachments": [{}] * 51}, [b""] * 51, "At most 50"),
        ({"type": "change_settings", "settings": {"temperature": "hot"}}, [], "from 0 to 2"),
        ({"type": "change_settings", "settings": {"temperature": True}}, [], "from 0 to 2"),
        ({"type": "change_settings", "settings": {"temperature": float("nan")}}, [], "from 0 to 2"),
        ({"type": "change_settings", "settings": {"temperature": 1e400}}, [], "from 0 to 2"),
    ],
)
def test_a_request_that_cannot_be_met_says_why(content: Any, buffers: Any, reason: str) -> None:
    """The person gets a line to act on."""
    with pytest.raises(ValueError, match=reason):
        parse_request(content, buffers)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)
FIELDS = (
    "settings",
    "id",
    "text",
    "attachments",
    "call",
    "decision",
    "reason",
    "model",
    "temperature",
)


@pytest.mark.slow
@given(
    st.sampled_from(
        ["send", "edit", "select_branch", "decide", "change_settings", "regenerate", "stop", "x"]
    ),
    st.dictionaries(st.sampled_from([*FIELDS, "system", "nonce"]), JSON),
    st.lists(st.binary(max_size=4), max_size=2),
)
def test_any_json_is_a_request_or_none_or_has_a_reason(
    type: str, content: dict[str, Any], buffers: list[bytes]
) -> None:
    """Nothing that a browser sends raises anything else."""
    try:
        parse_request({"type": type, **content}, buffers)
    except ValueError as error:
        assert str(error)  # noqa: PT017


def test_halves_of_characters_do_not_come_in() -> None:
    """Unpaired surrogates cannot be written to a file, so they are replaced."""
    request = parse_request({"type": "send", "text": "a\ud83d"})
    assert request == Send("a\ufffd")
    assert parse_request(
        {"type": "change_settings", "settings": {"model": " m\udc00 "}}
    ) == ChangeSettings({"model": "m\ufffd"})


# Attachments.


def test_an_image_is_a_part_that_models_see() -> None:
    """By its bytes, whatever the browser calls it; small ones are shown."""
    content, files = content_with_attachments(
        "What is it?", [Attachment("a.txt", "text/plain", PNG)]
    )
    assert content == [{"type": "text", "text": "What is it?"}, image_part(PNG)]
    message = HumanMessage(content)
    assert typed_text(message, files) == "What is it?"
    assert item_attachments(message, files) == [
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
    content, files = content_with_attachments("", [Attachment("a.png", "image/png", large)])
    assert "data" not in item_attachments(HumanMessage(content), files)[0]
    some = PNG + b"\0" * 90_000
    content, files = content_with_attachments("", [Attachment("a.png", "image/png", some)] * 3)
    assert ["data" in each for each in item_attachments(HumanMessage(content), files)] == [
        True,
        True,
        False,
    ]


def test_a_fence_in_a_text_file_does_not_end_it() -> None:
    """The fence around it is longer than any within."""
    content, _ = content_with_attachments(
        "", [Attachment("a.md", "text/markdown", b"````\nx\n````")]
    )
    assert content == [{"type": "text", "text": "a.md:\n`````md\n````\nx\n````\n`````"}]


@pytest.mark.parametrize(
    ("attached", "reason"),
    [
        ([Attachment("a.zip", "application/zip", b"PK\x03\x04\0")], "a.zip is no image"),
        ([Attachment("a.txt", "text/plain", b"\xff\xfe\x00")], "a.txt is no image"),
        ([Attachment("a.png", "image/png", PNG + b"\0" * 5 * 2**20)], "the most is 5 MB"),
        ([Attachment("a.txt", "text/plain", b"x" * 5 * 2**20)] * 5, "the most is 20 MB"),
    ],
)
def test_what_is_not_taken_is_named(attached: list[Attachment], reason: str) -> None:
    """The line says which file, and that nothing was sent."""
    with pytest.raises(ValueError, match=reason) as raised:
        content_with_attachments("Look", attached)
    assert "Nothing was sent" in str(raised.value)


def test_an_edited_message_keeps_its_files() -> None:
    """Other words, the same files, in the content and in what is known of them."""
    attached = [Attachment("a.py", "text/x-python", b"1/0"), Attachment("b.png", "image/png", PNG)]
    content, files = content_with_attachments("Why?", attached)
    edited, kept = content_with_other_text(HumanMessage(content), files, "How?")
    assert typed_text(HumanMessage(edited), kept) == "How?"
    assert item_attachments(HumanMessage(edited), kept) == item_attachments(
        HumanMessage(content), files
    )
    assert LIMITS["attachment_bytes"] == 5 * 2**20


@pytest.mark.parametrize("form", ["LangChain's", "Anthropic's"])
def test_images_of_every_form_are_shown(form: str) -> None:
    """A conversation that was imported may have images in LangChain's or Anthropic's form."""
    data = base64.b64encode(PNG).decode()
    source = {"type": "base64", "media_type": "image/png", "data": data}
    part = (
        {"source": source} if form == "Anthropic's" else {"base64": data, "mime_type": "image/png"}
    )
    node = Node(1, "a", None, HumanMessage([{"type": "image", **part}]), "done", 0.0, {})
    (shown,) = items_from_path([node], {})[0]["attachments"]
    assert (shown["name"], shown["mime"], shown["data"]) == ("image", "image/png", data)


def test_facts_that_somebody_else_wrote_do_not_break_the_panel() -> None:
    """A conversation that was imported may know less of its files, or say it another way."""
    message = HumanMessage([{"type": "image_url", "image_url": "x"}, {"type": "odd"}, "text"])
    node = Node(1, "a", None, message, "done", 0.0, {"files": {"7": {}}, "error": None})
    reply = Node(2, "b", "a", AIMessage("Hi"), "done", 0.0, {"seconds": "x", "cost": "free"})
    items = items_from_path([node, reply], {})
    assert items[0]["text"] == "text"
    assert [each["name"] for each in items[0]["attachments"]] == ["image", "odd"]
    assert items[1]["footer"] == ""


def test_an_answer_of_several_messages_has_the_sums_of_its_turn() -> None:
    """Tokens, seconds and cost of a turn are added up to each of its messages, whichever of them
    are made again; the next turn starts anew."""

    def reply(id: str, tokens: int, text: str = "", **facts: Any) -> Node:
        used = UsageMetadata(input_tokens=tokens, output_tokens=10, total_tokens=tokens + 10)
        calls = [] if text else [{"name": "f", "args": {}, "id": id, "type": "tool_call"}]
        message = AIMessage(text, usage_metadata=used, tool_calls=calls)
        return Node(1, id, None, message, "done", 0.0, {"model": "m", **facts})

    def human(id: str) -> Node:
        return Node(1, id, None, HumanMessage("Hi"), "done", 0.0, {})

    result = Node(1, "r", None, ToolMessage("1", tool_call_id="a"), "done", 0.0, {})
    path = [human("q"), reply("a", 100, seconds=1, cost=0.5), result]
    path += [reply("b", 200, "Done.", seconds=3.0, cost=0.25), human("p")]
    path += [reply("c", 1, "Yes.", seconds=0.5)]
    footers = [item["footer"] for item in items_from_path(path, {})]
    assert footers == [
        "",
        "m · 100 tokens in, 10 out · 1.0 s · 10 tokens/s · $0.5000",
        "m · 300 tokens in, 20 out · 4.0 s · 5 tokens/s · $0.7500",
        "",
        "m · 1 tokens in, 10 out · 0.5 s · 20 tokens/s",
    ]
    view, kept = PathView(), list[Any]()
    for end in range(1, len(path) + 1):
        start, items = view.changed_items(NodePath(path[:end]), {}, {})
        kept[start:] = items
    assert [item["footer"] for item in kept] == footers
