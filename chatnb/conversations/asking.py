"""What of a conversation is put to a model: what providers accept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chatnb.schema.messages import AIMessage, BaseMessage, ToolMessage

_NOT_RUN = "This call was not run: the reply was stopped."


def acceptable(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Messages without what providers refuse: empty replies, and calls without a result.

    Args:
        messages: What was said, in order.

    Returns:
        A new list; a call that was never answered gets a result that says so.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> acceptable([HumanMessage("Hi"), AIMessage("")])
        [HumanMessage(content='Hi')]
    """
    answered = {said.tool_call_id for said in messages if isinstance(said, ToolMessage)}
    kept = list[BaseMessage]()
    for message in messages:
        if not isinstance(message, AIMessage):
            kept.append(message)
        elif message.content or message.tool_calls:
            kept += [message, *_missing_results(message, answered)]
    return kept


def _missing_results(message: AIMessage, answered: Iterable[str]) -> list[ToolMessage]:
    ids = [call.get("id") or "" for call in message.tool_calls]
    return [
        ToolMessage(_NOT_RUN, tool_call_id=id, status="error") for id in ids if id not in answered
    ]
