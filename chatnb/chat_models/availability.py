"""Which providers there are, and what each still needs on this machine: nothing is loaded or sent.

Only `models_served` asks a server, and only one on this machine.
"""

from __future__ import annotations

import json
import os
import urllib.request
from importlib.metadata import entry_points
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from chatnb.chat_models.catalog import ENTRY_POINTS
from chatnb.chat_models.providers import Provider, known_providers
from chatnb.chat_models.weights import find_weights
from chatnb.errors import (
    ConfigurationError,
    MissingWeightsError,
    ModelConnectionError,
    UnknownModelError,
)

_PATIENCE_SECONDS = 2.0
_MOST_BYTES = 1_000_000


class Availability(NamedTuple):
    """A provider, and whether it can answer now.

    Args:
        name: What stands before the colon of a model's name.
        example: A name to type.
        usable: Whether everything is there; None where only the server itself could tell.
        needs: What is missing, or where the server would be.

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
        """In a few words."""
        return {True: "ready", False: "not ready", None: "if its server runs"}[self.usable]


def all_providers() -> list[Availability]:
    """Every provider: the built-in ones, those of providers.toml, those of other packages.

    Example:
        >>> [each.name for each in all_providers()][:4]
        ['openai', 'anthropic', 'azure', 'local']
    """
    built_in = [
        _with_key("openai", "openai:gpt-4o-mini", "OPENAI_API_KEY"),
        _anthropic(),
        _with_key(
            "azure", "azure:DEPLOYMENT", "AZURE_OPENAI_API_KEY", also=("AZURE_OPENAI_ENDPOINT",)
        ),
        _local(),
        *(_compatible(row) for row in known_providers().values()),
        Availability("scripted", "scripted:TEXT", usable=True),
    ]
    names = sorted(entry_points(group=ENTRY_POINTS).names)
    return [*built_in, *(Availability(name, f"{name}:MODEL", usable=True) for name in names)]


def models_served(provider: str) -> list[str]:
    """Ask the server of a provider on this machine which models it has.

    Args:
        provider: The name of a row in providers.toml whose address is this machine's.

    Returns:
        Names for `init_chat_model`.

    Raises:
        UnknownModelError: If there is no such provider.
        ConfigurationError: If its server is elsewhere: nothing is sent there for a list.
        ModelConnectionError: If nothing answers within two seconds, or no list comes.
    """
    names = [each.name for each in all_providers()]
    if provider not in names:
        raise UnknownModelError(f"No provider is called {provider!r}. There are {_listed(names)}.")
    row = known_providers().get(provider)
    if row is None or not is_loopback(row.base_url):
        local = [each.name for each in known_providers().values() if is_loopback(each.base_url)]
        raise ConfigurationError(
            f"Only servers on this machine are asked for their models: {_listed(local)}."
        )
    return [f"{provider}:{model}" for model in _served(row)]


def is_loopback(address: str) -> bool:
    """Whether an address is of this machine.

    Example:
        >>> is_loopback("http://127.0.0.1:8080/v1"), is_loopback("https://api.groq.com")
        (True, False)
    """
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _served(row: Provider) -> list[str]:
    address = f"{row.base_url.rstrip('/')}/models"
    # A proxy of the environment is for other machines than this one.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=_PATIENCE_SECONDS) as answer:
            listed: Any = json.loads(answer.read(_MOST_BYTES))
        return sorted(str(model["id"]) for model in listed["data"])
    except OSError as error:
        raise ModelConnectionError(
            f"Nothing answers at {address}.", hint=f"Start {row.name}; {row.docs} says how."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelConnectionError(f"What answers at {address} lists no models.") from error


def _with_key(name: str, example: str, key: str, also: tuple[str, ...] = ()) -> Availability:
    missing = [each for each in (key, *also) if not os.environ.get(each)]
    needs = f"set {' and '.join(missing)}" if missing else ""
    return Availability(name, example, not missing, needs)


def _anthropic() -> Availability:
    found = _with_key("anthropic", "anthropic:claude-haiku-5-5", "ANTHROPIC_API_KEY")
    if find_spec("anthropic") is not None:
        return found
    needs = " and ".join(["install chatnb[anthropic]", *filter(None, [found.needs])])
    return found._replace(usable=False, needs=needs)


def _local() -> Availability:
    found = Availability("local", "local:smollm2", usable=True)
    if find_spec("xllamacpp") is None:
        return found._replace(usable=False, needs="install chatnb[local]")
    try:
        find_weights()
    except MissingWeightsError:
        return found._replace(usable=False, needs="python -m chatnb download smollm2")
    return found


def _compatible(row: Provider) -> Availability:
    example = row.name if row.model else f"{row.name}:MODEL"
    if row.key is not None:
        return _with_key(row.name, example, row.key)
    usable = None if is_loopback(row.base_url) else True
    return Availability(row.name, example, usable, f"%chat models {row.name} asks {row.base_url}")


def _listed(names: list[str]) -> str:
    return ", ".join(names)
