"""The registry of providers: one entry a provider, from which names and availability follow."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from ipaddress import ip_address
from itertools import chain
from typing import Any, NamedTuple, overload
from urllib.parse import urlsplit

from chatnb.chat_models.base import BaseChatModel
from chatnb.chat_models.configurable import ConfigurableChatModel, Fields
from chatnb.chat_models.model_families import DEFAULT_MODELS
from chatnb.chat_models.providers import Provider, known_providers
from chatnb.concurrency.waiting import has_threads
from chatnb.errors import ConfigurationError, ModelConnectionError, UnknownModelError
from chatnb.redaction import environment_secret, hide
from chatnb.runnables.base import Runnable
from chatnb.schema.conversion import ChatInput
from chatnb.schema.messages import AIMessage

ENTRY_POINTS = "chatnb.chat_models"
"""The entry-point group of other packages' providers: callables of the model's name."""

_EACH_RUN = object()  # None may come from a variable that is not set.
_TIMEOUT_SECONDS = 2.0
_MAX_BYTES = 1_000_000


class Entry(NamedTuple):
    """A built-in provider; everything else about it is in its folder or module.

    Args:
        name: The text before the colon of a model's name.
        factory: The callable of the model's name and parameters, as `module:name`.
        model: The default model, or a placeholder in capitals.
        variables: The environment variables that it needs.
        package: The module of an optional SDK.
        extra: The extra of chatnb that installs the SDK.
        missing: A function that returns what else is missing, as `module:name`.
        prefixes: The beginnings of its models' names, which find it without a provider.
        aliases: Other names of it, such as LangChain's.
    """

    name: str
    factory: str
    model: str
    variables: tuple[str, ...] = ()
    package: str = ""
    extra: str = ""
    missing: str = ""
    prefixes: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    def availability(self) -> Availability:
        """Return what the provider still needs; nothing is imported or sent."""
        needs = list[str]()
        if self.package and find_spec(self.package) is None:
            needs.append(f"install chatnb[{self.extra}]")
        elif self.missing:
            needs += filter(None, [_load(self.missing)()])
        needs += filter(None, [_unset(*self.variables)])
        return Availability(self.name, f"{self.name}:{self.model}", not needs, " and ".join(needs))


_ENTRIES = (
    Entry(
        "openai",
        "chatnb.chat_models.openai.model:ChatOpenAI",
        DEFAULT_MODELS["openai"],
        variables=("OPENAI_API_KEY",),
        prefixes=("gpt-", "o1", "o3", "o4", "chatgpt-", "ft:gpt-"),
    ),
    Entry(
        "anthropic",
        "chatnb.chat_models.anthropic.model:ChatAnthropic",
        DEFAULT_MODELS["anthropic"],
        variables=("ANTHROPIC_API_KEY",),
        package="anthropic",
        extra="anthropic",
        prefixes=("claude-",),
    ),
    Entry(
        "azure",
        "chatnb.chat_models.openai.azure:AzureChatOpenAI",
        "DEPLOYMENT",
        variables=("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT"),
        aliases=("azure_openai",),
    ),
    Entry(
        "bedrock",
        "chatnb.chat_models.openai.clouds:BedrockChatOpenAI",
        "MODEL",
        variables=("AWS_REGION",),
        aliases=("bedrock_converse",),
    ),
    Entry(
        "vertex",
        "chatnb.chat_models.openai.clouds:VertexChatOpenAI",
        "MODEL",
        variables=("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"),
        aliases=("google_vertexai",),
    ),
    Entry(
        "local",
        "chatnb.chat_models.local:local_model",
        "smollm2",
        package="xllamacpp",
        extra="local",
        missing="chatnb.chat_models.local.weights:missing_weights",
        prefixes=("smollm2",),
    ),
    Entry("scripted", "chatnb.chat_models.scripted:scripted_model", "TEXT"),
)
# Open weights, which many providers serve.
_NOT_PLAIN = ("gpt-oss",)
_COMPATIBLE = "chatnb.chat_models.compatible:ChatCompatible"


@overload
def init_chat_model(
    model: str, *, model_provider: str | None = None, **params: Any
) -> BaseChatModel: ...
@overload
def init_chat_model(
    model: str = ...,
    *,
    model_provider: str | None = None,
    configurable_fields: Fields = None,
    config_prefix: str | None = None,
    **params: Any,
) -> Runnable[ChatInput, AIMessage]: ...
def init_chat_model(
    model: Any = _EACH_RUN,
    *,
    model_provider: str | None = None,
    configurable_fields: Fields = None,
    config_prefix: str | None = None,
    **params: Any,
) -> Any:
    """Return the chat model of a name, or one that the config of each run chooses.

    Args:
        model: `provider:model`, such as `openai:gpt-4o-mini`, `azure:DEPLOYMENT`,
            `anthropic:claude-haiku-5-5`, `local:smollm2`, `local:PATH.gguf`, or `scripted:TEXT`,
            which replies with the text; or a server of the table in providers.toml, such as
            `ollama:llama3.2` or `groq:MODEL`, with `base_url=` for another address. The provider
            alone stands for its default model; names that only one provider has, such as
            `claude-haiku-5-5` or `gemini-2.5-flash`, need none. Other packages add providers by an
            entry point of the group `chatnb.chat_models`. Without a name, the config chooses it:
            `invoke(messages, {"configurable": {"model": "openai:gpt-4o-mini"}})`.
        model_provider: The provider, if `model` is only the model's name. LangChain's names of
            providers, such as `google_genai`, are known.
        configurable_fields: The arguments that `config["configurable"]` may set for a run, such as
            `("model", "temperature")`, or `any`; with it, `model` is that of runs without one.
        config_prefix: The text before these arguments in the config: `first` for `first_model`.
        **params: Arguments of the model's class, such as `temperature`.

    Returns:
        The chat model.

    Raises:
        UnknownModelError: If there is no such provider or model, or it cannot be loaded.
        TypeError: If the name is no string, or a prefix is given without fields.

    Example:
        >>> init_chat_model("scripted:Good morning.").invoke("Hello")
        AIMessage(content='Good morning.')
    """
    params = hide(params)
    if model is not _EACH_RUN and not isinstance(model, str):
        raise TypeError(f"init_chat_model takes a name such as 'local:smollm2', not {model!r}")
    if model is not _EACH_RUN and configurable_fields is None:
        if config_prefix is not None:
            raise TypeError("config_prefix= goes with configurable_fields=")
        return _model_of_name(model, model_provider, params)
    given = {"model": model, "model_provider": model_provider}
    defaults = {key: value for key, value in given.items() if value not in (None, _EACH_RUN)}
    return ConfigurableChatModel(
        init_chat_model, {**defaults, **params}, fields=configurable_fields, prefix=config_prefix
    )


def _model_of_name(model: str, model_provider: str | None, params: dict[str, Any]) -> BaseChatModel:
    provider, name, factory = _split(model, model_provider)
    if factory is None:
        given = model if model_provider is None else f"{model_provider}:{model}"
        raise UnknownModelError(f"No chat model is called {given!r}. {_suggestion(given)}")
    made: object = factory(name, **params)
    if isinstance(made, BaseChatModel):
        return made
    raise UnknownModelError(f"The provider {provider!r} made no chat model, but {made!r:.80}")


class Availability(NamedTuple):
    """A provider, and its readiness on this machine.

    Args:
        name: The text before the colon of a model's name.
        example: A name for `init_chat_model`.
        usable: True if nothing is missing; None if only the server itself could tell.
        needs: What is missing, or the address of the server.

    Example:
        >>> Availability("scripted", "scripted:TEXT", True).state
        'ready'
    """

    name: str
    example: str
    usable: bool | None
    needs: str = ""

    @property
    def state(self) -> str:
        """The readiness in words."""
        return {True: "ready", False: "not ready", None: "if its server runs"}[self.usable]


def all_providers() -> list[Availability]:
    """Return every provider: built-in ones, those of providers.toml, those of other packages."""
    *native, scripted = _ENTRIES
    rows = [_row_availability(row) for row in known_providers().values()]
    plugins = sorted(entry_points(group=ENTRY_POINTS).names)
    return [
        *(entry.availability() for entry in native),
        *rows,
        scripted.availability(),
        *(Availability(name, f"{name}:MODEL", usable=True) for name in plugins),
    ]


def key_variables() -> list[str]:
    """Return the environment variables of all keys.

    Example:
        >>> key_variables()[:2]
        ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY']
    """
    native = [name for entry in _ENTRIES for name in entry.variables if name.endswith("_KEY")]
    rows = known_providers().values()
    return [*native, *filter(None, chain.from_iterable((row.key, *row.other_keys) for row in rows))]


def ready_models() -> list[str]:
    """Return the names of the built-in providers' default models that can answer now."""
    found = (entry.availability() for entry in _ENTRIES if not entry.model.isupper())
    return [provider.example for provider in found if provider.usable]


def models_served(provider: str) -> list[str]:
    """Return the models that a provider's server on this machine has."""
    names = [known.name for known in all_providers()]
    if provider not in names:
        raise UnknownModelError(
            f"No provider is called {provider!r}. There are {', '.join(names)}."
        )
    row = known_providers().get(provider)
    if row is None or not is_loopback(row.base_url):
        local = [row.name for row in known_providers().values() if is_loopback(row.base_url)]
        raise ConfigurationError(
            f"Only servers on this machine are asked for their models: {', '.join(local)}."
        )
    return [f"{provider}:{model}" for model in _served(row)]


def running_servers(seconds: float = 0.5) -> dict[str, list[str]]:
    """Return the models of each provider whose server runs on this machine, by its name.

    Args:
        seconds: The time that each server has to answer; all are asked at once.
    """
    if not has_threads():
        return {}  # A browser, whose pages may not ask other addresses.
    rows = [row for row in known_providers().values() if is_loopback(row.base_url)]
    with ThreadPoolExecutor(len(rows)) as pool:
        served = pool.map(partial(_served_or_none, seconds=seconds), rows)
        return {row.name: models for row, models in zip(rows, served, strict=True) if models}


def _served_or_none(row: Provider, seconds: float) -> list[str]:
    try:
        return _served(row, seconds)
    except ModelConnectionError:
        return []


def is_loopback(address: str) -> bool:
    """Return whether an address is on this machine."""
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(model: str, given: str | None) -> tuple[str, str, Callable[..., object] | None]:
    """Return the provider and the model of a name, and what makes the provider's models."""
    if given is not None:
        provider = _own_name(given)
        return provider, model.removeprefix(f"{given}:"), _factory(provider)
    provider, _, name = model.partition(":")
    provider = _own_name(provider)
    factory = _factory(provider)
    if factory is None and (found := _provider_with(model)):
        return found, model, _factory(found)
    return provider, name, factory


def _own_name(provider: str) -> str:
    """Return the name of a provider that was given by another, such as LangChain's."""
    written = provider.lower().replace("-", "_")
    for known in _known():
        if written == known.name or written in known.aliases:
            return known.name
    return provider


def _known() -> Iterator[Entry | Provider]:
    yield from _ENTRIES
    yield from known_providers().values()  # The file is read for those alone.


def _provider_with(model: str) -> str | None:
    """Return the only provider of models with such a name, if it is plain."""
    if model.startswith(_NOT_PLAIN):
        return None
    for known in _known():
        if known.prefixes and model.startswith(tuple(known.prefixes)):
            return known.name
    return None


def _factory(provider: str) -> Callable[..., object] | None:
    for entry in _ENTRIES:
        if entry.name == provider:
            return _load(entry.factory)
    if provider in known_providers():
        return partial(_load(_COMPATIBLE), provider)
    for plugin in entry_points(group=ENTRY_POINTS, name=provider) if provider else ():
        try:
            return plugin.load()
        except (ImportError, AttributeError) as error:
            raise UnknownModelError(
                f"The provider {provider!r} cannot be loaded from {plugin.value}: {error}"
            ) from error
    return None


def _load(path: str) -> Callable[..., Any]:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def _suggestion(name: str) -> str:
    known = sorted(provider.name for provider in all_providers())
    close = difflib.get_close_matches(name.partition(":")[0], known, n=1)
    meant = f"Did you mean {close[0]}:…? " if close else ""
    return f"{meant}Write PROVIDER:MODEL with one of {', '.join(known)}."


def _unset(*variables: str) -> str:
    unset = [variable for variable in variables if not environment_secret(variable)]
    return f"set {' and '.join(unset)}" if unset else ""


def _row_availability(row: Provider) -> Availability:
    example = row.name if row.model else f"{row.name}:MODEL"
    if row.key is not None:
        needs = "" if any(map(environment_secret, row.other_keys)) else _unset(row.key)
        needs = " and ".join(filter(None, [needs, _unset(*filter(None, [row.address]))]))
        return Availability(row.name, example, not needs, needs)
    return Availability(row.name, example, None, f"%chat models {row.name} asks {row.base_url}")


def _served(row: Provider, seconds: float = _TIMEOUT_SECONDS) -> list[str]:
    import urllib.request  # It loads http.client and email, which nothing else here needs.

    address = f"{row.base_url.rstrip('/')}/models"
    # A proxy in the environment is for other machines.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=seconds) as response:
            listed: Any = json.loads(response.read(_MAX_BYTES))
        return sorted(str(model["id"]) for model in listed["data"])
    except OSError as error:
        raise ModelConnectionError(
            f"Nothing answers at {address}.", hint=f"Start {row.name}; {row.docs} says how."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelConnectionError(f"What answers at {address} lists no models.") from error
