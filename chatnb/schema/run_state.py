"""What the log of a run has grown to: the run itself, and an entry for each run within it."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from chatnb.schema.usage import UsageMetadata


class RunFailure(TypedDict):
    """How a run broke off: `stopped` if it was cancelled, interrupted or closed by its reader."""

    type: str
    message: str
    traceback: str
    stopped: bool


class LogEntry(TypedDict):
    """A run within the logged one. Times are ISO 8601, in UTC; `type` is langchain's."""

    id: str
    name: str
    type: str
    tags: list[str]
    metadata: dict[str, Any]
    start_time: str
    streamed_output_str: list[str]
    final_output: Any
    end_time: str | None
    parent_id: NotRequired[str | None]
    inputs: NotRequired[Any]
    error: NotRequired[RunFailure | None]
    first_token_time: NotRequired[str | None]
    usage_metadata: NotRequired[UsageMetadata | None]
    cost: NotRequired[float]


class RunState(TypedDict):
    """The logged run; `error` is there only if it failed or was stopped."""

    id: str
    streamed_output: list[Any]
    final_output: Any
    logs: dict[str, LogEntry]
    error: NotRequired[RunFailure]


class RunRoot(TypedDict, total=False):
    """What is known of the logged run beside its state."""

    name: str
    type: str
    tags: list[str]
    metadata: dict[str, Any]
    start_time: str
    inputs: Any
    end_time: str | None
    first_token_time: str | None
    usage_metadata: UsageMetadata | None
    cost: float
