"""A run: one call of a runnable, from its start to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from chatnb.schema.run_state import RunFailure
from chatnb.schema.usage import UsageMetadata
from chatnb.tracing.failure import failure_of


@dataclass(frozen=True)
class Origin:
    """Where runs get their times and ids from.

    Args:
        now: Tells the time, in UTC.
        new_id: Makes an id.
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    new_id: Callable[[], str] = lambda: str(uuid4())


@dataclass(eq=False)
class Run:
    """What is known of a run by now; handlers read it and do not change it.

    Args:
        id: Its id.
        name: What the runnable is called.
        type: Its kind: `llm` (a chat model), `chain`, `prompt`, `parser` or `tool`.
        start_time: When it started, in UTC.
        parent: The run that started it.
        tags: The labels of the run and of those above it.
        metadata: The facts about the run and those above it.
        inputs: What it was given; None while that still streams in.
        output: What it gave: of a chat model an `LLMResult` as a dict, of anything else
            `{"output": value}`; of a run that broke off what had come, if anything.
        first_token_time: When a chat model said its first word.
        end_time: When it ended, in whatever way.
        usage_metadata: The tokens of a chat model's call.
        cost: What the call cost, in US dollars, where the price is known.
        inputs_came_late: Whether the inputs were not known yet when it started.
        error: Why it broke off.
        exception: The same, as it was raised.
    """

    id: str
    name: str
    type: str
    start_time: datetime
    parent: Run | None = None
    tags: list[str] = field(default_factory=list[str])
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    inputs: Any = None
    output: Any = None
    first_token_time: datetime | None = None
    end_time: datetime | None = None
    usage_metadata: UsageMetadata | None = None
    cost: float | None = None
    inputs_came_late: bool = False
    error: RunFailure | None = None
    exception: BaseException | None = None

    @property
    def parent_id(self) -> str | None:
        """The id of the run that started it."""
        return self.parent.id if self.parent else None

    def fail(self, exception: BaseException, end_time: datetime) -> None:
        """End the run as broken off.

        Args:
            exception: Why.
            end_time: When.
        """
        self.exception = exception
        self.end_time = end_time
        self.error = failure_of(exception)
