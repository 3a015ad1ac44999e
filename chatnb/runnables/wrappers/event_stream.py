"""Stream the events of a run and of those below it, as LangChain's `astream_events` v2 does."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import fields
from datetime import datetime
from typing import Any

from chatnb.runnables.config import RunnableConfig
from chatnb.runnables.log_stream import LogFeed, stream_feed
from chatnb.schema.conversion import to_messages
from chatnb.tracing.log_writer import Selection
from chatnb.tracing.run import Run

# The name of a run's type in events; other types are chains.
_NAMES = {"llm": "chat_model", "prompt": "prompt", "parser": "parser", "tool": "tool"}
_STREAMING = ("chain", "chat_model", "parser")


async def stream_events(
    astream: Callable[..., AsyncGenerator[Any, None]],
    input: Any,
    config: RunnableConfig | None,
    kwargs: dict[str, Any],
) -> AsyncGenerator[dict[str, Any], None]:
    """Start a run and yield its events; raise its exception after them."""
    chosen: dict[str, Any] = {field.name: kwargs.get(field.name) for field in fields(Selection)}
    kwargs = {name: value for name, value in kwargs.items() if name not in chosen}
    for types in ("include_types", "exclude_types"):
        if chosen[types] is not None:
            chosen[types] = ["llm" if name == "chat_model" else name for name in chosen[types]]
    selection = Selection(**chosen)

    def source(own: RunnableConfig) -> AsyncGenerator[Any, None]:
        return astream(input, own, **kwargs)

    feed = stream_feed(source, config, lambda run_id: EventFeed(EventWriter(run_id, selection)))
    async with aclosing(feed) as events:
        async for event in events:
            yield event


class EventWriter:
    """The events of one run and of those below it, without I/O."""

    def __init__(self, root_id: str, selection: Selection) -> None:
        self._root_id = root_id
        self._selection = selection
        self._included = dict[str, bool]()

    def has_entry(self, run: Run) -> bool:
        """Return whether events of a started run are included."""
        return self._included.get(run.id, False)

    def start(self, run: Run) -> dict[str, Any] | None:
        """Return the event of a run's start."""
        included = self._selection.includes(run.name, run.type, run.tags)
        self._included[run.id] = included
        return self._event(run, "start", {} if run.inputs is None else {"input": _input(run)})

    def chunk(self, run: Run, chunk: Any) -> dict[str, Any] | None:
        """Return the event of a chunk of a run's output."""
        if _type_name(run) not in _STREAMING:
            return None
        return self._event(run, "stream", {"chunk": chunk})

    def token(self, run: Run, text: str, time: datetime) -> None:
        """Do nothing: chunks of chat models are events already."""

    def end(self, run: Run) -> dict[str, Any] | None:
        """Return the event of a run's end or failure."""
        # As in LangChain, the caller has the input of the outermost run.
        data = {} if run.id == self._root_id else {"input": _input(run)}
        if run.exception is not None:
            return self._event(run, "error", {"error": run.exception, **data})
        return self._event(run, "end", {"output": _output(run), **data})

    def _event(self, run: Run, event: str, data: dict[str, Any]) -> dict[str, Any] | None:
        if not self.has_entry(run):
            return None
        parents, above = list[str](), run.parent
        while above is not None and run.id != self._root_id:
            parents.insert(0, above.id)
            above = above.parent if above.id != self._root_id else None
        return {
            "event": f"on_{_type_name(run)}_{event}",
            "data": data,
            "name": run.name,
            "run_id": run.id,
            "tags": list(run.tags),
            "metadata": dict(run.metadata),
            "parent_ids": parents,
        }


class EventFeed(LogFeed[dict[str, Any]]):
    """A handler that posts the events of one run to a reader on an event loop."""

    _writer: EventWriter

    def ignores_tokens_of(self, run: Run) -> bool:
        """Return True: a token is a chunk, which `on_chunk` has posted."""
        return True

    def on_chunk(self, run: Run, chunk: Any) -> None:
        with self._lock:
            self._post(self._writer.chunk(run, chunk))

    def add_output(self, chunk: Any) -> None:
        """Do nothing: a chunk of the outermost run is an event like one of any run."""


def _type_name(run: Run) -> str:
    return _NAMES.get(run.type, "chain")


def _input(run: Run) -> Any:
    if run.type != "llm":
        return run.inputs
    try:
        return {"messages": [to_messages(run.inputs)]}
    except (TypeError, ValueError):  # The run fails for it.
        return run.inputs


def _output(run: Run) -> Any:
    output: dict[str, Any] = run.output or {}
    if run.type == "llm" and output.get("generations"):
        return output["generations"][0][0]["message"]
    return output.get("output")
