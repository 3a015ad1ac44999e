"""Options of a provider's SDK: those of its clients with their keys, and those of one call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from chatnb.cassettes.active import active_cassette
from chatnb.errors import ConfigurationError, MissingKeyError
from chatnb.redaction import SecretText, environment_secret

if TYPE_CHECKING:
    from pydantic import SecretStr


class ClientOptions(TypedDict, total=False):
    """The arguments of a chat model that go to the clients of its SDK.

    Args:
        default_headers: Headers of every request.
        default_query: Query parameters of every request.
        http_client: The HTTP client of synchronous calls, such as `httpx2.Client(proxy=...)`. The
            model never closes it.
        http_async_client: The HTTP client of asynchronous calls, for one event loop.
    """

    default_headers: Mapping[str, str] | None
    default_query: Mapping[str, object] | None
    http_client: Any
    http_async_client: Any


# The key of a model that is made while a cassette is replayed.
_REPLAY_KEY = "(none: a cassette answers)"
_KEY_LEFT_BEHIND = "(none: it stayed in another process)"
# The SDK requires a key, also for a server that needs none.
NO_KEY = "none"
HTTP_CLIENTS = frozenset({"http_client", "http_async_client"})

# The options of one call, and their names in the SDK.
_CALL_OPTIONS = {
    "extra_body": "extra_json",
    "extra_headers": "headers",
    "extra_query": "params",
    "max_retries": "max_retries",
    "timeout": "timeout",
}
# Arguments of models and of batches; providers have more in `_transport_parameters`.
_OF_MODELS = frozenset(
    {
        *("api_key", "base_url", "cache", "model_kwargs", "rate_limiter", "use_responses_api"),
        *("streaming", "disable_streaming", "verbose"),
        *ClientOptions.__annotations__,
    }
)
_OF_BATCHES = frozenset({"checkpoint", "checkpoint_grace", "progress", "return_exceptions"})


def check_call_params(params: Mapping[str, Any], others: frozenset[str]) -> None:
    """Raise a TypeError for arguments of a model or a batch among the parameters of a call."""
    for name in params:
        if name in _OF_BATCHES:
            raise TypeError(f"{name}= is no parameter of one call, but of batch and generate.")
        if name in _OF_MODELS or name in others:
            raise TypeError(f"{name}= is no parameter of one call. Give it to the chat model.")


def take_call_options(
    params: dict[str, Any], extra_body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Remove the SDK's options from a call's parameters, and return them by the SDK's names."""
    taken = {
        theirs: value
        for name, theirs in _CALL_OPTIONS.items()
        if (value := params.pop(name, None)) is not None
    }
    if extra_body:
        taken["extra_json"] = {**extra_body, **taken.get("extra_json", {})}
    return taken


def secret_key(key: str | SecretStr | None, variable: str, missing: str) -> SecretStr:
    """Return a model's key, from the environment variable if none is given."""
    # A model that is made under a cassette needs none before it calls its provider.
    return key_or_replay_key(secret(key or environment_secret(variable)), missing)


def key_names(state: Mapping[str, Any]) -> list[str]:
    """Return the attributes of a model that hold a key."""
    stand_ins = (NO_KEY, _REPLAY_KEY)
    return [
        name
        for name, value in state.items()
        if hasattr(value, "get_secret_value") and value.get_secret_value() not in stand_ins
    ]


def key_of_process(variable: str) -> SecretStr:
    """Return the key of this process for a model of another, or a stand-in that explains it."""
    from pydantic import SecretStr

    return SecretStr(environment_secret(variable) or _KEY_LEFT_BEHIND)


def secret(key: str | SecretStr | None) -> SecretStr | None:
    """Return a key as an object whose repr does not show it, or None for none."""
    from pydantic import SecretStr

    return SecretStr(str(key)) if isinstance(key, str) and key else key or None


def missing_key(model: str, variable: str) -> str:
    """Return the error text for a model without a key."""
    return (
        f"{model} has no API key. Set the environment variable {variable}, "
        f'pass it as {model}(api_key="..."), '
        "or use ChatLocal(), a small model on this machine that needs no key."
    )


def key_or_replay_key(key: SecretStr | None, missing: str) -> SecretStr:
    """Return the key, or a stand-in while a cassette may answer; else raise MissingKeyError."""
    from pydantic import SecretStr

    if key:
        return key
    if active_cassette() is not None:
        return SecretStr(_REPLAY_KEY)
    raise MissingKeyError(missing)


def real_key(key: SecretStr, variable: str) -> SecretText:
    """Return the key of a model that is about to call its provider, unless it has none."""
    text = SecretText(key.get_secret_value())
    if not (text.isascii() and text.isprintable()):
        raise ConfigurationError(
            "The API key cannot be sent: it has a line end or another character that no header "
            f"takes. Copy it again, and set {variable}."
        )
    if text == _KEY_LEFT_BEHIND:
        is_variable = not variable.endswith("=")
        remedy = f"Set {variable} in the environment of" if is_variable else "Make the model in"
        raise MissingKeyError(
            "The API key of this chat model stayed in the process that made it, since pickles "
            f"leave keys out. {remedy} this process; batch, map, generate and mapper send keys "
            "with send_keys=True."
        )
    if text != _REPLAY_KEY:
        return text
    raise MissingKeyError(
        "This chat model was made without an API key, as a cassette was to answer. "
        f"To call the provider, set {variable} and make the model again."
    )
