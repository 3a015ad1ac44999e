"""A chat model call with its usage, and totals over calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import fsum
from types import MappingProxyType
from typing import Any

from chatnb.schema.message_types import AIMessage, BaseMessage, plain_text
from chatnb.schema.prices import get_price, warn_of_missing_price
from chatnb.schema.usage import UsageMetadata

_MAX_PROMPT = 500  # Characters: enough to recognise a prompt in a table.
# The names of token counts in tables, as `ModelCall.count` takes them.
COUNTS = ("input", "cached", "reasoning", "output", "total")


@dataclass
class ModelCall:
    """A call of a chat model, its usage and its cost; None stands for an unknown value.

    Args:
        model: The model's name, as the provider gave it.
        provider: The chat model's `provider`.
        prompt: The last message to the model, in one line of at most 500 characters.
        usage: The token usage of the call.
        seconds: The duration of the call.
        first_seconds: The time to the first token; None for a call that did not stream.
        finish_reason: The provider's finish reason.
        cached: Whether the reply came from a `ReplyCache` and cost nothing.
        error: The class name of the error of a failed call.
        given_cost: The cost in US dollars, where it has been recorded.
        queue_seconds: The time before the call that it waited in a batch or for a rate limiter.
        position: Where it stands among other calls; calls are sorted by it.
        replayed: Whether a cassette answered it, so that its times are those of the recording.

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
    queue_seconds: float | None = None
    position: tuple[int, ...] = field(default=(), compare=False, repr=False)
    replayed: bool = field(default=False, compare=False, repr=False)

    @cached_property
    def cost(self) -> float | None:
        """The cost in US dollars; None where the usage or the model's prices are not known."""
        cost = self.known_cost()
        if cost is None and self.usage is not None and self.error is None:
            warn_of_missing_price(self.provider, self.model)
        return cost

    def known_cost(self) -> float | None:
        """Return the cost without a warning where it is not known."""
        if self.given_cost is not None:
            return self.given_cost
        return get_price(self.provider, self.model, self.usage)

    def count(self, name: str) -> int | None:
        """Return a token count by its name in tables: one of COUNTS."""
        usage: Any = self.usage
        if usage is None:
            return None
        if name == "cached":
            return usage.get("input_token_details", {}).get("cached")
        if name == "reasoning":
            return usage.get("output_token_details", {}).get("reasoning")
        return usage[f"{name}_tokens"]


def call_from_reply(
    reply: AIMessage, model: str = "", provider: str = "", prompt: str = ""
) -> ModelCall:
    """Return the call that a reply came from, as far as its metadata say."""
    metadata = reply.response_metadata
    return ModelCall(
        _text(metadata.get("model_name")) or model,
        provider,
        prompt,
        reply.usage_metadata,
        finish_reason=_text(metadata.get("finish_reason")) or None,
        cached=metadata.get("from_cache") is True,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def prompt_line(messages: Sequence[BaseMessage]) -> str:
    """Return the last message to a model, in one line."""
    text = plain_text(messages[-1])[: 2 * _MAX_PROMPT] if messages else ""
    return " ".join(text.split())[:_MAX_PROMPT]


@dataclass(frozen=True)
class Sum:
    """A sum over calls, of which some have no known value."""

    known: float | None
    unknown: int = 0

    def __str__(self) -> str:
        if self.known is None:
            return ""
        return f"{self.known:,} + {self.unknown:,} unknown" if self.unknown else f"{self.known:,}"


@dataclass(frozen=True)
class CallTotals:
    """Totals over calls; means and sums leave out cached calls, means also failed ones."""

    calls: int
    failed: int
    from_cache: int
    tokens: MappingProxyType[str, Sum]
    cost: Sum
    seconds: float | None
    first_seconds: float | None
    queue_seconds: float | None


def get_tokens(call: ModelCall, name: str) -> int | None:
    """Return a token count of a call: 0 for a cached reply, None where it is not known."""
    return 0 if call.cached else call.count(name)


def get_cost(call: ModelCall) -> float | None:
    """Return the US dollars of a call: 0 for a cached reply, None where they are not known."""
    return 0.0 if call.cached else call.cost


def sum_calls(calls: Sequence[ModelCall]) -> CallTotals:
    """Return the totals of calls, in linear time."""
    made = [call for call in calls if not call.cached]
    succeeded = [call for call in made if call.error is None]
    return CallTotals(
        calls=len(calls),
        failed=sum(call.error is not None for call in calls),
        from_cache=len(calls) - len(made),
        tokens=MappingProxyType(
            {name: _sum([get_tokens(call, name) for call in made]) for name in COUNTS}
        ),
        cost=_sum([get_cost(call) for call in made]),
        seconds=_mean(call.seconds for call in succeeded),
        first_seconds=_mean(call.first_seconds for call in succeeded),
        queue_seconds=_mean(call.queue_seconds for call in succeeded),
    )


def group_by_model(calls: Iterable[ModelCall]) -> dict[str, list[ModelCall]]:
    """Group calls by model name, qualified by provider where two have a model of that name."""
    groups = dict[tuple[str, str], list[ModelCall]]()
    for call in calls:
        groups.setdefault((call.provider, call.model), []).append(call)
    names = qualified_names(groups)
    return {names[key]: group for key, group in groups.items()}


def qualified_names(models: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return a name for each provider and model: the model's, with the provider where needed."""
    known = list(models)
    shared = Counter(model for _, model in known)
    return {
        (provider, model): f"{provider}:{model}" if shared[model] > 1 else model
        for provider, model in known
    }


def _sum(values: Sequence[float | None]) -> Sum:
    known = [value for value in values if value is not None]
    unknown = len(values) - len(known)
    if unknown and not known:
        return Sum(None, unknown)
    whole = all(isinstance(value, int) for value in known)
    return Sum(sum(known) if whole else fsum(known), unknown)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fsum(known) / len(known) if known else None
