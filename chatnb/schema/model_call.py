"""One call of a chat model, with all that is known of what it took: a row of a usage table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from chatnb.schema.base_message import BaseMessage
from chatnb.schema.prices import price_of
from chatnb.schema.usage import UsageMetadata

_LONGEST_PROMPT = 500
"""The most characters of a prompt that are kept: enough to know it again in a table."""


@dataclass
class ModelCall:
    """A call of a chat model and its cost; None stands for what is not known.

    Args:
        model: The model's name, as the provider gave it.
        provider: Whose model it is, as chat models' `provider` says.
        prompt: The last thing that was said to it, in one line of at most 500 characters.
        usage: The tokens of the call.
        seconds: From the call to its end.
        first_seconds: From the call to the first text; None where it did not stream.
        finish_reason: Why the model stopped.
        cached: Whether the reply came from a `ReplyCache`, and cost nothing.
        error: The name of what it failed with.
        given_cost: What it cost in US dollars, where that was worked out before.

    Example:
        >>> tokens = {"input_tokens": 1_000_000, "output_tokens": 0, "total_tokens": 1_000_000}
        >>> ModelCall("gpt-4o-mini", "openai", usage=tokens).cost
        0.15
    """

    model: str
    provider: str = ""
    prompt: str = ""
    usage: UsageMetadata | None = None
    seconds: float | None = None
    first_seconds: float | None = None
    finish_reason: str | None = None
    cached: bool = False
    error: str | None = None
    given_cost: float | None = None

    @cached_property
    def cost(self) -> float | None:
        """US dollars; None where the tokens or the model's prices are not known."""
        if self.given_cost is not None:
            return self.given_cost
        return price_of(self.provider, self.model, self.usage)

    def count(self, name: str) -> int | None:
        """A count of tokens by its name in tables.

        Args:
            name: `input`, `cached`, `reasoning`, `output` or `total`.

        Returns:
            The tokens; None where they are not known, and 0 details only where they were told.

        Example:
            >>> tokens = {"input_tokens": 3, "output_tokens": 1, "total_tokens": 4}
            >>> call = ModelCall("m", usage=tokens)
            >>> call.count("total"), call.count("reasoning")
            (4, None)
        """
        usage: Any = self.usage
        if usage is None:
            return None
        if name == "cached":
            return usage.get("input_token_details", {}).get("cached")
        if name == "reasoning":
            return usage.get("output_token_details", {}).get("reasoning")
        return usage[f"{name}_tokens"]


def prompt_line(messages: Sequence[BaseMessage]) -> str:
    """The last thing that was said to a model, in one line.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> prompt_line([HumanMessage("What is\\na cell?")])
        'What is a cell?'
    """
    text = messages[-1].text[: 2 * _LONGEST_PROMPT] if messages else ""
    return " ".join(text.split())[:_LONGEST_PROMPT]
