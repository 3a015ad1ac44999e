"""Whole texts of errors: what went wrong, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from chatnb import errors
from chatnb.chat_models.wire.error_responses import error_response, raise_error_in
from chatnb.errors import ModelError

PARAMETERS = "Check the model's name and the parameters."
AGAIN = "Try again in a moment."
PLAN = "Wait and try again, or check the plan and its limits."


@pytest.mark.parametrize(
    ("status", "error", "hint"),
    [
        (400, errors.BadRequestError, PARAMETERS),
        (401, errors.AuthenticationError, "Check the API key (X_KEY)."),
        (
            402,
            errors.QuotaSpentError,
            "Check the account's credit and the plan: no quota is left.",
        ),
        (
            403,
            errors.AuthenticationError,
            "This key may not use this model; check its rights.",
        ),
        (404, errors.NotFoundError, "Check the model's name and base_url."),
        (408, errors.ModelTimeoutError, "Try again, and stream the reply."),
        (413, errors.BadRequestError, "Shorten the prompt, or send smaller files."),
        (422, errors.BadRequestError, "Check the parameters."),
        (429, errors.RateLimitError, PLAN),
        (418, ModelError, "Check the request."),
        (499, ModelError, "Check the request."),
        (500, errors.ServerError, AGAIN),
        (599, errors.ServerError, AGAIN),
    ],
)
def test_each_status_says_what_to_do(status: int, error: type[ModelError], hint: str) -> None:
    """The same for HTTP's status and for a number in the body, of which only an error's count."""
    for read in (
        error_response(status, {"error": {"message": "No."}}, key="X_KEY"),
        error_response(200, {"error": {"message": "No.", "code": status}}, key="X_KEY"),
        error_response(399, {"error": {"message": "No.", "code": f" {status} "}}, key="X_KEY"),
    ):
        assert (type(read), str(read), read.status) == (error, f"No. {hint}", status)


@pytest.mark.parametrize("number", [399, 600, 429.0, True, "1429", "399", "600", None])
def test_other_numbers_in_a_body_are_no_status(number: object) -> None:
    """An error without a status is the server's."""
    read = error_response(None, {"error": {"message": "No.", "status_code": number}})
    assert (type(read), str(read), read.status) == (errors.ServerError, f"No. {AGAIN}", None)


def test_a_key_without_a_variable_has_no_name() -> None:
    """Nothing stands in brackets."""
    assert str(error_response(401, {"message": "No."})) == "No. Check the API key."


@pytest.mark.parametrize(
    ("status", "wait", "hint"),
    [
        (429, "0", PLAN),
        (429, "0.5", "The provider says to wait 0.5 s and try again."),
        (503, "600", "The provider says to wait 600 s and try again."),
        (
            429,
            "601",
            "The provider says to wait 601 s, longer than the 600 s that are waited before another "
            "attempt.",
        ),
        (402, "5", "Check the account's credit and the plan: no quota is left."),
    ],
)
def test_the_wait_is_told(status: int, wait: str, hint: str) -> None:
    """Also that it is too long; where no quota is left, no wait would help."""
    read = error_response(status, {"message": "No."}, headers={"retry-after": wait})
    assert (str(read), read.retry_after) == (f"No. {hint}", float(wait))


def test_words_of_a_limit_in_a_body_are_one_only_where_nothing_else_is_known() -> None:
    """A status or a code that says more wins, but for time that has run out."""
    limit, sorted_as = "HTTP 429 from upstream", errors.RateLimitError
    for status, code, message, error in (
        (None, None, limit, sorted_as),
        (500, None, limit, errors.ServerError),
        (None, "not_found", limit, errors.NotFoundError),
        (None, None, "No.", errors.ServerError),
        (500, "timeout", "No.", errors.ModelTimeoutError),
        (400, "timeout", "No.", errors.BadRequestError),
        (500, "rate_limit", "No.", errors.ServerError),
    ):
        read = error_response(status, {"error": {"message": message, "code": code}})
        assert (type(read), read.status) == (error, status)


def routed(upstream: object, **fields: object) -> dict[str, Any]:
    """The error of a router with that of the provider behind it."""
    raw = upstream if isinstance(upstream, str) else json.dumps({"error": upstream})
    return {"error": {"message": "Provider returned error", "metadata": {"raw": raw}, **fields}}


WARM = "Provider returned error: Too warm."


@pytest.mark.parametrize(
    ("body", "error", "text", "status"),
    [
        (
            routed({"message": "Too warm.", "code": "not_found"}),
            errors.NotFoundError,
            f"{WARM} Check the model's name and base_url.",
            None,
        ),
        (
            routed({"message": "Too warm.", "code": 429, "retryDelay": "7s"}),
            errors.RateLimitError,
            f"{WARM} The provider says to wait 7 s and try again.",
            429,
        ),
        (
            routed(
                {"message": "Too warm.", "code": 429, "retryDelay": "7s"},
                code=502,
                retry_after="3s",
            ),
            errors.ServerError,
            f"{WARM} The provider says to wait 3 s and try again.",
            502,
        ),
        (
            routed("Provider returned error"),
            errors.ServerError,
            f"Provider returned error. {AGAIN}",
            None,
        ),
        ({"error": {"metadata": {"raw": "No."}}}, errors.ServerError, f"No. {AGAIN}", None),
        (
            {"error": "rate_limit_exceeded", "message": "Slow down."},
            errors.RateLimitError,
            f"Slow down. {PLAN}",
            None,
        ),
        ({"error": "Slow down.", "code": 429}, errors.RateLimitError, f"Slow down. {PLAN}", 429),
    ],
)
def test_parts_of_an_error_are_put_together(
    body: object, error: type[ModelError], text: str, status: int | None
) -> None:
    """The router's text and that of the provider behind it; a title, and the message beside."""
    read = error_response(None, body)
    assert (type(read), str(read), read.status) == (error, text, status)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, "x" * 300, "x" * 300),
        (400, "x" * 301, "x" * 300 + "…"),
        (400, {"error": {"message": "x" * 301}}, "x" * 301),
        (400, [{}] * 19 + [{"message": "late"}], "late"),
        (400, [[]] * 20 + ["late"], "[" + "[], " * 20 + '"late"]'),
        (502, "<html><title>502 Bad</title></html>", "The server sent a web page: 502 Bad."),
        (502, "<html><title>Bad</title></html>", "The server sent a web page: 502 Bad."),
        (None, "<html></html>", "The server sent a web page: without a title."),
        (None, "<html><h1>a<b>c</b></h1></html>", "The server sent a web page: a c."),
        (None, "", "The provider answered with an error and no message."),
        (None, {"detail": {"loc": ["a"], "type": "x"}}, '{"detail": {"loc": ["a"], "type": "x"}}'),
    ],
)
def test_a_message_is_short_and_never_empty(status: int | None, body: object, message: str) -> None:
    """Texts that are no message of an API are cut, lists have a limit, and pages are one line."""
    assert error_response(status, body).message == message


WRAPPINGS: list[Callable[[Any], Any]] = [
    lambda body: {"error": body},
    lambda body: {"message": body},
    lambda body: {"details": body},
    lambda body: {"metadata": {"raw": body}},
    lambda body: [body],
    json.dumps,
]


@pytest.mark.parametrize("wrap", WRAPPINGS)
def test_errors_within_errors_are_read_to_a_depth(wrap: Callable[[Any], Any]) -> None:
    """No server wraps them deeper; what is deeper is shown as it came."""
    body: Any = {"message": "deep"}
    for depth in range(1, 8):
        body = wrap(body)
        assert (error_response(400, body).message == "deep") is (depth <= 5)


@pytest.mark.parametrize(
    ("body", "request_id"),
    [
        ({"request_id": 7, "requestId": "r-2"}, "r-2"),
        ({"request_id": "r-1", "error": {"request_id": "r-2"}}, "r-1"),
        ({"message": "request id: 1abcde"}, "1abcde"),
        ({"message": "request id: 1abcd"}, None),
        ({"message": "request id: abcdef"}, None),
    ],
)
def test_an_id_of_a_request_is_a_text_that_may_be_one(body: object, request_id: str | None) -> None:
    """The outermost counts; words have no digits."""
    assert error_response(500, body).request_id == request_id


@pytest.mark.parametrize(
    ("payload", "is_error"),
    [
        ({"error": {"message": "No."}}, True),
        ({"error": None, "choices": []}, False),
        ({"type": "error"}, True),
        ({"object": "error"}, True),
        ({"type": "message", "object": "text"}, False),
        ({"message": "No.", "code": 3}, True),
        ({"message": "No.", "status_code": "x"}, True),
        ({"message": "No.", "error_code": 5}, True),
        ({"message": "No.", "code": ""}, False),
        ({"message": "No.", "code": True}, False),
        ({"message": {"content": "Hi"}, "code": 3}, False),
        ({"message": "No."}, False),
        ({"code": 3}, False),
        ({"errors": ["No."]}, True),
        ({"errors": [], "code": 3}, False),
        ({"errors": ["No."], "choices": []}, False),
        ({"message": "No.", "code": 3, "choices": []}, False),
    ],
)
def test_an_error_instead_of_a_reply_is_told_from_a_reply(
    payload: dict[str, Any], is_error: bool
) -> None:
    """It has a code and a message, or an error's mark, and nothing of a reply."""
    if not is_error:
        raise_error_in(payload)
        return
    with pytest.raises(ModelError):
        raise_error_in(payload)
