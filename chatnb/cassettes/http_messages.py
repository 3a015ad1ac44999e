"""Requests and responses of HTTP as a cassette stores them: readable, and without secrets."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from chatnb.cassettes.network import DEFAULT_PORTS, is_loopback
from chatnb.cassettes.requests import plain_data
from chatnb.redaction import REDACTED, is_secret_name

# The others name accounts and requests, and how the body was packed on its way.
_KEPT_HEADERS = ("content-type", "content-encoding", "location", "retry-after", "retry-after-ms")
# Cassettes refuse deeper nesting, so that reading one is safe.
_MAX_DEPTH = 50
_BOUNDARY = re.compile(r'boundary="?([^";,]+)')
# How servers write JSON on one line, so that a replay has the same bytes.
_COMPACT = "compact"
_JSON_STYLES = {
    _COMPACT: partial(json.dumps, ensure_ascii=False, separators=(",", ":")),
    "spaced": partial(json.dumps, ensure_ascii=False),
    "compact, ascii": partial(json.dumps, separators=(",", ":")),
    "spaced, ascii": json.dumps,
}
# A field of a form, an address, an XML element, a part of a form, or JSON that is kept as text.
_FIELD = re.compile(
    r"""(?<![\w.-])(?P<name>[\w.-]{1,60}+)(?P<between>=|>|"\s{0,9}:\s{0,9}"|"\r?\n\r?\n)[^&\s"'<>]+"""
)
# In responses fewer names: the tokens of a text, and signatures of thoughts, are no secrets.
_CREDENTIAL = re.compile(
    r"(?:access|refresh|id|auth|oauth|session|bearer|api)[_-]?token|secret|passw|private[_-]?key"
    r"|api[_-]?key|[_-]signature$|credential",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"https?://\S+")
_FORM = "x-www-form-urlencoded"
_EVENT_END = re.compile(rb"(?<=\n\n)")


class HttpResponse(NamedTuple):
    """A response as it is replayed, with its body in the pieces in which it is streamed."""

    status: int
    headers: list[tuple[str, str]]
    chunks: list[bytes]

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks)


def is_event_text(text: str) -> bool:
    """Return whether a body is server-sent events."""
    return text.startswith(("data:", "event:"))


def event_data(line: str) -> Any:
    """Return the JSON of a line of server-sent events, or None if it has none."""
    with suppress(ValueError):
        return json.loads(line.removeprefix("data:")) if line.startswith("data:") else None
    return None


def http_request(method: str, url: str, content_type: str, body: bytes) -> dict[str, Any]:
    """Write a request as plain data; addresses of this machine are all the same one."""
    request: dict[str, Any] = {"http": f"{method.upper()} {_address(url)}"}
    if body:
        request["body"] = _request_body(content_type, body)
    return request


def http_response(status: int, headers: Iterable[tuple[str, str]], body: bytes) -> dict[str, Any]:
    """Write a response as plain data: its JSON, its text, or its bytes."""
    kept = {name.lower(): value for name, value in headers if name.lower() in _KEPT_HEADERS}
    body = _unpacked(kept, body)
    response: dict[str, Any] = {"status": status}
    if kept:
        response["headers"] = _without_credentials(kept)
    content_type = kept.get("content-type", "")
    written = _response_body(content_type, body)
    if "text" in written and (_FORM in content_type or "json" in content_type):
        written["text"] = _hide_fields(written["text"], _is_credential)
    return {**response, **_without_credentials(written)}


def _is_credential(name: str) -> bool:
    """Return whether a field of a response is one that a server gives as a secret."""
    return bool(_CREDENTIAL.search(name))


RESPONSE_FIELDS = ("status", "headers", "json", "json_style", "text", "base64")


def response_from_data(data: Mapping[str, Any]) -> HttpResponse:
    """Read the plain data of `http_response`."""
    status: Any = data["status"]
    headers: Any = data.get("headers") or {}
    if type(status) is not int or not 100 <= status <= 599 or not isinstance(headers, dict):
        raise ValueError("a response has a status and headers")
    pairs = [(str(k), str(v)) for k, v in cast("dict[Any, Any]", headers).items()]
    if "base64" in data:
        return HttpResponse(status, pairs, [base64.b64decode(data["base64"], validate=True)])
    if "json" in data:
        text = _JSON_STYLES[data.get("json_style", _COMPACT)](data["json"])
        return HttpResponse(status, pairs, [text.encode()])
    return HttpResponse(status, pairs, _pieces(dict(pairs), data.get("text", "").encode()))


def _address(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host):
        host = "localhost"
    elif parts.port and parts.port != DEFAULT_PORTS.get(parts.scheme):
        host = f"{host}:{parts.port}"
    query = urlencode(sorted(parse_qsl(parts.query, keep_blank_values=True)))
    return f"{parts.scheme}://{host}{parts.path or '/'}" + (f"?{query}" if query else "")


def _request_body(content_type: str, body: bytes) -> Any:
    if boundary := _BOUNDARY.search(content_type):
        # It is drawn at random.
        body = body.replace(boundary[1].encode(), b"boundary")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"sha256={hashlib.sha256(body).hexdigest()}"
    found = _parsed(text)
    if found is None:
        return plain_data(_hide_fields(text, is_secret_name))
    return plain_data(_without_credentials(found))


def _response_body(content_type: str, body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}
    if "event-stream" in content_type:
        # Without the blank line that ends the last event: YAML would mark the text's end.
        return {"text": text.replace("\r\n", "\n").rstrip("\n") + "\n"}
    if (found := _parsed(text)) is None:
        return {"text": text}
    for style, dumps in _JSON_STYLES.items():
        if dumps(found) == text:
            return {"json": found} if style == _COMPACT else {"json_style": style, "json": found}
    return {"text": text}


def _without_credentials(value: Any, named: bool = False) -> Any:
    """Return data without the texts of secret fields, and without those in addresses."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value).items()
        return {
            name: _without_credentials(item, named or _is_credential(name)) for name, item in fields
        }
    if isinstance(value, list):
        return [_without_credentials(item, named) for item in cast("list[Any]", value)]
    if not isinstance(value, str) or not value:
        return value
    if named:
        return REDACTED
    return _hide_fields(value, _is_credential) if _ADDRESS.fullmatch(value) else value


def _hide_fields(text: str, is_secret: Callable[[str], bool]) -> str:
    def hidden(field: re.Match[str]) -> str:
        return (
            f"{field['name']}{field['between']}{REDACTED}" if is_secret(field["name"]) else field[0]
        )

    return _FIELD.sub(hidden, text)


def _parsed(text: str) -> Any:
    """Return the data of a JSON text, or None where a cassette would not keep it as it is."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        found = json.loads(text)
        # YAML has no half characters, which JSON writes as escapes.
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    return found if _depth(found) <= _MAX_DEPTH else None


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, cast("dict[str, Any]", value).values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, cast("list[Any]", value)), default=0)
    return 0


def _unpacked(headers: dict[str, str], body: bytes) -> bytes:
    """Return a body that can be read in the file, if it was compressed in a common way."""
    if headers.get("content-encoding") in ("gzip", "deflate", "identity"):
        packed = headers.pop("content-encoding") != "identity"
        return zlib.decompress(body, wbits=zlib.MAX_WBITS | 32) if packed else body
    return body


def _pieces(headers: Mapping[str, str], body: bytes) -> list[bytes]:
    """Split a stream into its events or lines, which are read one by one."""
    content_type = headers.get("content-type", "")
    if "event-stream" in content_type:
        return [piece for piece in _EVENT_END.split(body + b"\n") if piece]
    if "ndjson" in content_type or "jsonl" in content_type:
        return body.splitlines(keepends=True)
    return [body]
