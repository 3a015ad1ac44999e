"""Cassettes at the wire, by vcrpy: for code that calls a provider's SDK itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatnb.errors import MissingRuntimeError
from chatnb.redaction import environment_secrets, redact

if TYPE_CHECKING:
    from vcr import VCR  # pyright: ignore[reportMissingTypeStubs]

_SECRET_HEADERS = (
    *("authorization", "x-api-key", "api-key", "openai-organization", "openai-project"),
    *("cookie", "user-agent", "x-stainless-retry-count", "x-stainless-read-timeout"),
    *("x-stainless-arch", "x-stainless-async", "x-stainless-lang", "x-stainless-os"),
    *("x-stainless-package-version", "x-stainless-runtime", "x-stainless-runtime-version"),
)
_KEPT_HEADERS = ("content-type", "retry-after", "retry-after-ms")
"""All of a response's headers that matter to who reads it; the others name accounts and requests,
and how the body was packed on its way."""
_NO_VCR = 'wire_cassettes needs vcrpy. Install it with: pip install "chatnb[testing]"'


def wire_cassettes(folder: str | Path = "cassettes", **options: Any) -> VCR:
    """Make a recorder of HTTP for code that calls OpenAI's or Anthropic's SDK itself.

    Keys, organisations, cookies and request ids are not written; requests are told apart by
    method, path and the JSON of their bodies, so that they replay against any address.

    Args:
        folder: Where the cassettes are.
        **options: What else a `vcr.VCR` takes, such as `record_mode="none"`.

    Returns:
        The recorder; use it as `with wire_cassettes().use_cassette("name.yaml"):`.

    Raises:
        MissingRuntimeError: If vcrpy is not installed.

    Example:
        >>> wire_cassettes("tests/cassettes").record_mode.value
        'once'
    """
    try:
        import vcr  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise MissingRuntimeError(_NO_VCR) from error
    matching = ("method", "path", "query", "json_body")
    defaults: dict[str, Any] = {
        "cassette_library_dir": str(folder),
        "filter_headers": list(_SECRET_HEADERS),
        "before_record_response": _without_headers,
        "before_record_request": _without_keys,
        "decode_compressed_response": True,
        "match_on": matching,
    }
    recorder: Any = vcr.VCR(**{**defaults, **options})
    recorder.register_matcher("json_body", _same_body)
    return recorder


def _same_body(one: Any, other: Any) -> None:
    assert _content(one) == _content(other)


def _content(request: Any) -> Any:
    body: Any = request.body
    try:
        return json.loads(body)
    except (TypeError, ValueError):
        return body


def _without_headers(response: dict[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in response["headers"].items() if k.lower() in _KEPT_HEADERS}
    body = dict(response["body"])
    said: Any = body.get("string")
    if isinstance(said, bytes):
        body["string"] = _clean_bytes(said)
    return {**response, "headers": kept, "body": body}


def _without_keys(request: Any) -> Any:
    if isinstance(request.body, bytes):
        request.body = _clean_bytes(request.body)
    return request


def _clean_bytes(said: bytes) -> bytes:
    try:
        text = said.decode()
    except UnicodeDecodeError:
        return said
    return redact(text, environment_secrets(), by_name=False).encode()
