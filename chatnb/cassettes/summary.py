"""A call of a cassette in one line: what was requested, what was replied, and its cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

from chatnb.cassettes.http_messages import event_data, is_event_text

# Where requests and responses of HTTP keep what people wrote and read.
_TEXT_FIELDS = ("content", "text", "input", "prompt", "output_text", "delta")


class CallSummary(NamedTuple):
    """A call in a few words.

    Args:
        model: The chat model, or the method and address of HTTP.
        prompt: The last message of the request.
        reply: The text of the reply, or its error.
        tokens: The tokens in and out, or "" if they are not known.
        seconds: The seconds that the reply took, or None if they are not known.
    """

    model: str
    prompt: str
    reply: str
    tokens: str
    seconds: float | None


def summarize_call(call: Mapping[str, Any]) -> CallSummary:
    """Return the summary of a call.

    Example:
        >>> request = {"model": "ChatOpenAI gpt-4o", "messages": [{"human": "Hi"}]}
        >>> summarize_call({"request": request, "replies": [{"text": "Hello."}]}).reply
        'Hello.'
    """
    request: Mapping[str, Any] = call["request"]
    times: list[float] = call.get("after_ms") or call.get("stream", {}).get("after_ms", [])
    return CallSummary(
        str(request.get("model") or request.get("http", "")),
        request_text(request),
        _reply_text(call),
        _tokens(call),
        sum(times) / 1000 if times else None,
    )


def _tokens(call: Mapping[str, Any]) -> str:
    """Return the tokens of the first reply that says them in chatnb's words."""
    for usage in _fields(call, "usage_metadata"):
        fields = cast("dict[str, Any]", usage) if isinstance(usage, dict) else {}
        counts = [fields.get("input_tokens"), fields.get("output_tokens")]
        if all(isinstance(count, int) for count in counts):
            return " + ".join(f"{count:,}" for count in counts)
    return ""


def request_text(request: Mapping[str, Any]) -> str:
    """Return the last message of a request, or what its body has for one."""
    messages: Any = request.get("messages")
    if messages:
        return _last_text(next(iter(messages[-1].values()), ""))
    return _last_text(request.get("body", ""))


def _reply_text(call: Mapping[str, Any]) -> str:
    if "error" in call:
        error = call["error"]
        return f"{error['type']}: {error.get('message', '')}"
    if "stream" in call:
        return str(call["stream"]["text"])
    if "response" in call:
        return _response_text(call["response"])
    return _last_text(call["replies"][-1] if call.get("replies") else "")


def _response_text(response: Mapping[str, Any]) -> str:
    text = response.get("text", "")
    if "json" in response:
        found = _last_text(response["json"])
    elif is_event_text(text):
        found = "".join(_event_texts(text))
    else:
        found = text
    status = response["status"]
    return found if status == 200 and found else f"status {status} {found}".strip()


def _event_texts(text: str) -> Iterator[str]:
    """Yield the texts of server-sent events: pieces of a reply."""
    for event in map(event_data, text.splitlines()):
        # An event that ends a part repeats the whole of it.
        fields = cast("dict[str, Any]", event) if isinstance(event, dict) else {}
        if not str(fields.get("type", "")).endswith((".done", ".completed")):
            yield _last_text(event)


def _last_text(value: Any) -> str:
    """Return the last text in data that someone wrote or read."""
    if isinstance(value, str):
        return value
    texts = (text for name in _TEXT_FIELDS for text in _fields(value, name) if text)
    found = [text for text in texts if isinstance(text, str)]
    return found[-1] if found else ""


def _fields(value: Any, name: str) -> Iterator[Any]:
    """Yield the values of all fields of a name, at any depth."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        if name in fields:
            yield fields[name]
        for item in fields.values():
            yield from _fields(item, name)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _fields(item, name)
