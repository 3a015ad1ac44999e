"""The model calls of a checkpoint, read page by page, and their totals, which SQLite adds up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, overload

from chatnb.runnables.batches.checkpoint import CHECKPOINT_FORMAT, PROVIDER_FIELD
from chatnb.schema.model_call import COUNTS, CallTotals, ModelCall, Sum
from chatnb.schema.prices import get_price
from chatnb.schema.serialization import is_usage
from chatnb.store.database import DamagedRowError, Database

_PAGE = 1_000
_DATA = "json_extract(text, '$[0].data.{}')"
_MODEL = f"coalesce({_DATA.format('response_metadata.model_name')}, '')"
_PROVIDER = f"coalesce({_DATA.format('response_metadata.' + PROVIDER_FIELD)}, '')"
_FINISH = _DATA.format("response_metadata.finish_reason")
_USAGE = _DATA.format("usage_metadata")
_TOKENS = {
    "input": "usage_metadata.input_tokens",
    "cached": "usage_metadata.input_token_details.cached",
    "reasoning": "usage_metadata.output_token_details.reasoning",
    "output": "usage_metadata.output_tokens",
    "total": "usage_metadata.total_tokens",
}
_CALL = f"SELECT key, nth, {_MODEL}, {_PROVIDER}, {_FINISH}, {_USAGE} FROM answers"
_IN_ORDER = "ORDER BY key, nth LIMIT ?"
_SUMS = ", ".join(f"sum({name}), count({name})" for name in (*COUNTS, "cost"))
_GROUPS = f"""
    SELECT model, provider, count(*), max(finish), min(nullif(cost, 0)), {_SUMS} FROM (
        SELECT {_MODEL} AS model, {_PROVIDER} AS provider, {_FINISH} AS finish,
        {", ".join(f"{_DATA.format(_TOKENS[name])} AS {name}" for name in COUNTS)},
        call_cost({_PROVIDER}, {_MODEL}, {_USAGE}) AS cost FROM answers
        LIMIT -1  -- So that SQLite computes each value once, and not in each sum.
    ) GROUP BY model, provider"""


@dataclass(frozen=True)
class CallGroup:
    """The totals of the calls of one model and provider."""

    model: str
    provider: str
    calls: int
    finish_reason: str | None
    """That of one of the calls; None if none has any."""
    lowest_cost: float | None
    """In US dollars, of the calls that cost something."""
    tokens: dict[str, Sum]
    cost: Sum


class CheckpointCalls(Sequence[ModelCall]):
    """The calls whose replies a checkpoint holds, of which a page is in memory at a time.

    They are in the order of the file, and have neither prompts nor times, which are not kept.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ConfigurationError: If it is no checkpoint, or cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        if not Path(path).exists():
            raise FileNotFoundError(f"There is no checkpoint {str(path)!r}")
        self._database = Database(path, CHECKPOINT_FORMAT)
        [(self._length,)] = self._database.read("SELECT count(*) FROM answers")

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[ModelCall]:
        rows = self._database.read(f"{_CALL} {_IN_ORDER}", _PAGE)
        while rows:
            yield from map(self._call, rows)
            after = f"{_CALL} WHERE (key, nth) > (?, ?) {_IN_ORDER}"
            rows = self._database.read(after, *rows[-1][:2], _PAGE)

    @overload
    def __getitem__(self, index: int) -> ModelCall: ...
    @overload
    def __getitem__(self, index: slice) -> list[ModelCall]: ...
    def __getitem__(self, index: int | slice) -> ModelCall | list[ModelCall]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                return [self[number] for number in range(start, stop, step)]
            query = f"{_CALL} {_IN_ORDER} OFFSET ?"
            rows = self._database.read(query, max(0, stop - start), start)
            return [self._call(row) for row in rows]
        number = range(len(self))[index]
        return self[number : number + 1][0]

    @cached_property
    def groups(self) -> list[CallGroup]:
        """The totals of each model and provider."""
        rows = self._database.read_with({"call_cost": _cost}, _GROUPS)
        return [_group(row) for row in rows]

    @property
    def totals(self) -> CallTotals:
        """The totals of all calls."""
        return sum_groups(self.groups)

    def _call(self, row: tuple[Any, ...]) -> ModelCall:
        model, provider, finish_reason, usage = row[2:]
        try:
            return ModelCall(model, provider, "", _usage(usage), finish_reason=finish_reason)
        except DamagedRowError as error:
            raise self._database.error(error) from error


def sum_groups(groups: Sequence[CallGroup]) -> CallTotals:
    """Return the totals of groups of calls."""
    return CallTotals(
        calls=sum(group.calls for group in groups),
        failed=0,
        from_cache=0,
        tokens=MappingProxyType(
            {name: _add([group.tokens[name] for group in groups]) for name in COUNTS}
        ),
        cost=_add([group.cost for group in groups]),
        seconds=None,
        first_seconds=None,
        queue_seconds=None,
    )


def _add(sums: Sequence[Sum]) -> Sum:
    known = [one.known for one in sums if one.known is not None]
    unknown = sum(one.unknown for one in sums)
    return Sum(sum(known) if known or not unknown else None, unknown)


def _group(row: tuple[Any, ...]) -> CallGroup:
    model, provider, calls, finish_reason, lowest, *pairs = row
    sums = [Sum(total, calls - known) for total, known in zip(pairs[::2], pairs[1::2], strict=True)]
    tokens: dict[str, Sum] = dict(zip(COUNTS, sums, strict=False))
    return CallGroup(model, provider, calls, finish_reason, lowest, tokens, sums[-1])


def _cost(provider: str, model: str, usage: str | None) -> float | None:
    return get_price(provider, model, _usage(usage))


def _usage(text: str | None) -> Any:
    usage = None if text is None else json.loads(text)
    if usage is not None and not is_usage(usage):
        raise DamagedRowError(f"{usage!r:.80} is no token usage")
    return usage
