"""Requests as plain data, what tells them apart, and calls in one line."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from chatnb.cassettes.requests import (
    check_request,
    compared_parts,
    model_endpoint,
    plain_data,
    request_key,
    request_to_dict,
)
from chatnb.cassettes.summary import CallSummary, request_text, summarize_call
from chatnb.chat_models import BaseChatModel
from chatnb.schema import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    ToolMessage,
)

DATA = "A" * 64
DIGEST = hashlib.sha256(DATA.encode()).hexdigest()
CHAT = "https://api.example.org/v1/chat/completions"


class Base(BaseChatModel):
    model_name = "base-1"
    _transport_parameters = frozenset({"region"})

    def __init__(self, temperature: float | None = None, region: str = "eu") -> None:
        self.temperature = temperature
        self.region = region

    def _generate(self, messages: list[BaseMessage], **_: Any) -> AIMessage:
        return AIMessage("a")


class Own(Base):
    def __init__(self, temperature: float | None = 0.5, tag: Any = None, **more: Any) -> None:
        super().__init__(temperature, **more)
        self.tag = tag


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        *((same, same) for same in (None, True, 1, 0.5, "a")),
        (("a", [1]), ["a", [1]]),
        ({1: {"a": (2,)}}, {"1": {"a": [2]}}),
        (AIMessage("é").text, "é"),
        (f"data:image/png;base64,{DATA}", f"data:image/png;base64,sha256={DIGEST}"),
        (f"data:image/png;base64,{DATA[1:]}", f"data:image/png;base64,{DATA[1:]}"),
        (Own.__init__, "Own.__init__"),
        (Own, "Own"),
    ],
    ids=lambda value: f"{value!r:.30}",
)
def test_a_value_is_plain_data(value: Any, plain: Any) -> None:
    """Containers are dicts and lists, long data a hash, and functions their names."""
    assert plain_data(value) == plain
    assert type(plain_data(AIMessage("a").text)) is str


def test_an_object_is_written_without_its_address() -> None:
    """Nor does that of another process."""
    assert plain_data(object.__new__(type("Thing", (), {}))).endswith("Thing object>")


@pytest.mark.parametrize(
    ("model", "params", "parameters"),
    [
        (Base(), {}, None),
        (Base(0.5), {}, {"temperature": 0.5}),
        (Base(region="us"), {"region": "us", "timeout": 3, "api_key": "k"}, None),
        (Own(), {}, None),
        (Own(0.25, tag="t"), {}, {"tag": "t", "temperature": 0.25}),
        (Own(tag=object()), {}, None),
        (Own(tag=[]), {}, None),
        (Own(tag={"a": [1, "b"]}), {}, {"tag": {"a": [1, "b"]}}),
        (Own(tag={"a": object()}), {}, None),
        (Own(None), {"top_p": 0.1, "seed": None}, {"top_p": 0.1}),
        (Own(), {"temperature": 0.5, "format": len}, {"format": "len"}),
    ],
)
def test_a_request_has_what_differs_from_the_defaults(
    model: Any, params: dict[str, Any], parameters: Any
) -> None:
    """Those of a subclass win; what says where a model is called is left out."""
    request = request_to_dict(model, [HumanMessage("Hi")], None, params)
    expected = {"model": f"{type(model).__name__} base-1", "messages": [{"human": "Hi"}]}
    assert request == expected | ({"parameters": parameters} if parameters else {})


def test_a_request_has_tools_and_stops() -> None:
    """Parameters are in the order of their names, and tools beside them."""
    request = request_to_dict(Own(0.1, tag="t"), [], ["a"], {"tools": [{"name": "f"}]})
    assert request["tools"] == [{"name": "f"}]
    assert list(request["parameters"].items()) == [
        ("stop", ["a"]),
        ("tag", "t"),
        ("temperature", 0.1),
    ]
    assert "messages" not in request


def test_messages_have_roles_fields_and_numbered_calls() -> None:
    """A call's id is a number, the same in the reply and in the result of the tool."""
    call: Any = {"name": "f", "args": {"a": (1,)}, "id": "x7"}
    broken: Any = {"name": None, "args": "{", "id": "x8", "error": "No."}
    messages: list[BaseMessage] = [
        HumanMessage("Hi", name="ada"),
        AIMessageChunk("", tool_calls=[call], invalid_tool_calls=[broken]),
        ToolMessage("1", tool_call_id="x7"),
        ToolMessage("2", tool_call_id="x9", status="error"),
        ChatMessage("c", role="critic", additional_kwargs={"k": (1,)}),
    ]
    assert request_to_dict(Base(), messages, None, {})["messages"] == [
        {"human": "Hi", "name": "ada"},
        {
            "ai": "",
            "tool_calls": [
                {"name": "f", "args": {"a": [1]}, "id": "call_1"},
                {"name": None, "args": "{", "id": "call_2"},
            ],
        },
        {"tool": "1", "tool_call_id": "call_1"},
        {"tool": "2", "tool_call_id": "call_3", "status": "error"},
        {"chat": "c", "role": "critic", "additional_kwargs": {"k": [1]}},
    ]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (3, "a request is a dict with messages, not 3"),
        ({"messages": 3}, "a request is a dict with messages, not {'messages': 3}"),
        ({"messages": ["Hi"]}, "a message is a mapping, such as `human: Hi`, not 'Hi'"),
        ({"http": 3}, "the address of a request is a text, not 3"),
        ({"a": object}, "Object of type type is not JSON serializable"),
    ],
)
def test_what_is_no_request_is_refused(request_: Any, said: str) -> None:
    """It has messages or an address, and is plain data."""
    with pytest.raises(TypeError) as caught:
        check_request(request_)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("http", "body", "end"),
    [
        (f"POST {CHAT}", {"model": "m"}, "/chat/completions"),
        ("POST http://[::1]:1/x/responses", {"model": "m"}, "/responses"),
        ("POST https://a/v1/messages", {"model": "m"}, "/messages"),
        ("POST https://a/v1/embeddings", {"model": "m"}, "/embeddings"),
        (f"POST {CHAT}", {}, None),
        (f"POST {CHAT}", "model", None),
        (f"GET {CHAT}", {"model": "m"}, None),
        (f"POST {CHAT}/batch", {"model": "m"}, None),
        (f"POST {CHAT}?a=/messages", {"model": "m"}, None),
    ],
)
def test_the_end_of_a_model_s_address_counts(http: str, body: Any, end: str | None) -> None:
    """Elsewhere the whole address does."""
    assert model_endpoint({"http": http, "body": body}) == end


def test_requests_are_told_apart_by_what_they_say() -> None:
    """Not by the order of fields, the host of a model, or how its stream ends."""
    one = {"http": f"POST {CHAT}", "body": {"model": "m", "a": 1, "stream_options": {}}}
    other = {"body": {"a": 1, "model": "m"}, "http": "POST http://b/v2/chat/completions"}
    assert compared_parts(one) == {
        "http": "/chat/completions",
        "body": {"model": "m", "a": 1},
    }
    assert request_key(one) == request_key(other) != request_key({**other, "index": 1})
    plain = {"http": "POST https://a/x", "body": {"stream_options": {}}}
    assert compared_parts(plain) == plain


USAGE = {"usage_metadata": {"input_tokens": 1_234, "output_tokens": 5}}
REQUEST = {"model": "M", "messages": [{"human": "Hi"}, {"human": "Ho"}]}
HTTP = {"http": "POST u", "body": {"messages": [{"content": "Hi"}, {"content": "Ho"}]}}


@pytest.mark.parametrize(
    ("call", "summary"),
    [
        (
            {"request": REQUEST, "replies": [{"text": "a"}, {"text": "b", **USAGE}]},
            ("M", "Ho", "b", "1,234 + 5", None),
        ),
        ({"request": REQUEST, "replies": []}, ("M", "Ho", "", "", None)),
        (
            {"request": REQUEST, "replies": [{"text": "a", "usage_metadata": {"input_tokens": 1}}]},
            ("M", "Ho", "a", "", None),
        ),
        (
            {"request": REQUEST, "error": {"type": "ServerError"}, "after_ms": [500, 1_000]},
            ("M", "Ho", "ServerError: ", "", 1.5),
        ),
        (
            {
                "request": REQUEST,
                "stream": {"text": "ab", "after_ms": [100, 150], "besides": [USAGE]},
            },
            ("M", "Ho", "ab", "1,234 + 5", 0.25),
        ),
        (
            {"request": HTTP, "response": {"status": 200, "json": {"output_text": "a"}}},
            ("POST u", "Ho", "a", "", None),
        ),
        (
            {"request": HTTP, "response": {"status": 404, "text": "gone"}},
            ("POST u", "Ho", "status 404 gone", "", None),
        ),
        (
            {"request": {"http": "GET u"}, "response": {"status": 200}},
            ("GET u", "", "status 200", "", None),
        ),
        (
            {
                "request": HTTP,
                "response": {
                    "status": 200,
                    "text": 'data: {"delta": "a"}\n\ndata: {"delta": {"content": "b"}}\n\n'
                    'data: {"type": "x.done", "text": "ab"}\n\ndata: [DONE]\n\n',
                },
            },
            ("POST u", "Ho", "ab", "", None),
        ),
    ],
)  # fmt: skip
def test_a_call_is_told_in_a_line(call: dict[str, Any], summary: tuple[Any, ...]) -> None:
    """Its last message and its reply, or what went wrong, with tokens and time if known."""
    assert summarize_call(call) == CallSummary(*summary)


def test_the_last_text_of_a_request_is_what_was_asked() -> None:
    """Also in parts, and in a body that is a text."""
    parts = [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]
    assert request_text({"messages": [{"human": parts}]}) == "b"
    assert request_text({"body": "x"}) == "x"
    assert request_text({"messages": [{}]}) == request_text({}) == ""
