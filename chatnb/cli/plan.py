"""`python -m chatnb plan`: the time and cost of a run of many prompts, with the arithmetic."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatnb.chat_models.batch_jobs import PRICE, PROVIDERS
from chatnb.chat_models.model_families import DEFAULT_MODELS
from chatnb.errors import ConfigurationError
from chatnb.runnables.batches.batch import DEFAULT_CONCURRENCY
from chatnb.schema.prices import get_price
from chatnb.schema.usage import UsageMetadata
from chatnb.terminal import print_line

if TYPE_CHECKING:
    from argparse import _SubParsersAction  # pyright: ignore[reportPrivateUsage]

# Measured with a server on loopback: the work of this package and the SDK for one call.
_SECONDS_OF_WORK = 0.003
_BYTES_PER_REPLY = 700  # In a checkpoint, beside the text itself.
_BYTES_PER_TOKEN = 4


@dataclass(frozen=True)
class Plan:
    """A run of many prompts."""

    prompts: int
    model: str
    rpm: float | None
    tpm: float | None
    workers: int
    concurrency: int
    seconds: float
    input_tokens: int
    output_tokens: int

    def rates(self) -> dict[str, float]:
        """Return the most calls a second that each limit allows."""
        rates = {
            f"calls at a time: {self.workers:,} x {self.concurrency:,} / {self.seconds:g} s": (
                self.workers * self.concurrency / self.seconds
            ),
            f"work of {self.workers:,} processes: {self.workers:,} / {_SECONDS_OF_WORK:g} s": (
                self.workers / _SECONDS_OF_WORK
            ),
        }
        if self.rpm is not None:
            rates[f"requests a minute: {self.rpm:,.0f} / 60 s"] = self.rpm / 60
        if self.tpm is not None:
            tokens = self.input_tokens + self.output_tokens
            rates[f"tokens a minute: {self.tpm:,.0f} / 60 s / {tokens:,}"] = self.tpm / 60 / tokens
        return rates

    def lines(self) -> Iterator[str]:
        """Yield the arithmetic, line by line."""
        rates = self.rates()
        slowest = min(rates, key=lambda name: rates[name])
        yield "Calls a second:"
        for name, rate in rates.items():
            yield f"  {name} = {rate:,.1f}{'  <- the limit' if name == slowest else ''}"
        seconds = self.prompts / rates[slowest]
        yield f"Time: {self.prompts:,} / {rates[slowest]:,.1f} a second = {_duration(seconds)}"
        yield from self._cost()
        size = self.prompts * (_BYTES_PER_REPLY + _BYTES_PER_TOKEN * self.output_tokens)
        yield f"Checkpoint: {self.prompts:,} replies = {size / 1e9:,.1f} GB"

    def _cost(self) -> Iterator[str]:
        provider, _, name = self.model.partition(":")
        usage = UsageMetadata(
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            total_tokens=self.input_tokens + self.output_tokens,
        )
        price = get_price(provider, name, usage)
        tokens = f"{self.input_tokens:,} tokens in, {self.output_tokens:,} out"
        if price is None:
            yield f"Cost: the price of {self.model} is not known ({tokens} a call)"
            return
        cost = self.prompts * price
        yield f"Cost: {self.prompts:,} x ${price:.7f} ({tokens}, {self.model}) = ${cost:,.2f}"
        if provider in PROVIDERS:
            yield f"Batch API (chat.submit): {PRICE:g} x ${cost:,.2f} = ${PRICE * cost:,.2f}"


def add_to(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the command line."""
    parser = commands.add_parser(
        "plan",
        help="estimate the time and cost of many prompts",
        description="Estimate what a run of many prompts takes and costs, with the arithmetic.",
    )
    parser.add_argument("--prompts", type=_count, required=True, help="the number of prompts")
    parser.add_argument(
        "--model",
        default=f"openai:{DEFAULT_MODELS['openai']}",
        help="PROVIDER:MODEL (default: %(default)s)",
    )
    parser.add_argument("--rpm", type=_number, help="the provider's limit of requests a minute")
    parser.add_argument("--tpm", type=_number, help="the provider's limit of tokens a minute")
    parser.add_argument("--workers", type=_count, default=1, help="processes (default: 1)")
    parser.add_argument(
        "--concurrency",
        type=_count,
        default=DEFAULT_CONCURRENCY,
        help="calls at a time of each process (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds", type=_number, default=2.0, help="seconds of a call (default: %(default)s)"
    )
    parser.add_argument(
        "--input-tokens", type=_count, default=300, help="of a prompt (default: %(default)s)"
    )
    parser.add_argument(
        "--output-tokens", type=_count, default=100, help="of a reply (default: %(default)s)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the plan."""
    if ":" not in options.model:
        raise ConfigurationError(f"--model takes PROVIDER:MODEL, not {options.model!r}")
    names = Plan.__dataclass_fields__
    plan = Plan(**{name: getattr(options, name) for name in names})
    print_line("\n".join(plan.lines()))
    return 0


def _count(text: str) -> int:
    number = int(text.replace(",", ""))  # `int` takes 10_000_000, too.
    if number < 1:
        raise ValueError(text)
    return number


def _number(text: str) -> float:
    number = float(text.replace(",", ""))
    if not 0 < number < float("inf"):
        raise ValueError(text)
    return number


def _duration(seconds: float) -> str:
    units = (("days", 86_400), ("hours", 3_600), ("minutes", 60))
    for name, size in units:
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {name}"
    return f"{seconds:,.0f} seconds"
