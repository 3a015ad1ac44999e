"""Redaction at its edges: what is just a secret, and what is just none."""

from __future__ import annotations

from collections import OrderedDict
from types import SimpleNamespace
from typing import Any, NamedTuple

import httpx2
import pytest

from chatnb.redaction import (
    SecretText,
    call_options,
    environment_secret,
    environment_secrets,
    hide,
    hide_in_options,
    model_secrets,
    redact,
    redact_errors,
    redact_json,
    redact_value,
    secrets_in,
)

KEY = "sk-ant-api03-" + "aB3dE6gH9jK2" * 4


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        # The name says that it is one, with a sign between them.
        ("pin: 4821", "pin: ***"),
        ("password=123456", "password=***"),
        ("secret: 123456", "secret: 123456"),
        ("pass: abc1", "pass: ***"),
        ("password: hunter", "password: hunter"),
        ("password: hunter!", "password: ***"),
        ("password: !!!!1", "password: !!!!1"),
        ("password: a.b1", "password: a.b1"),
        ("password: a/b1", "password: a/b1"),
        ("password: a.b1!", "password: ***"),
        ("password: abc", "password: abc"),
        # Or it merely stands before the value.
        ("pin 4821", "pin 4821"),
        ("password 123456", "password 123456"),
        ("password abc12", "password abc12"),
        ("password abc123", "password ***"),
        ("pass abc123!", "pass abc123!"),
        ("otp abc123!", "otp abc123!"),
        ("secret abcdef", "secret abcdef"),
        ("the password was hunter2", "the password was ***"),
        # Without quotation marks only what is random.
        ("token=abcdefgh", "token=abcdefgh"),
        ("token=a1b2c3d", "token=a1b2c3d"),
        ("token=a1b2c3d4", "token=***"),
        ("count=a1b2c3d4", "count=a1b2c3d4"),
        # With them, whatever it is, from four characters on.
        ("token='abcd'", "token='***'"),
        ("token='abc'", "token='abc'"),
        ("count='abcd'", "count='abcd'"),
    ],
)
def test_a_value_is_a_secret_by_its_name_and_its_look(text: str, clean: str) -> None:
    """And only by what names say: without them all of these stay."""
    assert redact(text) == clean
    assert redact(text, by_name=False) == text


@pytest.mark.parametrize(
    ("text", "secrets", "clean"),
    [
        ("abcdefg", ["abcdefg"], "***"),
        ("abcdef", ["abcdef"], "abcdef"),
        ("abcdefg-h", ["abcdefg", "abcdefg-h"], "***"),
        ("abcdefg abcdefg", {"abcdefg"}, "*** ***"),
        (f"{KEY} {KEY}", (), "*** ***"),
    ],
)
def test_known_secrets_are_found_everywhere(text: str, secrets: Any, clean: str) -> None:
    """The longest first, and none that is as short as a word."""
    assert redact(text, secrets) == clean


def test_data_keep_their_shape() -> None:
    """Names may be secrets as well; numbers, and what is empty, are none."""
    data = {
        "password": "",
        "token": ["a", 1, None, {"b": "c"}],
        "rows": ({KEY: 1}, KEY, 2.5),
        "api_key": {"of": "x"},
        3: "abcdefg",
    }
    assert redact_value(data, ["abcdefg"]) == {
        "password": "",
        "token": ["***", 1, None, {"b": "c"}],
        "rows": [{"***": 1}, "***", 2.5],
        "api_key": {"of": "x"},
        3: "***",
    }
    assert redact_value({"token": ["a"]}, by_name=False) == {"token": ["a"]}


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ('{"a":  "b", "token": "x"}', '{"a":  "b", "token": "x"}'),
        ('{"a":  "abcdefg"}', '{"a": "***"}'),
        (f'["{KEY}", 1]', '["***", 1]'),
    ],
)
def test_a_document_without_a_secret_stays_as_it_was_written(text: str, clean: str) -> None:
    """Down to its spaces; another stays a document."""
    assert redact_json(text, ["abcdefg"]) == clean


def test_errors_lose_secrets_of_any_form() -> None:
    """In bytes that are no text, in lists and in several errors; objects stay the same ones."""
    kept = object()
    first, second = ValueError(b"\xffabcdefg", ["abcdefg"], 3), OSError("abcdefg")
    first.body = b"abcdefg\xff"  # type: ignore[attr-defined]
    first.kept = kept  # type: ignore[attr-defined]
    second.rows = ({"a": "abcdefg"},)  # type: ignore[attr-defined]
    redact_errors(iter(["abcdefg"]), first, second)
    assert first.args == (b"\xff***", ["***"], 3)
    assert vars(first) == {"body": b"***\xff", "kept": kept}
    assert (second.args, vars(second)) == (("***",), {"rows": [{"a": "***"}]})


@pytest.mark.parametrize(
    ("address", "secrets"),
    [
        ("http://ada:hunter-2@host/x", {"hunter-2"}),
        ("http://ada@host/x", set()),
        ("http://host/ada:hunter-2@x", set()),
        ("http://host:80/a@b", set()),
        ("http://ada:hun/ter-22@host", {"hun/ter-22", "hun%2Fter-22"}),
        ("http://[::1]:80/@x", set()),
        ("http://[broken:hunter-2@host", set()),
        ("ada:hunter-2@host", set()),
        ("http://host?key=abc-defg&q=abc-defh", {"abc-defg"}),
        ("http://host?api_key=abc%20defg", {"abc defg", "abc%20defg"}),
        ("http://host?monkey=abc-defg", set()),
    ],
)
def test_an_address_may_have_a_password_or_a_key(address: str, secrets: set[str]) -> None:
    """Before its host or in its query."""
    assert secrets_in({"base_url": address}) == secrets


def test_a_secret_is_known_in_all_forms_that_texts_have_of_it() -> None:
    """Stripped, unquoted, quoted, escaped, and without the word before it."""
    assert secrets_in({"authorization": "Bearer a%20b/c-é \n"}) == {
        *("Bearer a%20b/c-é \n", "Bearer a%20b/c-é", "Bearer a b/c-é", "a%20b/c-é"),
        *("Bearer%20a%2520b%2Fc-%C3%A9%20%0A", "Bearer%20a%2520b%2Fc-%C3%A9"),
        *("Bearer%20a%20b%2Fc-%C3%A9", "a%2520b%2Fc-%C3%A9"),
        *(r"Bearer a%20b/c-\u00e9 \n", r"Bearer a%20b/c-\u00e9", r"Bearer a b/c-\u00e9"),
        *(r"a%20b/c-\u00e9", r"Bearer a%20b/c-é \n"),
    }


class Pair(NamedTuple):
    token: str
    other: str


def test_hidden_data_are_the_same_data() -> None:
    """Only their reprs change; types of lists stay, and other objects are not looked into."""
    data = {
        "token": ["abc-defg", ("abc-defh",), 3],
        "address": "http://ada:hunter-2@host",
        "plain": "http://host",
        "pair": Pair("abc-defi", "x"),
    }
    hidden = hide(data)
    assert hidden == data
    assert type(hidden["token"][1]) is tuple  # type: ignore[index]
    assert type(hidden["plain"]) is str
    assert hidden["pair"] is data["pair"]
    assert repr(hidden).startswith("{'token': ['***', ('***',), 3], 'address': '***', 'plain'")


def test_only_options_of_the_sdk_are_hidden_among_parameters() -> None:
    """Other parameters, and mere texts, are no secrets, whatever their names."""
    params = {"max_tokens": 3, "token": "abc-defg"}
    assert hide_in_options(params) is params
    options = {**params, "extra_headers": {"X-Key": "abc-defg"}, "extra_query": {}}
    hidden = hide_in_options(options)
    assert hidden == options
    assert repr(hidden["extra_headers"]) == "{'X-Key': '***'}"
    assert type(hidden["token"]) is str
    own = {"extra_headers": {"X-Key": "abc-defg"}, "extra_query": {}}
    assert call_options(options) == {**own, "max_tokens": 3}


def test_objects_of_a_call_stay_what_they_are() -> None:
    """A mapping of a class of its own may do more; the SDK's options are mere data."""
    settings = OrderedDict(token="abc-defg")
    params: dict[str, Any] = {"settings": settings, "nested": {"token": "abc-defg", "n": settings}}
    hidden = hide_in_options(params)
    assert hidden == params
    assert hidden["settings"] is settings
    assert "abc-defg" not in repr(hidden["nested"])
    assert "abc-defg" not in repr(hide_in_options({"extra_headers": settings}))


def test_a_client_of_the_users_own_has_secrets() -> None:
    """Whatever it adds to requests: cookies of one name from two sites, a password, a header."""
    cookies = httpx2.Cookies()
    for site in ("a.test", "b.test"):
        cookies.set("session", f"abc-{site}", domain=site)
    client = httpx2.Client(
        cookies=cookies, auth=("ada", "abc-defg"), headers={"X-Token": "abcdefg"}
    )
    found = model_secrets(SimpleNamespace(http_client=client))
    assert {"abc-a.test", "abc-b.test", "abc-defg", "abcdefg"} <= found


def test_the_environment_has_keys_and_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A placeholder is no key, an empty variable neither; accounts are secrets to others."""
    for name, value in (
        ("MY_API_KEY", "abc-defg"),
        ("EMPTY_API_KEY", ""),
        ("FALSE_API_KEY", "sk-placeholder-0-x"),
        ("OPENAI_ORG_ID", "my-organisation"),
        ("MY_KEY_FILE", "/run/my-file"),
        ("PROXY_OF_MINE", "http://ada:hunter-2@host"),
    ):
        monkeypatch.setenv(name, value)
    assert repr(environment_secret("MY_API_KEY")) == "'***'"
    assert environment_secret("MY_API_KEY") == "abc-defg"
    for name in ("EMPTY_API_KEY", "FALSE_API_KEY", "NO_SUCH_API_KEY"):
        assert environment_secret(name) is None
    found = environment_secrets()
    assert {"abc-defg", "my-organisation", "hunter-2"} <= found
    assert "/run/my-file" not in found
    model = SimpleNamespace(
        organization="my-org-9", project=None, other="abc-defh", _requests=[{"token": "abc-defi"}]
    )
    own = model_secrets(model, {"token": "abc-defj"}) - found
    assert own == {"my-org-9", "abc-defj"}
    assert model_secrets(object()) == found
    assert all(isinstance(each, SecretText) for each in own)
