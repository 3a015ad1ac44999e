"""Chat models by name: `init_chat_model("provider:model")`."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from typing import Any

from chatnb.chat_models.base import BaseChatModel
from chatnb.errors import UnknownModelError

ENTRY_POINTS = "chatnb.chat_models"
"""The group in which other packages name a callable that takes the model's name and parameters."""


def _openai(model: str, **params: Any) -> BaseChatModel:
    from chatnb.chat_models.openai import ChatOpenAI

    return ChatOpenAI(model, **params) if model else ChatOpenAI(**params)


def _anthropic(model: str, **params: Any) -> BaseChatModel:
    from chatnb.chat_models.anthropic import ChatAnthropic

    return ChatAnthropic(model or None, **params)


def _azure(model: str, **params: Any) -> BaseChatModel:
    from chatnb.chat_models.azure import AzureChatOpenAI

    return AzureChatOpenAI(model or None, **params)


def _local(model: str, **params: Any) -> BaseChatModel:
    from chatnb.chat_models.local import ChatLocal

    if model in ("", "smollm2"):
        return ChatLocal(**params)
    if model.endswith(".gguf"):
        return ChatLocal(model_path=model, **params)
    raise UnknownModelError(
        f"No local model is called {model!r}. There is local:smollm2, "
        "or local:PATH with the path of a .gguf file."
    )


def _scripted(model: str, **params: Any) -> BaseChatModel:
    from chatnb.chat_models.scripted import ScriptedChatModel

    return ScriptedChatModel([model or "Hello."], **params)


_PROVIDERS: dict[str, Callable[..., BaseChatModel]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "azure": _azure,
    "local": _local,
    "scripted": _scripted,
}


def _compatible(provider: str) -> Callable[..., BaseChatModel] | None:
    """A server of the table in providers.toml."""
    from chatnb.chat_models.providers import known_providers

    if provider not in known_providers():
        return None
    from chatnb.chat_models.compatible import ChatCompatible

    return partial(ChatCompatible, provider)


def _plugged_in(provider: str) -> Callable[..., BaseChatModel] | None:
    """A provider of another package, which names it in the entry points of this group."""
    for entry_point in entry_points(group=ENTRY_POINTS, name=provider):
        try:
            return entry_point.load()
        except (ImportError, AttributeError) as error:
            raise UnknownModelError(
                f"The provider {provider!r} cannot be loaded from {entry_point.value}: {error}"
            ) from error
    return None


def init_chat_model(name: str, **params: Any) -> BaseChatModel:
    """Make a chat model from its name.

    Args:
        name: `provider:model`: `openai:gpt-4o-mini`, `azure:DEPLOYMENT`,
            `anthropic:claude-haiku-5-5`, `local:smollm2`,
            `local:PATH.gguf`, or `scripted:TEXT`, which replies with the text; or a server of
            the table in providers.toml, such as `ollama:llama3.2` or `groq:MODEL`, with
            `base_url=` for another address. The provider alone gives its default.
            Other packages add providers by an entry point of the group `chatnb.chat_models`.
        **params: Arguments of the model's class, such as `temperature`.

    Returns:
        The chat model.

    Raises:
        UnknownModelError: If there is no such provider or model, or it cannot be loaded.
        TypeError: If the name is no string.

    Example:
        >>> init_chat_model("scripted:Good morning.").invoke("Hello")
        AIMessage(content='Good morning.')
    """
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"init_chat_model takes a name such as 'local:smollm2', not {name!r}")
    provider, _, model = name.partition(":")
    make = _PROVIDERS.get(provider) or _compatible(provider)
    make = make or (_plugged_in(provider) if provider else None)
    if make is not None:
        return _checked(make(model, **params), provider)
    raise UnknownModelError(f"No chat model is called {name!r}. {_suggestion(name)}")


def _checked(model: BaseChatModel, provider: str) -> BaseChatModel:
    if isinstance(model, BaseChatModel):  # pyright: ignore[reportUnnecessaryIsInstance]
        return model
    raise UnknownModelError(f"The provider {provider!r} made no chat model, but {model!r:.80}")


def _suggestion(name: str) -> str:
    if name.startswith(("gpt-", "o1", "o3", "o4", "chatgpt")):
        return f"Did you mean openai:{name}?"
    if name.startswith("claude-"):
        return f"Did you mean anthropic:{name}?"
    if name in ("smollm2", "llama.cpp"):
        return "Did you mean local:smollm2?"
    from chatnb.chat_models.providers import known_providers

    known = sorted({*_PROVIDERS, *known_providers(), *entry_points(group=ENTRY_POINTS).names})
    close = difflib.get_close_matches(name.partition(":")[0], known, n=1)
    meant = f"Did you mean {close[0]}:…? " if close else ""
    return f"{meant}Write PROVIDER:MODEL with one of {', '.join(known)}."
