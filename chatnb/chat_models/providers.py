"""The table of servers that speak OpenAI's chat completions, read from providers.toml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Provider:
    """A row of the table; the head of providers.toml explains the fields."""

    name: str
    docs: str
    base_url: str
    usage: Literal["on_request", "always", "x_groq", "choice"]
    reasoning: Literal["none", "reasoning", "reasoning_content", "thinking parts"]
    reasoning_tag: str | None = None
    address: str | None = None
    key: str | None = None
    other_keys: Sequence[str] = ()
    aliases: Sequence[str] = ()
    prefixes: Sequence[str] = ()
    model: str | None = None
    sent_back: Literal["reasoning_content", "extra_content"] | None = None
    renamed: dict[str, str] = field(default_factory=dict[str, str])
    rejected: Sequence[str] = ()
    kept: Sequence[str] = ()
    parts: Sequence[str] | None = None


@cache
def known_providers() -> Mapping[str, Provider]:
    """Return the rows by the provider's name."""
    import tomllib  # It is loaded where a model is looked for by its name.

    table = files("chatnb.chat_models").joinpath("providers.toml").read_text(encoding="utf-8")
    return {name: Provider(name=name, **row) for name, row in tomllib.loads(table).items()}
