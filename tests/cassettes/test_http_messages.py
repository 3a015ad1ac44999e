"""Requests and responses of HTTP as data, by that data alone."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatnb.cassettes.http_messages import http_request, http_response, response_from_data
from chatnb.cassettes.yaml_file import call_yaml, head_yaml, parse_cassette
from tests.support.examples import examples

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def through_the_file(response: dict[str, Any]) -> dict[str, Any]:
    """Write a response as a cassette, between two others, and read it back."""
    call = {"request": {"http": "GET https://example.org/"}, "response": response}
    text = head_yaml() + call_yaml(call) * 3
    return parse_cassette(text, "calls.yaml").calls[1]["response"]


@settings(max_examples=examples(60))
@given(
    body=st.binary()
    | st.text().map(str.encode)
    | JSON.map(lambda data: json.dumps(data).encode())
    | JSON.map(lambda data: json.dumps(data, indent=2, ensure_ascii=False).encode())
    | JSON.map(lambda data: json.dumps(data, separators=(",", ":")).encode()),
    kind=st.sampled_from(["application/json", "text/plain", "image/png", ""]),
)
@example(body=b"\n", kind="application/json")  # YAML ends its document with the blank line.
def test_bodies_are_the_same_bytes_in_a_replay(body: bytes, kind: str) -> None:
    """Of any kind, and under any name that the server gives them."""
    stored = through_the_file(http_response(200, [("Content-Type", kind)], body))
    assert response_from_data(stored).body == body


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["data: [DONE]", 'data: {"a": "x"}', ": nothing", "data: \u2028"])
def test_streams_are_replayed_event_by_event(end: str, last: str) -> None:
    """Their events are those that the server sent, with the ends of lines of this system."""
    events = ["event: a\ndata: {}\n\n", "data: 1\ndata: 2\n\n", f"{last}\n\n"]
    sent = "".join(events).replace("\n", end).encode()
    stored = through_the_file(http_response(200, [("content-type", "text/event-stream")], sent))
    assert response_from_data(stored).chunks == [event.encode() for event in events]


def test_lines_of_json_are_replayed_line_by_line() -> None:
    """As Ollama sends them."""
    sent = b'{"a":1}\n{"a":2}\n'
    stored = http_response(200, [("content-type", "application/x-ndjson")], sent)
    assert response_from_data(through_the_file(stored)).chunks == [b'{"a":1}\n', b'{"a":2}\n']


def test_compressed_bodies_are_readable_in_the_file() -> None:
    """They are unpacked, and no header says otherwise in the replay."""
    headers = [("Content-Encoding", "gzip"), ("Content-Type", "application/json"), ("Date", "now")]
    stored = http_response(200, headers, gzip.compress(b'{"a":1}'))
    assert stored == {
        "status": 200,
        "headers": {"content-type": "application/json"},
        "json": {"a": 1},
    }


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("http://127.0.0.1:8000/v1", "http://localhost:9000/v1", True),
        ("http://[::1]:8000/v1", "http://localhost:9000/v1", True),
        ("https://a.org/v1?b=1&c=2", "https://a.org/v1?c=2&b=1", True),
        ("https://a.org/v1", "https://user:password@a.org/v1#top", True),
        ("https://a.org/v1", "https://a.org:443/v1", True),
        ("https://a.org", "https://a.org/", True),
        ("https://a.org/v1", "https://b.org/v1", False),
        ("https://a.org/v1", "https://a.org:8443/v1", False),
        ("https://a.org/v1?b=1", "https://a.org/v1?b=2", False),
        ("https://a.org/v1", "http://a.org/v1", False),
    ],
)
def test_addresses_are_told_apart_by_what_matters(one: str, other: str, alike: bool) -> None:
    """Ports of this machine are drawn at random; the order of a query says nothing."""
    requests = [http_request("get", url, "", b"") for url in (one, other)]
    assert (requests[0] == requests[1]) is alike


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (b'{"a": 1, "b": 2}', b'{"b":2,"a":1}', True),
        (b'{"a": 1}', b'{"a": 2}', False),
        (b"a=1", b"a=2", False),
        (b"\xff\x00", b"\xff\x01", False),
        (b"", b"{}", False),
    ],
)
def test_bodies_are_told_apart_by_their_data(one: bytes, other: bytes, alike: bool) -> None:
    """The way in which a client writes JSON does not matter."""
    requests = [http_request("POST", "https://a.org/", "", body) for body in (one, other)]
    assert (requests[0] == requests[1]) is alike


def test_the_boundary_of_a_form_does_not_matter() -> None:
    """Clients draw it at random."""
    forms = [
        http_request(
            "POST",
            "https://a.org/",
            f"multipart/form-data; boundary={boundary}",
            f"--{boundary}\r\n\r\nx\r\n--{boundary}--".encode(),
        )
        for boundary in ("0123456789", "abcdef")
    ]
    assert forms[0] == forms[1]


@pytest.mark.parametrize(
    "stored",
    [{}, {"status": "200"}, {"status": 9}, {"status": 200, "headers": 1},
     {"status": 200, "base64": "%"}, {"status": 200, "text": 1}],
)  # fmt: skip
def test_what_is_no_response_is_refused(stored: dict[str, Any]) -> None:
    """As any other damage of a cassette, when it is read."""
    with pytest.raises((ValueError, KeyError, AttributeError, TypeError)):
        response_from_data(stored)


SECRET = "Vq7kestrelLantern42"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, f"grant_type=x&client_secret={SECRET}&a=1"),
        (FORM, f"password={SECRET}"),
        (FORM, f"a=1&token={SECRET}"),
        ("multipart/form-data; boundary=B", f'--B\r\nx; name="password"\r\n\r\n{SECRET}\r\n--B--'),
        ("text/xml", f"<login><password>{SECRET}</password></login>"),
        ("application/json", f'{{"client_secret": ["{SECRET}"], "a": 1}}'),
        ("application/json", f'broken {{"api_key": "{SECRET}"}}'),
    ],
)
def test_secret_fields_of_a_request_are_not_stored(kind: str, body: str) -> None:
    """In any form, whatever their values look like; the other fields tell requests apart."""
    stored = http_request("POST", "https://a.test/", kind, body.encode())
    assert SECRET not in str(stored)
    other = http_request("POST", "https://a.test/", kind, body.replace(SECRET, "another").encode())
    assert stored == other


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, f'{{"access_token": "{SECRET}", "expires_in": 3}}'),
        ({}, f'{{\n  "refreshToken" : "{SECRET}"\n}}'),
        ({}, f'{{"data": [{{"api_key": {{"value": "{SECRET}"}}}}]}}'),
        ({}, f'{{"url": "https://b.test/?X-Amz-Signature={SECRET}&a=1"}}'),
        ({"content-type": FORM}, f"oauth_token={SECRET}&a=1"),
        ({"location": f"https://b.test/cb?a=1&access_token={SECRET}"}, ""),
        ({"location": f"https://b.test/cb#id_token={SECRET}"}, ""),
        ({"set-cookie": f"sid={SECRET}"}, ""),
    ],
)
def test_credentials_in_a_response_are_not_stored(headers: dict[str, str], body: str) -> None:
    """A server gives tokens that look like nothing, and cassettes are shared."""
    given = {"content-type": "application/json", **headers}
    assert SECRET not in str(http_response(200, given.items(), body.encode()))


def test_a_credential_that_is_left_out_is_marked() -> None:
    """Programs find the fields that they read."""
    body = b'{"access_token":"abc","data":[{"api_key":{"value":"def"}}],"secret":""}'
    stored = http_response(200, [("content-type", "application/json")], body)
    assert response_from_data(through_the_file(stored)).body == (
        b'{"access_token":"***","data":[{"api_key":{"value":"***"}}],"secret":""}'
    )


@pytest.mark.parametrize(
    "body",
    [
        '{"logprobs": [{"token": "lantern"}], "signature": "abc", "total_tokens": 3}',
        '{"text": "Set api_key=YOUR_KEY and password: secret", "next_page_token": "b"}',
        '{"access_token": null, "secret": 3, "url": "https://b.test/?page=2"}',
    ],
)
def test_the_rest_of_a_response_is_stored_as_it_is(body: str) -> None:
    """Tokens of a text, signatures of thoughts and texts about keys are what a program reads."""
    stored = http_response(200, [("content-type", "application/json")], body.encode())
    assert response_from_data(through_the_file(stored)).body.decode() == body


def test_half_a_character_leaves_the_file_readable() -> None:
    """JSON allows half of an emoji, as in a title that a server cut, and YAML does not."""
    assert through_the_file({"title": "half \ud83d", "whole": "\U0001f600"}) == {
        "title": "half \ufffd",
        "whole": "\U0001f600",
    }
