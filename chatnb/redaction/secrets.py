"""Find the secrets in data by their types, names and places, and hide them from reprs."""

from __future__ import annotations

import json
import operator
import os
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache, lru_cache
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, quote, unquote, urlsplit

T = TypeVar("T")
C = TypeVar("C")

REDACTED = "***"

PLACEHOLDER_KEY = "sk-placeholder-0-"
"""Keys that begin so are none: they let SDKs make clients that are never to call anybody."""

MIN_SECRET_LENGTH = 7
# Servers that need no key are given words such as "none", which ordinary text may well contain.

_MAX_DEPTH = 32


class SecretText(str):
    """A secret as SDKs take it, whose repr does not show it: tracebacks print local variables.

    Example:
        >>> {"Authorization": SecretText("Bearer abc")}
        {'Authorization': '***'}
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(REDACTED)


_SECRET_NAME = (
    r"[_-]key$|api_?key|access_?key|account_?key|private_?key|token$|secret|passw|passphrase|credential"
    r"|auth(?!or(?!i[sz]))|bearer|cookie"
    r"|(?:^|[_-])(?:dsn|jwt|otp|pat|pin|pw|pwd|sid|sig|signature)(?:$|[_-])"
)
# PWD is the shell's folder, and no password.
_NAMES_OF_PLACES = re.compile(r"(?:FILE|PATH|DIR|SOCK|URL|HOST)$|^(?:OLD)?PWD$", re.IGNORECASE)
# Parts of a run's config that hold what the user gives it, such as a model's key.
_CONFIG_PARTS = ("configurable", "metadata")
# They describe data, and hold none; tools have many of them.
_SUBSCHEMAS = frozenset({"$defs", "anyOf", "items", "properties", "required"})
_SDK_OPTIONS = frozenset({"extra_body", "extra_headers", "extra_query"})
_QUERIES = frozenset({"default_query", "extra_query"})
_TYPES_OF_SCHEMAS = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_MAX_CONNECTION_TEXT = 2_000
_MIN_CODE_LENGTH = 20
# The organisation and the project that pay are not secret, but do not belong in a shared file.
_ACCOUNT_VARIABLES = ("OPENAI_ORG_ID", "OPENAI_ORGANIZATION", "OPENAI_PROJECT_ID")
_ACCOUNT_ATTRIBUTES = ("organization", "project")
# What a scripted model was asked grows with each call, and says nothing of the model.
_NO_OPTIONS = frozenset({"_requests"})


def is_secret_name(name: str) -> bool:
    """Return whether a variable, argument or attribute of this name likely holds a secret."""
    return bool(_secret_name().search(name))


_is_secret_field = lru_cache(maxsize=1_024)(is_secret_name)


def secrets_in(*values: object) -> set[str]:
    """Collect the secrets within data: by their type, their names, and as parts of addresses."""
    found = (text for value in values for text in _secrets_within(value, named=False, depth=0))
    forms = (form for text in found for form in _written_forms(text))
    return {SecretText(form) for form in forms if len(form) >= MIN_SECRET_LENGTH}


def environment_secrets() -> set[str]:
    """Collect the secrets of the environment: by their names, and OpenAI's account ids."""
    return _environment_secrets(tuple(os.environ.items()))


def model_secrets(model: object, *options: object) -> set[str]:
    """Collect the secrets of a chat model, of options of a call, and of the environment."""
    attributes = cast("dict[str, Any]", getattr(model, "__dict__", {}))
    own = {name: value for name, value in attributes.items() if name not in _NO_OPTIONS}
    accounts = [SecretText(own.get(name) or "") for name in _ACCOUNT_ATTRIBUTES]
    clients = [_credentials_of_client(value) for value in own.values() if hasattr(value, "cookies")]
    return secrets_in(own, accounts, clients, *options) | environment_secrets()


def _credentials_of_client(client: Any) -> dict[str, Any]:
    """Return what an HTTP client of the user's own adds to each request."""
    auth = getattr(getattr(client, "auth", None), "__dict__", {})
    return {
        "headers": dict(getattr(client, "headers", ())),
        "cookies": [cookie.value for cookie in getattr(client.cookies, "jar", ())],
        "auth": [value for value in auth.values() if isinstance(value, str)],
    }


def environment_secret(variable: str) -> SecretText | None:
    """Return the secret in an environment variable, or None."""
    found = os.environ.get(variable, "")
    return None if not found or found.startswith(PLACEHOLDER_KEY) else SecretText(found)


def hide(data: T) -> T:
    """Return data whose secrets do not show in the repr."""
    return _hidden(data, named=False, depth=0)


def hide_in_options(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters of a call; secrets within its data do not show in the repr."""
    # Other objects are what they are to those who take them.
    data = {k: v for k, v in params.items() if type(v) in (dict, list, tuple) or k in _SDK_OPTIONS}
    hidden = hide(data) if data else data
    return params if hidden is data else {**params, **hidden}


def hide_in_config(config: C) -> C:
    """Return the config of a run, or one for each of several; secrets do not show in the repr."""
    given: Any = config
    if isinstance(config, dict):
        if not (given.get("configurable") or given.get("metadata")):
            return given
        return _with_hidden_parts(given)
    if isinstance(config, list):
        return cast("C", [hide_in_config(one) for one in given])
    return config


def _with_hidden_parts(config: Any) -> Any:
    parts = {name: config[name] for name in _CONFIG_PARTS if config.get(name)}
    hidden = hide(parts)
    return config if hidden is parts else {**config, **hidden}


def call_options(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a call that may hold secrets, as the headers of a server's tool."""
    # A parameter that is a mere text is none.
    return {name: value for name, value in params.items() if not isinstance(value, str)}


def _hidden(value: Any, *, named: bool, depth: int, within: str = "") -> Any:
    """Return data in which secrets are `SecretText`s; the same object if there are none."""
    if isinstance(value, str):
        if not named and "=" not in value and "://" not in value:  # As nearly all.
            return value
        is_secret = not isinstance(value, SecretText) and (named or any(_secrets_of_text(value)))
        return SecretText(value) if is_secret else value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping) and depth < _MAX_DEPTH:
        given = cast("Mapping[Any, Any]", value)
        changed = {
            name: hidden
            for name, item, inner in _fields(given, named=named, within=within)
            if (hidden := _hidden(item, named=inner, depth=depth + 1, within=str(name))) is not item
        }
        return {**given, **changed} if changed else given
    items: Any = cast("object", value)
    if type(items) in (list, tuple) and depth < _MAX_DEPTH:
        hidden_items = [_hidden(item, named=named, depth=depth + 1) for item in items]
        if all(map(operator.is_, hidden_items, items)):
            return items
        return hidden_items if isinstance(items, list) else tuple(hidden_items)
    return items


def _fields(
    value: Mapping[Any, Any], *, named: bool, within: str
) -> Iterator[tuple[Any, Any, bool]]:
    """Yield the fields that may hold secrets, with whether they are named like one, or within one.

    `within` is the name of the object itself.
    """
    type_ = value.get("type")
    if type_ == "function" and "parameters" in (value.get("function") or ()):
        return  # A tool's description, as each call has many.
    # The schema of a secret's field has none; {"type": "api_key", "key": ...} has.
    is_schema = isinstance(type_, list) or (isinstance(type_, str) and type_ in _TYPES_OF_SCHEMAS)
    for name, item in list(value.items()):
        if within in _QUERIES and isinstance(item, str):
            is_named = _is_secret_of_query(str(name), item)
        else:
            is_named = _is_secret_field(str(name))
        if not (is_schema and name in _SUBSCHEMAS):
            yield name, item, is_named or (named and not is_schema and name != "type")


def _secrets_within(value: Any, *, named: bool, depth: int, within: str = "") -> Iterator[str]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, str):
        yield from _secrets_of_text(value)
        if named or isinstance(value, SecretText):
            yield from (str(value), *_parts_of_credentials(value))
    elif isinstance(value, bytes):
        yield from _secrets_within(value.decode("utf-8", "replace"), named=named, depth=depth)
    elif hasattr(cast("type[object]", type(value)), "get_secret_value"):
        yield from _secrets_within(value.get_secret_value(), named=True, depth=depth + 1)
    elif isinstance(value, Mapping):
        given = cast("Mapping[Any, Any]", value)
        for name, item, inner in _fields(given, named=named, within=within):
            yield from _secrets_within(item, named=inner, depth=depth + 1, within=str(name))
    elif isinstance(value, list | tuple | set | frozenset):
        for item in list(cast("Iterable[Any]", value)):
            yield from _secrets_within(item, named=named, depth=depth + 1)


def _secrets_of_text(text: str) -> Iterator[str]:
    """Yield the secrets of a text whose form tells them, as that of an address does."""
    if "://" in text:
        yield from _secrets_of_address(text)
    if "=" in text and len(text) <= _MAX_CONNECTION_TEXT:
        yield from _secrets_of_connection(text)


def _secrets_of_connection(text: str) -> Iterator[str]:
    """Yield the secrets of a text such as "Server=db;User=ada;Password=...", or of cookies."""
    for part in re.split(r"[;\s]+", text):
        name, equals, value = part.partition("=")
        if equals and "://" not in name and is_secret_name(name):
            yield value.strip("'\"{}")


def _parts_of_credentials(text: str) -> Iterator[str]:
    """Yield the secrets within credentials: the password of "Basic ...", the values of cookies."""
    scheme, _, encoded = text.strip().partition(" ")
    if scheme.lower() == "basic":
        with suppress(ValueError):
            decoded = b64decode(encoded).decode()
            yield from (decoded, decoded.partition(":")[2])
    for part in text.split(";"):
        _, equals, value = part.partition("=")
        if equals:
            yield value.strip().strip('"')


def _secrets_of_address(address: str) -> Iterator[str]:
    try:
        parts = urlsplit(address)
    except ValueError:
        return
    user, at, _ = parts.netloc.rpartition("@")
    if at:
        name, colon, password = user.partition(":")
        is_token = not colon and parts.scheme in ("http", "https")  # No site has names in those.
        yield name if is_token else password
    elif "@" in address and not re.fullmatch(r"[^:]*(:\d*)?|\[.*", parts.netloc):
        # A password with an unescaped "/", "?" or "#", which readers take for a port.
        password = address.partition("://")[2].rpartition("@")[0].partition(":")[2]
        yield from (password, *re.split("[/?#]", password))
    for name, value in parse_qsl(parts.query):
        if _is_secret_of_query(name, value):
            yield value


def _is_secret_of_query(name: str, value: str) -> bool:
    """Return whether a parameter of an address likely is a secret: `key`, `sig`, a long `code`."""
    is_code = name == "code" and len(value) >= _MIN_CODE_LENGTH and any(map(str.isdigit, value))
    return is_code or name == "key" or is_secret_name(name)


def _written_forms(secret: str) -> set[str]:
    """Return a secret as it is, and as addresses, JSON and reprs write it."""
    bare = secret.strip()
    _, _, credentials = bare.partition(" ")  # After "Bearer".
    plain = {secret, bare, unquote(bare), credentials.strip()}
    written = {form for text in plain for form in (quote(text, safe=""), json.dumps(text)[1:-1])}
    return plain | written | {repr(text)[1:-1] for text in plain}


@lru_cache(maxsize=1)
def _environment_secrets(variables: tuple[tuple[str, str], ...]) -> set[str]:
    named = {name: value for name, value in variables if not _NAMES_OF_PLACES.search(name)}
    accounts = [SecretText(value) for name, value in variables if name in _ACCOUNT_VARIABLES]
    return secrets_in(named, accounts, [value for _, value in variables])


@cache
def _secret_name() -> re.Pattern[str]:
    return re.compile(_SECRET_NAME, re.IGNORECASE)
