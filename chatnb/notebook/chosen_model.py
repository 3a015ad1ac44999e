"""Which chat model answers a cell."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from chatnb.chat_models import BaseChatModel, init_chat_model
from chatnb.errors import UnknownModelError
from chatnb.testing.active import active_cassette

_DEFAULT_WITH_KEY = "openai"
_DEFAULT_WITHOUT_KEY = "local"
EMBEDDED_NOTICE = (
    "No API key is set, so the small model inside this kernel answered: plausible prose, "
    "unreliable facts. %%chat -m MODEL chooses another."
)


class ChosenModels:
    """The chat models that a notebook's cells have used, by name, with their connections.

    Example:
        >>> ChosenModels().get("scripted:Hello.", {}).model_name
        'scripted'
    """

    def __init__(self) -> None:
        self._made: dict[tuple[str, str | None], BaseChatModel] = {}

    def get(self, name: str | None, namespace: Mapping[str, Any]) -> BaseChatModel:
        """Find the model for a cell.

        Args:
            name: What `-m` says: a name for `init_chat_model`, or a variable that holds a chat
                model, also one of LangChain's. None for the default: OpenAI where a key is set,
                else the embedded model.
            namespace: The notebook's variables.

        Raises:
            ConfigurationError: If there is no such model, or it lacks a key or its weights.
        """
        held: Any = namespace.get(name) if name else None
        if isinstance(held, BaseChatModel):
            return held
        if is_of_langchain(held):
            from chatnb.langchain import from_langchain

            return from_langchain(held)
        if held is not None:
            raise UnknownModelError(f"The variable {name} holds no chat model but {held!r:.80}.")
        key = os.environ.get("OPENAI_API_KEY")
        chosen = name or _default(_DEFAULT_WITH_KEY if key else _DEFAULT_WITHOUT_KEY)
        if (chosen, key) not in self._made:
            self._made[chosen, key] = init_chat_model(chosen)
        return self._made[chosen, key]


def _default(found: str) -> str:
    """The model for cells that name none: a replay keeps to the one that was recorded."""
    cassette = active_cassette()
    return found if cassette is None else cassette.default_model(found)


def is_of_langchain(held: object) -> bool:
    """Whether LangChain can run it; told by names, so as not to load LangChain."""
    bases = ((base.__module__, base.__name__) for base in type(held).__mro__)
    return ("langchain_core.runnables.base", "Runnable") in bases
