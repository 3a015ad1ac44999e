"""Who answers in a panel, and how: what its settings say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chatnb.errors import ConfigurationError
from chatnb.notebook.views.chat_panel_asking import answerer_of, chat_model_in, name_of
from chatnb.notebook.views.chat_panel_conversation import PanelConversation
from chatnb.runnables.base import Runnable
from chatnb.tools.approval import Approve
from chatnb.tools.loop import ToolLoop
from chatnb.tools.openai_tools import ToolLike

_ALLOWED = "allowed_tools"
_NO_TEMPERATURE = "This chat is no model but a chain of its own; set the temperature in there."


class PanelSettings:
    """The model, its tools, its temperature and what it is told first.

    What is set here is kept with the conversation; of a model its name, if it has one.

    Args:
        conversation: Where settings are kept.
        chat: Who answers, as in `ChatPanel`; None for the model that the conversation last had,
            or else the notebook's own.
        tools: What the model may call.

    Raises:
        ConfigurationError: If there is no such model, or it lacks a key or its weights.
        TypeError: If a tool is none that can be run here, or the chat can be none.
    """

    def __init__(
        self, conversation: PanelConversation, chat: Any, tools: Sequence[ToolLike]
    ) -> None:
        self._conversation = conversation
        self._tools = list(tools)
        kept = conversation.settings.get("model") if chat is None else None
        self._chat = answerer_of(kept if isinstance(kept, str) else chat)
        self.model = chat if isinstance(chat, str) else kept or name_of(self._chat)
        self._given = {self.model: self._chat}
        self.answerer(lambda call: True)

    @property
    def models(self) -> list[str]:
        """The names of the models that have answered here, and that can without more ado."""
        return list(dict.fromkeys([self.model, *self._given, *_at_hand()]))

    @property
    def system(self) -> str:
        """What the model is told first."""
        return str(self._conversation.settings.get("system") or "")

    @property
    def temperature(self) -> float | None:
        """How freely the model chooses its words; None for its own way."""
        return self._conversation.settings.get("temperature")

    @property
    def params(self) -> dict[str, Any]:
        """What the chat is called with."""
        temperature = self.temperature
        takes_it = chat_model_in(self._chat) is not None
        return {"temperature": temperature} if takes_it and temperature is not None else {}

    def answerer(self, approve: Approve) -> Runnable[Any, Any]:
        """What answers: the chat, with its tools if it has any.

        Args:
            approve: Is asked before each call.
        """
        return ToolLoop(self._chat, self._tools, approve=approve) if self._tools else self._chat

    def change(self, given: dict[str, Any]) -> None:
        """Change some settings; if one of them cannot be, none is.

        Args:
            given: `model`, `temperature` and `system`, as far as they change.

        Raises:
            ConfigurationError: If the model cannot be had, or takes no temperature.
        """
        model = given.get("model", self.model)
        chat = self._chat if model == self.model else self._given.get(model) or answerer_of(model)
        if given.get("temperature") is not None and chat_model_in(chat) is None:
            raise ConfigurationError(_NO_TEMPERATURE)
        kept = {name: given[name] for name in ("temperature", "system") if name in given}
        if "system" in kept:
            kept["system"] = kept["system"] or None
        if model != self.model:
            kept["model"] = model
        self._conversation.change_settings(**kept)
        self._chat, self.model = chat, model
        self._given[model] = chat

    def is_allowed(self, tool: str) -> bool:
        """Whether a tool may always be called in this conversation."""
        return not self._tools or tool in self._conversation.settings.get(_ALLOWED, ())

    def allow(self, tool: str) -> None:
        """Have a tool always be called in this conversation."""
        allowed = self._conversation.settings.get(_ALLOWED, ())
        self._conversation.change_settings(**{_ALLOWED: sorted({*allowed, tool})})


def _at_hand() -> list[str]:
    """Names of models that could answer as things are."""
    import os

    from chatnb.chat_models.weights import find_weights
    from chatnb.errors import MissingWeightsError

    keyed = {
        "OPENAI_API_KEY": "openai:gpt-4o-mini",
        "ANTHROPIC_API_KEY": "anthropic:claude-haiku-5-5",
    }
    names = [name for key, name in keyed.items() if os.environ.get(key)]
    try:
        find_weights()
    except MissingWeightsError:
        return names
    return [*names, "local:smollm2"]
