"""The model calls in a result, a log or a conversation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, cast

from chatnb.runnables.batches.checkpoint_calls import CheckpointCalls
from chatnb.schema.conversion import to_messages
from chatnb.schema.message_types import BaseMessage
from chatnb.schema.messages import AIMessage, HumanMessage
from chatnb.schema.model_call import ModelCall, call_from_reply, prompt_line
from chatnb.schema.results import Generation, LLMResult
from chatnb.schema.run_logs.log import RunLog
from chatnb.schema.run_logs.tree import RunRow, leaf_calls, run_rows

_MAX_IN_MEMORY = 10_000
_TAKES = (
    "Calls come from an LLMResult, a RunLog, a message, a conversation, "
    "something with `calls` such as a usage tracker, a list of these, or the path of a checkpoint"
)


def table_rows(source: object) -> Sequence[ModelCall]:
    """Return the calls in a source; those of a large checkpoint stay in its file."""
    if isinstance(source, str | Path):
        calls = CheckpointCalls(source)
        return calls if len(calls) > _MAX_IN_MEMORY else list(calls)
    return calls_from_source(source)


def calls_from_source(source: object) -> list[ModelCall]:
    """Return the calls of chat models in a source."""
    match source:
        case ModelCall():
            return [source]
        case BaseMessage():
            return _from_conversation([source])
        case RunLog():
            return _from_log(source)
        case LLMResult():
            return _from_result(source) if source.calls is None else list(source.calls)
        case list() | tuple():
            return _from_items(cast("Sequence[object]", source))
        case _:
            held: Any = getattr(source, "calls", getattr(source, "messages", None))
            if not isinstance(held, list | tuple):
                raise TypeError(f"{_TAKES}, not {type(source).__name__}: {source!r:.200}")
            return _from_items(cast("Sequence[object]", held))


def _from_items(items: Sequence[object]) -> list[ModelCall]:
    # Messages beside each other are a conversation.
    found = list[ModelCall]()
    for are_messages, some in groupby(items, lambda item: isinstance(item, BaseMessage)):
        if are_messages:
            found += _from_conversation(cast("Iterator[BaseMessage]", some))
            continue
        for item in some:
            found += calls_from_source(item)
    return found


def _from_conversation(messages: Sequence[BaseMessage] | Iterator[BaseMessage]) -> list[ModelCall]:
    found, prompt = list[ModelCall](), ""
    for message in messages:
        if isinstance(message, HumanMessage):
            prompt = prompt_line([message])
        if isinstance(message, AIMessage):
            found.append(call_from_reply(message, prompt=prompt))
    return found


def _from_result(result: LLMResult) -> list[ModelCall]:
    # The first candidate of a prompt has the tokens of all.
    model = _text((result.llm_output or {}).get("model_name"))
    messages = (some[0].message for some in result.generations if some)
    return [
        call_from_reply(message, model) if isinstance(message, AIMessage) else ModelCall(model)
        for message in messages
    ]


def _from_log(log: RunLog) -> list[ModelCall]:
    state, root = log.state, log.root
    calls = list[ModelCall]()
    for row in leaf_calls(run_rows(state, root)):
        entry: Any = {**state, **root} if row.key is None else state["logs"][row.key]
        calls.append(_call_from_entry(row, entry))
    return calls


def _call_from_entry(row: RunRow, entry: dict[str, Any]) -> ModelCall:
    metadata: dict[str, Any] = entry.get("metadata") or {}
    reply = _first_candidate(entry.get("final_output"))
    info: dict[str, Any] = reply.get("generation_info") or {}
    reply_metadata = _reply_metadata(reply.get("message"))
    return ModelCall(
        _text(metadata.get("ls_model_name")) or _text(reply_metadata.get("model_name")) or row.name,
        _text(metadata.get("ls_provider")),
        _prompt(entry.get("inputs")),
        row.usage,
        row.seconds,
        row.first_token_seconds,
        _text(info.get("finish_reason")) or _text(reply_metadata.get("finish_reason")) or None,
        reply_metadata.get("from_cache") is True,
        None if row.error is None else row.error["type"],
        entry.get("cost"),
    )


def _first_candidate(output: Any) -> dict[str, Any]:
    """Return the first generation of a logged output."""
    match output:
        case {"generations": [[{**candidate}, *_], *_]}:
            return cast("dict[str, Any]", candidate)
        case {"generations": [[Generation() as candidate, *_], *_]}:
            return vars(candidate)
        case {"output": BaseMessage() as message}:
            return {"message": message}
        case _:
            return {}


def _reply_metadata(message: object) -> dict[str, Any]:
    return message.response_metadata if isinstance(message, BaseMessage) else {}


def _prompt(inputs: Any) -> str:
    """Return the prompt of a logged input, which may be any value."""
    try:
        return prompt_line(to_messages(inputs))
    except (TypeError, ValueError):
        return ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
