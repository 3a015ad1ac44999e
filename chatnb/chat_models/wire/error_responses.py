"""Sort error responses of all providers into chatnb's errors: pure functions.

The forms and words of errors are those that providers document and servers send:
https://platform.openai.com/docs/guides/error-codes, https://platform.claude.com/docs/en/api/errors,
https://ai.google.dev/gemini-api/docs/troubleshooting, https://openrouter.ai/docs/api-reference/errors
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from chatnb.chat_models.wire.retry_after import (
    seconds_to_wait,
    wait_in_retry_info,
    wait_in_text,
)
from chatnb.errors import (
    AuthenticationError,
    BadRequestError,
    ContentFilterError,
    ContextOverflowError,
    ModelError,
    ModelTimeoutError,
    NotFoundError,
    QuotaSpentError,
    RateLimitError,
    ServerError,
)
from chatnb.runnables.batches.backoff import MAX_RETRY_AFTER

_Sorted: TypeAlias = tuple[type[ModelError], str]

# The work of some patterns grows with the square of a text.
_MAX_SEARCHED = 10_000
_MAX_TEXT = 300  # Characters of an error that is no message of an API.
_MAX_DEPTH = 6  # Gateways wrap errors in errors, and write some as JSON within a string.

_OVERFLOW: _Sorted = (
    ContextOverflowError,
    "Start a new conversation (-c NAME) or shorten the prompt.",
)
_FILTERED: _Sorted = (ContentFilterError, "Rephrase the prompt.")
_QUOTA: _Sorted = (QuotaSpentError, "Check the account's credit and the plan: no quota is left.")
_UNAUTHORIZED: _Sorted = (AuthenticationError, "Check the API key{key}.")
_SERVER: _Sorted = (ServerError, "Try again in a moment.")
_BY_STATUS: Mapping[int, _Sorted] = {
    400: (BadRequestError, "Check the model's name and the parameters."),
    401: _UNAUTHORIZED,
    402: _QUOTA,
    403: (AuthenticationError, "This key may not use this model; check its rights."),
    404: (NotFoundError, "Check the model's name and base_url."),
    408: (ModelTimeoutError, "Try again, and stream the reply."),
    413: (BadRequestError, "Shorten the prompt, or send smaller files."),
    422: (BadRequestError, "Check the parameters."),
    429: (RateLimitError, "Wait and try again, or check the plan and its limits."),
}

# Patterns are compiled with the first error: that takes longer than to import a module.
# Codes and types of errors, in lower case without `_` and `-`, and the status that they stand for.
_STATUS_BY_CODE = (
    (r"ratelimit|toomanyrequests|resourceexhausted|throttl", 429),
    (r"authentication|unauthenticated|unauthorized|invalidapikey|autherror", 401),
    (r"permission|forbidden|accessdenied", 403),
    (r"notfound", 404),
    (r"timeout|deadlineexceeded", 408),
    (r"toolarge", 413),
    (r"overloaded|unavailable|servererror|internal|apierror", 500),
    (r"invalid|badrequest|failedprecondition|unsupported|validation|unprocessable", 400),
)

_TOKENS = r"[\d,._]+ ?(?:input |prompt )?tokens?"
_OVERFLOW_WORDS = "|".join(
    (
        # Codes: OpenAI, llama.cpp, GitHub Models.
        r"context_length_exceeded|exceed_context_size|tokens_limit_reached",
        # OpenAI, Azure, vLLM, DeepSeek, OpenRouter, Together and others.
        r"maximum (?:context|model|prompt) (?:length|limit|window)",
        r"context (?:length|window|size|limit) (?:has been |is )?"
        r"(?:only|exceeded|exceeds|of only|full)",
        r"exceeds? (?:the |its |this |your )?(?:model'?s )?(?:\w+ )?context"
        r" ?(?:window|length|size|limit)",
        r"(?:longer|greater|larger) than (?:the )?(?:model'?s )?"
        r"(?:maximum |max )?(?:context|model) ?(?:length|window|size)",
        r"(?:exceeds?|prompt).{0,40}max_model_len|input tokens exceed the configured limit",
        r"reduce the length of (?:the|your) (?:messages|prompt|input)",
        # Anthropic, Bedrock, Ollama, Fireworks.
        r"prompt(?: \([^)]*\))? (?:is )?too long|input is too long",
        r"input length (?:and|exceeds)|exceeds? (?:the )?token limit",
        r"prompt token count.{0,40} exceeds the limit|allowed input length",
        # Gemini.
        r"input token count.{0,40}exceeds? the max",
        r"exceeds? the (?:maximum|max) (?:number of|allowed) (?:input )?tokens",
        # LM Studio.
        r"context (?:the )?overflows?|reached (?:the )?context length",
        # Mistral, Cohere, Moonshot, MiniMax, Qwen, text-generation-inference, Zhipu.
        r"too large for (?:the )?model with [\d,]+ max|too many tokens",
        r"model token limit|context window exceeds|prompt exceeds max",
        r"range of input length should be|inputs.{0,3} tokens \+",
        rf"(?:prompt|input|request) (?:contains|has|with|of) {_TOKENS}.{{0,80}}"
        r"(?:context|maximum)",
    )
)
_FILTER_WORDS = (
    r"content_filter|content_policy|responsibleaipolicy|data_inspection_failed"
    r"|content management policy|input was flagged|flagged by moderation"
)
_QUOTA_WORDS = (
    r"insufficient[_ ](?:\w+[_ ])?(?:quota|balance|credits?|funds)|balance (?:is )?(?:too low|"
    r"insufficient|not enough)|(?:out of|run out of|not enough|no more|no remaining|"
    r"used all available|requires more|exhausted your|add more) (?:\w+ )?(?:credits?|funds)"
    r"|billing_(?:hard_limit|error|not_active)|payment required"
    r"|(?:monthly|billing) (?:spending|hard|spend) limit|credit limit exceeded"
    r"|api usage limits|(?:have|has) (?:no|any) (?:\w+ )?credits"
)
# Gemini has the same words for a limit of each minute, and then says how long to wait.
_QUOTA_UNLESS_WAIT = r"exceeded (?:your )?current[_ ]quota"
_RATE_WORDS = r"\b429\b|rate[ _-]?limit|too many requests"
_KEY_WORDS = (
    r"api_?key_invalid|api[ _-]?key (?:is )?(?:not valid|invalid|expired|missing|not found)"
    r"|(?:invalid|incorrect|missing|no|wrong) (?:x-)?api[ _-]?key|invalid_api_key"
)

_REQUEST_ID_HEADERS = (
    *("x-request-id", "request-id", "apim-request-id", "x-ms-request-id", "x-amzn-requestid"),
    *("x-dashscope-request-id", "mistral-correlation-id", "x-ds-trace-id", "nvcf-reqid"),
    *("x-kong-request-id", "x-correlation-id", "x-trace-id", "cf-ray"),
)
_REQUEST_ID_WORDS = r"(?i)request[ _-]?id[:=]?\s*['\"(]?\s*([\w-]*\d[\w-]{5,})"
_MESSAGES = ("message", "error_message", "error_description", "detail", "msg", "description")
_CODES = ("code", "type", "status", "reason", "error_code", "error_type")
_NUMBERS = ("code", "status", "status_code", "statusCode", "http_code", "error_code")
_NESTED = ("errors", "details", "detail", "innererror", "inner_error")


def error_response(
    status: int | None,
    body: object,
    *,
    headers: Mapping[str, str] | None = None,
    key: str = "",
) -> ModelError:
    """Return the error for an error response, or with no status for an error inside a stream.

    `body` is parsed JSON or text; `key` names the environment variable of the API key.
    """
    headers = headers or {}
    found = _Details()
    _gather(body, found)
    # A gateway may answer 200, and have the provider's status in the body.
    if status is None or status < 400:
        status = found.status
    message = _page_line(status, found.page) if found.page is not None else found.message
    message = message or _shown(body)
    wait = seconds_to_wait(headers)
    if wait is None:
        wait = found.wait if found.wait is not None else wait_in_text(message)
    error_class, hint = _sort(status, found.codes, message, waits=wait is not None)
    hint = hint.format(key=f" ({key})" if key else "")
    if wait and error_class is not QuotaSpentError:
        hint = f"The provider says to wait {wait:g} s and try again."
        if wait > MAX_RETRY_AFTER:
            hint = (
                f"The provider says to wait {wait:g} s, longer than the {MAX_RETRY_AFTER:g} s that "
                "are waited before another attempt."
            )
    return error_class(
        message or f"The provider answered with {_status_text(status)} and no message.",
        hint=hint,
        status=status,
        request_id=request_id(headers) or found.request_id or _request_id_in(message),
        retry_after=wait,
    )


def raise_error_in(payload: Mapping[str, Any]) -> None:
    """Raise the ModelError of a payload that is an error instead of a reply."""
    get = payload.get
    if (
        get("error")
        or get("type") == "error"
        or get("object") == "error"
        or (("message" in payload or "errors" in payload) and _is_error(payload))
    ):
        raise error_response(None, payload)


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the provider's id of a request, under any of the names that servers use."""
    return next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)


def page_title(text: str) -> str | None:
    """Return the title of a web page, "" if it has none, and None for other texts."""
    from html import unescape  # It loads a table of 2,000 characters' names.

    start = text[:200].lstrip().lower()
    if not start.startswith(("<!doctype html", "<html", "<head", "<?xml")):
        return None
    text = text[:_MAX_SEARCHED]
    for tag in ("title", "h1"):
        found = re.search(rf"<{tag}[^>]*>(.*?)</{tag}>", text, re.DOTALL | re.IGNORECASE)
        if found:
            return _line(unescape(re.sub(r"<[^>]*>", " ", found[1])))
    return ""


@dataclass
class _Details:
    """The parts of an error, wherever a body has them."""

    message: str = ""
    codes: list[str] = field(default_factory=list[str])
    status: int | None = None
    wait: float | None = None
    request_id: str | None = None
    page: str | None = None  # The title of a gateway's web page.


def _gather(value: object, found: _Details, depth: int = 0) -> None:
    """Add what a part of an error's body says; the first message and status count."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, str):
        _gather_text(value, found, depth)
    elif isinstance(value, Mapping):
        _gather_object(cast("Mapping[str, Any]", value), found, depth)
    elif isinstance(value, list):
        for item in cast("list[object]", value)[:20]:
            _gather(item, found, depth + 1)


def _gather_text(text: str, found: _Details, depth: int) -> None:
    inner = _parsed(text)
    if inner is not None:
        _gather(inner, found, depth + 1)
    elif not found.message and found.page is None:
        found.page = page_title(text)
        found.message = text.strip() if depth else _line(text)


def _gather_object(error: Mapping[str, Any], found: _Details, depth: int) -> None:
    found.codes += [str(error[name]) for name in _CODES if _is_code(error.get(name))]
    if found.status is None:
        numbers = (_http_status(error.get(name)) for name in _NUMBERS)
        found.status = next((number for number in numbers if number), None)
    if found.wait is None:
        found.wait = wait_in_retry_info(error.get("retryDelay") or error.get("retry_after"))
    if found.request_id is None:
        ids = (error.get(name) for name in ("request_id", "requestId"))
        found.request_id = next((id for id in ids if id and isinstance(id, str)), None)
    words = [error[name] for name in _MESSAGES if isinstance(error.get(name), str | Mapping)]
    inner = error.get("error")
    if isinstance(inner, str) and any(words):  # A title, with the message beside it.
        found.codes.append(inner)
    else:
        _gather(inner, found, depth + 1)
    for word in words:
        _gather(word, found, depth + 1)
    if isinstance(error.get("loc"), list) and found.message and "msg" in error:  # FastAPI's.
        found.message = f"{'.'.join(map(str, error['loc']))}: {found.message}"
    for name in _NESTED:
        if not isinstance(error.get(name), str):
            _gather(error.get(name), found, depth + 1)
    _gather_upstream(error.get("metadata"), found, depth)


def _gather_upstream(metadata: object, found: _Details, depth: int) -> None:
    """Add the error of the provider behind OpenRouter, whose own message says little."""
    upstream = _Details()
    if isinstance(metadata, Mapping):
        _gather(cast("Mapping[str, Any]", metadata).get("raw"), upstream, depth + 1)
    if upstream.message and upstream.message not in found.message:
        found.message = ": ".join(filter(None, (found.message.rstrip("."), upstream.message)))
    found.codes += upstream.codes
    found.status = found.status or upstream.status
    found.wait = upstream.wait if found.wait is None else found.wait


def _sort(status: int | None, codes: list[str], message: str, *, waits: bool) -> _Sorted:
    """Return the class and hint of an error; words refine what the status says."""
    text = " ".join([*codes, message])[:_MAX_SEARCHED].lower()
    if status != 429 and re.search(_OVERFLOW_WORDS, text):
        return _OVERFLOW
    if re.search(_FILTER_WORDS, text):
        return _FILTERED
    if status == 402 or re.search(_QUOTA_WORDS, text):
        return _QUOTA
    if not waits and re.search(_QUOTA_UNLESS_WAIT, text):
        return _QUOTA
    if status in (None, 400) and re.search(_KEY_WORDS, text):
        return _UNAUTHORIZED
    meant = _status_meant(codes)
    if meant is None and re.search(_RATE_WORDS, text):
        meant = 429
    if status is None or (status >= 500 and meant == 408):
        status = meant or 500
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return (ModelError, "Check the request.") if status < 500 else _SERVER


def _status_meant(codes: list[str]) -> int | None:
    for code in codes:
        word = re.sub(r"[^a-z]", "", code.lower())
        for pattern, status in _STATUS_BY_CODE:
            if re.search(pattern, word):
                return status
    return None


def _is_error(payload: Mapping[str, Any]) -> bool:
    """Return whether a payload has an error's fields, and none of a reply."""
    if "choices" in payload or payload.get("errors"):
        return "choices" not in payload
    coded = any(_is_code(payload.get(name)) for name in ("code", "status_code", "error_code"))
    return coded and isinstance(payload.get("message"), str)


def _is_code(value: object) -> bool:
    return (isinstance(value, str) and bool(value)) or type(value) is int


def _http_status(value: object) -> int | None:
    if isinstance(value, str):
        value = int(value) if re.fullmatch(r"[45]\d\d", value.strip()) else None
    return value if type(value) is int and 400 <= value < 600 else None


def _status_text(status: int | None) -> str:
    return "an error" if status is None else f"status {status}"


def _page_line(status: int | None, title: str) -> str:
    shown = str(status or "")
    title = title if not shown or shown in title else f"{shown} {title}".strip()
    return f"The server sent a web page: {title or 'without a title'}."


def _shown(body: object) -> str:
    """Return a body without a message as one line."""
    if not body:
        return ""
    try:
        return _line(json.dumps(body, ensure_ascii=False, default=str))
    except (ValueError, RecursionError):
        return ""


def _parsed(text: str) -> object:
    """Return the JSON in a string, or None."""
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_TEXT else f"{line[:_MAX_TEXT]}…"


def _request_id_in(message: str) -> str | None:
    found = re.search(_REQUEST_ID_WORDS, message[:_MAX_SEARCHED])
    return found[1] if found else None
