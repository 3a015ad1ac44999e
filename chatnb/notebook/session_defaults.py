"""What cells ask with where their %%chat line says nothing: what `%chat use` and `config` set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chatnb.chat_models import BaseChatModel
from chatnb.schema.messages import BaseMessage, SystemMessage

_MOST_SHOWN = 60


@dataclass
class SessionDefaults:
    """The settings of a session; None leaves a matter to the model.

    Args:
        model: Who answers.
        model_as_typed: What it was called when it was chosen.
        system: What the model is told first, in conversations that say nothing else.
        temperature: 0 for the likeliest words, up to 2 for others.
        max_tokens: The most tokens to answer with.

    Example:
        >>> SessionDefaults(temperature=0.2).params({"temperature": None, "max_tokens": 7})
        {'temperature': 0.2, 'max_tokens': 7}
    """

    model: BaseChatModel | None = None
    model_as_typed: str | None = None
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None

    def use(self, model: BaseChatModel, as_typed: str) -> None:
        """Choose who answers from now on."""
        self.model, self.model_as_typed = model, as_typed

    def told(self, messages: Sequence[BaseMessage]) -> list[BaseMessage]:
        """A conversation with the session's system prompt, unless it has one of its own.

        Example:
            >>> SessionDefaults(system="Be brief.").told([])
            [SystemMessage(content='Be brief.')]
        """
        has_its_own = bool(messages) and isinstance(messages[0], SystemMessage)
        if self.system and not has_its_own:
            return [SystemMessage(self.system), *messages]
        return list(messages)

    def params(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of a call: the cell's own, else the session's; those that are set.

        Args:
            asked: The cell's, by name; None where it says nothing.
        """
        settled = {
            name: getattr(self, name) if value is None else value for name, value in asked.items()
        }
        return {name: value for name, value in settled.items() if value is not None}

    def shown(self) -> str:
        """One line a setting.

        Example:
            >>> print(SessionDefaults(system="Be brief.").shown())
            model        OpenAI if OPENAI_API_KEY is set, else the embedded model
            system       'Be brief.'
            temperature  the model's own
            max_tokens   the model's own
        """
        system = "none" if self.system is None else f"{self.system!r:.{_MOST_SHOWN}}"
        automatic = "OpenAI if OPENAI_API_KEY is set, else the embedded model"
        rows = {
            "model": self.model_as_typed or automatic,
            "system": system,
            "temperature": "the model's own" if self.temperature is None else self.temperature,
            "max_tokens": "the model's own" if self.max_tokens is None else self.max_tokens,
        }
        return "\n".join(f"{name:11}  {value}" for name, value in rows.items())
