"""Requests of a panel's page, which are read as untrusted input."""

from __future__ import annotations

from typing import Any

import pytest

from chatnb.notebook.attachments import Attachment
from chatnb.notebook.panel.requests import (
    MAX_TEXT,
    ChangeSettings,
    Delete,
    Edit,
    Hello,
    Regenerate,
    Resync,
    SelectBranch,
    Send,
    Stop,
    Subscribe,
    Unsubscribe,
    parse_request,
)
from chatnb.notebook.widgets.tool_calls import Decide

LONG = "a" * 200
# What a page sends, and the request that it is; None: none.
READ: list[tuple[Any, Any]] = [
    ({"type": "hello"}, Hello()),
    ({"type": "hello", "more": 1}, Hello()),
    ({"type": "resync"}, Resync()),
    ({"type": "stop"}, Stop()),
    ({"type": "subscribe", "page": "p"}, Subscribe("p")),
    ({"type": "unsubscribe", "page": LONG}, Unsubscribe(LONG)),
    ({"type": "unsubscribe", "page": f"{LONG}a"}, None),
    ({"type": "subscribe"}, None),
    ({"type": "regenerate", "id": "m"}, Regenerate("m")),
    ({"type": "regenerate", "id": ""}, None),
    ({"type": "regenerate", "id": 1}, None),
    ({"type": "select_branch", "id": "m"}, SelectBranch("m")),
    ({"type": "delete", "id": "m"}, Delete("m")),
    ({"type": "edit", "id": "m", "text": "a\ud83d"}, Edit("m", "a\ufffd")),
    ({"type": "edit", "id": "m", "text": "a", "nonce": f"{LONG}b"}, Edit("m", "a", LONG)),
    ({"type": "edit", "id": "m", "text": None}, None),
    ({"type": "send", "text": "Hi"}, Send("Hi")),
    ({"type": "send", "text": "", "nonce": 1, "variables": "x"}, Send("")),
    ({"type": "send", "text": "", "variables": ["x", "", 1, "y"]}, Send("", variables=("x", "y"))),
    ({"type": "send", "text": "", "variables": ["x"] * 51}, Send("", variables=("x",) * 50)),
    ({"type": "send", "text": ["Hi"]}, None),
    ({"type": "decide", "call": "m.0", "decision": "once"}, Decide("m.0", "once")),
    (
        {"type": "decide", "call": "m.0", "decision": "reject", "reason": "No."},
        Decide("m.0", "reject", "No."),
    ),
    ({"type": "decide", "call": "m.0", "decision": "maybe"}, None),
    ({"type": "decide", "call": "", "decision": "once"}, None),
    ({"type": "change_settings", "settings": {}}, ChangeSettings({})),
    ({"type": "change_settings", "settings": {"model": 1, "system": 2}}, ChangeSettings({})),
    (
        {"type": "change_settings", "settings": {"model": " a ", "system": "Be brief."}},
        ChangeSettings({"model": "a", "system": "Be brief."}),
    ),
    (
        {"type": "change_settings", "settings": {"model": "a" * 1_001}},
        ChangeSettings({"model": "a" * 1_000}),
    ),
    *(
        ({"type": "change_settings", "settings": {"temperature": given}},
         ChangeSettings({"temperature": read}))
        for given, read in ((None, None), (0, 0.0), (2, 2.0), (0.5, 0.5))
    ),
    ({"type": "change_settings", "settings": []}, None),
    ({"type": "change_settings"}, None),
    ({"type": "unknown"}, None),
    ({"type": 1}, None),
    ({}, None),
    ("hello", None),
    (None, None),
]  # fmt: skip


@pytest.mark.parametrize(("content", "request_"), READ)
def test_a_request_is_read_of_what_fits(content: Any, request_: Any) -> None:
    """Texts are cut or refused at their limits, and unknown fields passed over."""
    assert parse_request(content) == request_


@pytest.mark.parametrize("temperature", [-0.1, 2.1, True, False, "1", float("nan"), []])
def test_a_temperature_is_a_number_from_0_to_2(temperature: object) -> None:
    """The error says so, and how to leave it to the model."""
    settings = {"temperature": temperature}
    with pytest.raises(ValueError, match="a number from 0 to 2, or empty for the model's default"):
        parse_request({"type": "change_settings", "settings": settings})


def test_a_text_that_is_too_long_is_told() -> None:
    """With its length and the limit."""
    longest = "a" * MAX_TEXT
    assert parse_request({"type": "send", "text": longest}) == Send(longest)
    told = "^A message has at most 2,000,000 characters; this one has 2,000,001.$"
    for content in (
        {"type": "send", "text": f"{longest}a"},
        {"type": "change_settings", "settings": {"system": f"{longest}a"}},
    ):
        with pytest.raises(ValueError, match=told):
            parse_request(content)


def test_attachments_have_their_bytes_in_buffers() -> None:
    """In the same order; names and types are texts on one line."""
    described = [{"name": " a\nb ", "mime": "image/png"}, {"name": "n" * 1_001}, "no object"]
    buffers = [b"1", memoryview(b"2"), bytearray(b"3")]
    sent = {"type": "send", "text": "", "attachments": described}
    assert parse_request(sent, buffers) == Send(
        "",
        (
            Attachment("a b", "image/png", b"1"),
            Attachment("n" * 1_000, "", b"2"),
            Attachment("file", "", b"3"),
        ),
    )
    for wrong in (described[:2], [], None, [*described, {}]):
        with pytest.raises(
            ValueError, match=r"^The attachments did not arrive whole\. Attach them"
        ):
            parse_request({**sent, "attachments": wrong}, buffers)
    fifty: Any = parse_request({**sent, "attachments": [{}] * 50}, [b""] * 50)
    assert len(fifty.attachments) == 50
    with pytest.raises(ValueError, match=r"^At most 50 files go with a message\.$"):
        parse_request({**sent, "attachments": [{}] * 51}, [b""] * 51)
