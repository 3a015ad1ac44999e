"""A stream that is closed on a thread that is in a handler: the collector does that anywhere."""

# The collector comes at an allocation. For it to come at a certain one, hashes close streams here.

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from chatnb.chat_models import ScriptedChatModel
from chatnb.runnables import Runnable
from chatnb.schema.model_call import ModelCall
from chatnb.tracing import JSONLHandler, OpenTelemetryHandler, Run
from chatnb.tracing.usage_tracking import budget

_open = list[Any]()


class Numbers(Runnable[str, str]):
    def stream(self, input: str, config: Any = None, **kwargs: Any) -> Iterator[str]:
        yield from "abc"


class CollectingRun(Run):
    def __hash__(self) -> int:
        close_streams()
        return id(self)


class CollectingName(str):
    __slots__ = ()

    def __hash__(self) -> int:
        close_streams()
        return super().__hash__()


def open_stream(chunks: Any) -> None:
    next(chunks)
    _open.append(chunks)


def close_streams() -> None:
    while _open:
        _open.pop().close()


def ends(work: Callable[[], None]) -> bool:
    """Return whether the work ends; it would hang for ever."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(60)
    return not thread.is_alive()


@pytest.mark.parametrize("kind", ["jsonl", "opentelemetry"])
def test_a_stream_is_collected_while_its_handler_works(kind: str, tmp_path: Path) -> None:
    """The end of the run reaches the handler that its thread is in."""
    path = tmp_path / "runs.jsonl"
    handler: Any = JSONLHandler(path) if kind == "jsonl" else OpenTelemetryHandler(TracerProvider())
    open_stream(Numbers().stream("x", {"callbacks": [handler]}))
    run = CollectingRun("r", "other", "chain", datetime.now(UTC))
    assert ends(lambda: handler.on_start(run))
    assert not _open
    if kind == "jsonl":
        handler.close()
        assert [line[:16] for line in path.read_text().splitlines()] == [
            '{"event":"start"', '{"event":"error"', '{"event":"start"',
        ]  # fmt: skip


def test_a_stream_is_collected_while_a_budget_counts() -> None:
    """The call that is stopped so is counted, too."""
    with budget(tokens=10**9) as allowed:
        open_stream(ScriptedChatModel([["Hel", "lo."]], usage=[{
            "input_tokens": 3, "output_tokens": 2, "total_tokens": 5,
        }]).stream("Hi"))  # fmt: skip
        call = ModelCall(CollectingName("m"), "scripted", "Hi")
        assert ends(lambda: allowed.record(call))
    assert not _open
