"""The calls of chat models that a result, a log or a conversation tells of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, cast

from chatnb.schema.base_message import BaseMessage
from chatnb.schema.coercion import to_messages
from chatnb.schema.messages import AIMessage, HumanMessage
from chatnb.schema.model_call import ModelCall, prompt_line
from chatnb.schema.outputs import Generation, LLMResult
from chatnb.schema.run_log import RunLog
from chatnb.schema.run_tree import RunRow, leaf_calls, run_rows

_TAKES = (
    "Calls are told by an LLMResult, a RunLog, a message, a conversation, "
    "something with `calls` such as a usage tracker, or a list of these"
)


def calls_of(source: object) -> list[ModelCall]:
    """List the calls of chat models that something tells of.

    Args:
        source: What `generate` gave; a log; a message or a conversation, which is a list of
            messages or has some as its `messages`; what has `calls`, such as a usage tracker; a
            call; or a list of any of these.

    Returns:
        One a call, in a new list. Of a log those that have no other call below them, since a run
        around another one tells the same tokens again; of a conversation one for each reply.

    Raises:
        TypeError: If the source, or an item of the list, is none of these.

    Example:
        >>> from chatnb.schema import AIMessage, HumanMessage
        >>> reply = AIMessage("Hello.", response_metadata={"model_name": "gpt-4o-mini"})
        >>> [(call.model, call.prompt) for call in calls_of([HumanMessage("Hi"), reply])]
        [('gpt-4o-mini', 'Hi')]
    """
    match source:
        case ModelCall():
            return [source]
        case BaseMessage():
            return _of_conversation([source])
        case RunLog():
            return _of_log(source)
        case LLMResult():
            return _of_result(source) if source.calls is None else list(source.calls)
        case list() | tuple():
            return _of_items(cast("Sequence[object]", source))
        case _:
            held: Any = getattr(source, "calls", getattr(source, "messages", None))
            if not isinstance(held, list | tuple):
                raise TypeError(f"{_TAKES}, not {type(source).__name__}: {source!r:.200}")
            return _of_items(cast("Sequence[object]", held))


def _of_items(items: Sequence[object]) -> list[ModelCall]:
    """Messages beside each other are a conversation."""
    found = list[ModelCall]()
    for are_messages, some in groupby(items, lambda item: isinstance(item, BaseMessage)):
        if are_messages:
            found += _of_conversation(cast("Iterator[BaseMessage]", some))
            continue
        for item in some:
            found += calls_of(item)
    return found


def _of_conversation(messages: Sequence[BaseMessage] | Iterator[BaseMessage]) -> list[ModelCall]:
    found, prompt = list[ModelCall](), ""
    for message in messages:
        if isinstance(message, HumanMessage):
            prompt = prompt_line([message])
        if isinstance(message, AIMessage):
            found.append(_replied(message, prompt))
    return found


def _of_result(result: LLMResult) -> list[ModelCall]:
    """A call a prompt: its first candidate tells of the tokens of all."""
    model = _text((result.llm_output or {}).get("model_name"))
    messages = (some[0].message for some in result.generations if some)
    return [
        _replied(message, "", model) if isinstance(message, AIMessage) else ModelCall(model)
        for message in messages
    ]


def _replied(message: AIMessage, prompt: str, model: str = "") -> ModelCall:
    metadata = message.response_metadata
    return ModelCall(
        _text(metadata.get("model_name")) or model,
        prompt=prompt,
        usage=message.usage_metadata,
        finish_reason=_text(metadata.get("finish_reason")) or None,
        cached=metadata.get("from_cache") is True,
    )


def _of_log(log: RunLog) -> list[ModelCall]:
    state, root = log.state, log.root
    calls = list[ModelCall]()
    for row in leaf_calls(run_rows(state, root)):
        entry: Any = {**state, **root} if row.key is None else state["logs"][row.key]
        calls.append(_logged(row, entry))
    return calls


def _logged(row: RunRow, entry: dict[str, Any]) -> ModelCall:
    about: dict[str, Any] = entry.get("metadata") or {}
    said = _first_candidate(entry.get("final_output"))
    info: dict[str, Any] = said.get("generation_info") or {}
    metadata = _metadata_of(said.get("message"))
    return ModelCall(
        _text(about.get("ls_model_name")) or _text(metadata.get("model_name")) or row.name,
        _text(about.get("ls_provider")),
        _prompt_of(entry.get("inputs")),
        row.usage,
        _seconds(row.start, row.end),
        _seconds(row.start, row.first_token),
        _text(info.get("finish_reason")) or _text(metadata.get("finish_reason")) or None,
        metadata.get("from_cache") is True,
        None if row.error is None else row.error["type"],
        entry.get("cost"),
    )


def _first_candidate(output: Any) -> dict[str, Any]:
    """The first generation of a logged `LLMResult`, or what another handler's output says."""
    match output:
        case {"generations": [[{**candidate}, *_], *_]}:
            return cast("dict[str, Any]", candidate)
        case {"generations": [[Generation() as candidate, *_], *_]}:
            return vars(candidate)
        case {"output": BaseMessage() as message}:
            return {"message": message}
        case _:
            return {}


def _metadata_of(message: object) -> dict[str, Any]:
    return message.response_metadata if isinstance(message, BaseMessage) else {}


def _prompt_of(inputs: Any) -> str:
    """The prompt of a logged input, which may be anything that a model of any make takes."""
    try:
        return prompt_line(to_messages(inputs))
    except (TypeError, ValueError):
        return ""


def _seconds(start: str | None, end: str | None) -> float | None:
    if start is None or end is None:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
