"""Conversion of a chat model's input to messages, and of messages to and from OpenAI's dicts.

Source: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias, TypeGuard, cast

from chatnb.langchain_objects import is_langchain, load_adapter
from chatnb.schema.content.blocks import calls_of, spoken_text
from chatnb.schema.content.openai_parts import (
    check_part_types,
    content_of_format,
    openai_content,
    without_tool_results,
)
from chatnb.schema.merging import Content
from chatnb.schema.message_types import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from chatnb.schema.prompt_values import PromptValue
from chatnb.schema.tool_calls import (
    CUSTOM_INPUT,
    InvalidToolCall,
    ToolCall,
    parse_tool_call,
    tool_call,
)

# The additional field of a system message whose role is `developer`; LangChain's name.
_DEVELOPER = "__openai_role__"
_OWN_FIELDS = {"role", "type", "content", "name", "tool_calls", "tool_call_id", "id"}
_SENT_BACK = ("function_call", "refusal")
_INSTEAD_OF_CONTENT = {"tool_calls", "function_call", "refusal", "audio"}


class SdkMessage(Protocol):
    """A message of an SDK: a Pydantic object with a role, such as `ChatCompletionMessage`."""

    @property
    def role(self) -> Any: ...
    @property
    def model_dump(self) -> Callable[..., dict[str, Any]]: ...


MessageLike: TypeAlias = BaseMessage | str | tuple[str, Content] | Mapping[str, Any] | SdkMessage
ChatInput: TypeAlias = str | BaseMessage | PromptValue | SdkMessage | Sequence[MessageLike]
_ACCEPTED = (
    "A chat model takes a string, a message, or a list of messages, "
    '("human", "text") pairs and {"role": "user", "content": "text"} dicts, or a prompt value'
)


def to_messages(value: ChatInput) -> list[BaseMessage]:
    """Convert a chat model's input to messages.

    Args:
        value: A string, a message, a prompt value, or a list of messages, pairs and dicts.
            Messages of the openai SDK and of LangChain are messages, too.

    Returns:
        A new list; items that are messages stay the same objects.

    Raises:
        TypeError: If the value or an item of it is none of these.
        ValueError: If a role is unknown, or a field that it requires is missing.

    Example:
        >>> to_messages([("system", "Be brief."), {"role": "user", "content": "Hi"}])
        [SystemMessage(content='Be brief.'), HumanMessage(content='Hi')]
    """
    if isinstance(value, str):
        return [HumanMessage(value)]
    if isinstance(value, BaseMessage):
        return [value]
    if isinstance(value, list):
        if isinstance(value, CheckedMessages) and (checked := value.take()) is not None:
            return checked
        return [item if isinstance(item, BaseMessage) else _message(item) for item in value]
    if _is_prompt_value(value):
        return list(value.to_messages())
    if not isinstance(value, Mapping) and (message := _foreign_message(value)) is not None:
        return [message]
    raise TypeError(f"{_ACCEPTED}, not {type(value).__name__}: {value!r}")


def _is_prompt_value(value: object) -> TypeGuard[PromptValue]:
    # `isinstance` of a protocol takes 2 µs, and each call of a chain asks.
    if isinstance(value, type):
        return False
    return hasattr(value, "to_messages") and hasattr(value, "to_string")


class CheckedMessages(list[BaseMessage]):
    """Messages that `to_messages` need not look at one by one, unless the list has been changed."""

    # To look at 40,000 objects takes milliseconds, to compare lists of the same objects does not.

    def __init__(self, *parts: Iterable[BaseMessage]) -> None:
        super().__init__()
        for messages in parts:
            self.extend(messages)
        self._checked: list[BaseMessage] | None = self.copy()

    def take(self) -> list[BaseMessage] | None:
        """Return the messages, the first time and if the list is as it was made."""
        checked, self._checked = self._checked, None
        return checked if checked == self else None


def _message(item: MessageLike) -> BaseMessage:
    if isinstance(item, str):
        return HumanMessage(item)
    match item:
        case (str(role), content):
            return _read({"role": role, "content": content})
        case {"role": str()} | {"type": str(), "content": _}:
            return _read(item)
        case _ if (message := _foreign_message(item)) is not None:
            return message
        case _:
            raise TypeError(f"{_ACCEPTED}; this item is none of them: {item!r}")


def _foreign_message(value: object) -> BaseMessage | None:
    """Return a message of the openai SDK or of LangChain as one of chatnb's, else None."""
    if is_langchain(value, "BaseMessage"):
        return load_adapter("messages", "message_from_langchain")(value)
    written = _fields(value)
    return _read({"content": "", **written}) if isinstance(written.get("role"), str) else None


def _fields(value: object) -> Mapping[str, Any]:
    """Return a dict as it is, a Pydantic object of an SDK as one, and nothing else."""
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value)
    dump = getattr(value, "model_dump", None)
    if dump is None or isinstance(value, type | BaseMessage):
        return {}
    return dump(exclude_none=True)


def _read(written: Mapping[str, Any]) -> BaseMessage:
    role = written.get("role") or written.get("type")
    if role not in READERS and written.get("type") != "chat":
        raise ValueError(f"Unknown role {role!r}. Known roles: {', '.join(READERS)}")
    return message_from_openai_dict(written)


def message_to_openai(message: BaseMessage) -> dict[str, Any]:
    """Convert a message to OpenAI's dict, which has no reasoning, usage, artifacts or reply ids."""
    written: dict[str, Any] = {
        "role": openai_role(message),
        "content": openai_content(message.content),
    }
    if message.name:
        written["name"] = message.name
    if isinstance(message, ToolMessage):
        written["tool_call_id"] = message.tool_call_id
    if isinstance(message, AIMessage):
        _write_calls(message, written)
    return written


def convert_to_openai_messages(
    messages: ChatInput | Mapping[str, Any],
    *,
    text_format: Literal["string", "block"] | None = None,
    include_id: bool = False,
    pass_through_unknown_blocks: bool = True,
) -> dict[str, Any] | list[dict[str, Any]]:
    """Convert messages to OpenAI's dicts.

    Args:
        messages: What a chat model takes, or one dict. Parts of messages may have OpenAI's,
            Anthropic's or LangChain's form.
        text_format: `string` joins the texts of a content that has nothing else; `block` makes a
            string a list of one text part; None leaves both as they are.
        include_id: True to keep the ids of messages, as `id`.
        pass_through_unknown_blocks: False to refuse parts of a form that OpenAI does not have.

    Returns:
        A dict for one message, string or dict; otherwise a list.

    Raises:
        TypeError: If it is none of these.
        ValueError: If OpenAI has no role for a message, or no form for a part; or if there is no
            such text format.

    Example:
        >>> convert_to_openai_messages([HumanMessage("Hi")])
        [{'role': 'user', 'content': 'Hi'}]
        >>> convert_to_openai_messages("Hi")
        {'role': 'user', 'content': 'Hi'}
        >>> convert_to_openai_messages("Hi", text_format="block")
        {'role': 'user', 'content': [{'type': 'text', 'text': 'Hi'}]}
    """
    if text_format not in (None, "string", "block"):
        raise ValueError(f"A text format is 'string' or 'block', not {text_format!r}")
    given = to_messages([messages] if isinstance(messages, Mapping) else messages)
    written = list[dict[str, Any]]()
    for message in without_tool_results(given):
        fields = message_to_openai(message)
        if not pass_through_unknown_blocks:
            check_part_types(fields["content"])
        fields["content"] = content_of_format(fields["content"], text_format)
        written.append({**fields, "id": message.id} if include_id and message.id else fields)
    is_single = not isinstance(messages, list | PromptValue)
    return written[0] if is_single and len(written) == 1 else written


def message_from_openai_dict(written: Mapping[str, Any]) -> BaseMessage:
    """Convert OpenAI's dict to a message; unknown fields go into `additional_kwargs`."""
    role = written.get("role") or written.get("type")
    if not isinstance(role, str):
        raise ValueError(f"A message needs a role, such as 'user': {dict(written)!r}")
    read = READERS.get(role)
    if read is None:
        return ChatMessage(_content(written), role=role, **_rest(written))
    return read(written)


def messages_from_openai_dicts(written: Iterable[Mapping[str, Any]]) -> list[BaseMessage]:
    """Convert OpenAI's dicts to messages.

    Args:
        written: Dicts with a role; an unknown role makes a ChatMessage.

    Returns:
        The messages; fields that a message does not have are in its `additional_kwargs`.

    Raises:
        ValueError: If a role or a field that the role requires is missing.
        TypeError: If a content is neither text nor parts.

    Example:
        >>> messages_from_openai_dicts([{"role": "user", "content": "Hi"}])
        [HumanMessage(content='Hi')]
    """
    return [message_from_openai_dict(message) for message in written]


def read_tool_calls(
    calls: Iterable[Mapping[str, Any]] | None, *, finished: bool
) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """Convert the tool calls of OpenAI's dict to valid and invalid calls."""
    valid, invalid = list[ToolCall](), list[InvalidToolCall]()
    if isinstance(calls, Mapping | str):
        raise TypeError(f"Tool calls are a list of dicts, not {calls!r:.80}")
    for given in calls or ():
        written = _fields(given)
        if not written:
            raise TypeError(f"A tool call is a dict, not {given!r:.80}")
        custom, function = (_part_of_call(written, name) for name in ("custom", "function"))
        if custom.get("name"):
            args = {CUSTOM_INPUT: custom.get("input") or ""}
            valid.append(tool_call(name=custom["name"], args=args, id=written.get("id")))
            continue
        args = function.get("arguments")
        if args is not None and not isinstance(args, str):
            args = json.dumps(args, ensure_ascii=False)
        call = parse_tool_call(function.get("name"), args, written.get("id"), finished=finished)
        if "error" in call:
            invalid.append(call)
        else:
            valid.append(call)
    return valid, invalid


def _part_of_call(call: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part: object = call.get(name) or {}
    if not isinstance(part, Mapping):
        raise TypeError(f"The {name} of a tool call is a dict, not {part!r:.80}")
    return cast("Mapping[str, Any]", part)


def openai_role(message: BaseMessage) -> str:
    """Return OpenAI's role of a message; raise ValueError if it has none."""
    match message:
        case HumanMessage():
            return "user"
        case AIMessage():
            return "assistant"
        case SystemMessage():
            return str(message.additional_kwargs.get(_DEVELOPER) or "system")
        case ToolMessage():
            return "tool"
        case FunctionMessage():
            return "function"
        case ChatMessage():
            return message.role
        case _:
            raise ValueError(f"OpenAI has no role for a {type(message).__name__}")


def _write_calls(message: AIMessage, written: dict[str, Any]) -> None:
    kwargs = message.additional_kwargs
    calls = [_written_call(call) for call in calls_of(message)]
    if calls or kwargs.get("tool_calls"):
        written["tool_calls"] = calls or kwargs["tool_calls"]
    written.update((name, kwargs[name]) for name in _SENT_BACK if kwargs.get(name))
    audio = cast("Mapping[str, Any]", kwargs.get("audio") or {})
    if audio.get("id"):
        written["audio"] = {"id": audio["id"]}
    elif not written["content"] and (spoken := spoken_text(message)):
        written["content"] = spoken
    if not written["content"]:
        stands_alone = written.keys().isdisjoint(_INSTEAD_OF_CONTENT)
        written["content"] = "" if stands_alone else None


def _written_call(call: ToolCall | InvalidToolCall) -> dict[str, Any]:
    args = call["args"]
    arguments = args if isinstance(args, str) else json.dumps(args or {}, ensure_ascii=False)
    function = {"name": call["name"] or "", "arguments": arguments}
    return {"type": "function", "id": call["id"], "function": function}


def _content(written: Mapping[str, Any]) -> Content:
    if "content" not in written:
        raise ValueError(f"A message needs content: {dict(written)!r}")
    return written["content"]


def _rest(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that messages of all roles have besides content, where they are given."""
    extra = {
        name: value
        for name, value in written.items()
        if name not in _OWN_FIELDS and value not in (None, [], {})
    }
    rest: dict[str, Any] = {"additional_kwargs": extra} if extra else {}
    rest.update((name, written[name]) for name in ("name", "id") if written.get(name))
    return rest


def _required(written: Mapping[str, Any], name: str) -> str:
    if not written.get(name):
        role = written.get("role") or written.get("type")
        raise ValueError(f"A message of the role {role!r} needs a {name}: {dict(written)!r}")
    return written[name]


def _read_human(written: Mapping[str, Any]) -> BaseMessage:
    return HumanMessage(_content(written), **_rest(written))


def _read_system(written: Mapping[str, Any]) -> BaseMessage:
    return SystemMessage(_content(written), **_rest(written))


def _read_developer(written: Mapping[str, Any]) -> BaseMessage:
    return _read_system({**written, _DEVELOPER: "developer"})


def _read_ai(written: Mapping[str, Any]) -> BaseMessage:
    rest = _rest(written)
    calls, invalid = read_tool_calls(written.get("tool_calls"), finished=True)
    needs_no_content = calls or invalid or rest.get("additional_kwargs")
    content = (written.get("content") or "") if needs_no_content else _content(written)
    return AIMessage(content, tool_calls=calls, invalid_tool_calls=invalid, **rest)


def _read_tool(written: Mapping[str, Any]) -> BaseMessage:
    id, rest = _required(written, "tool_call_id"), _rest(written)
    return ToolMessage(_content(written), tool_call_id=id, **rest)


def _read_function(written: Mapping[str, Any]) -> BaseMessage:
    _required(written, "name")
    return FunctionMessage(_content(written), **_rest(written))


def _read_chat(written: Mapping[str, Any]) -> BaseMessage:
    return ChatMessage(_content(written), role=written.get("role") or "chat", **_rest(written))


READERS: Mapping[str, Callable[[Mapping[str, Any]], BaseMessage]] = {
    "human": _read_human,
    "user": _read_human,
    "ai": _read_ai,
    "assistant": _read_ai,
    "system": _read_system,
    "developer": _read_developer,
    "function": _read_function,
    "tool": _read_tool,
    "chat": _read_chat,
}
