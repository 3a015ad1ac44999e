"""A message for each role in a conversation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from chatnb.schema.base_message import BaseMessage
from chatnb.schema.tool_calls import InvalidToolCall, ToolCall, invalid_tool_call, tool_call
from chatnb.schema.usage import UsageMetadata


def no_calls() -> list[ToolCall]:
    """No calls to begin with."""
    return []


def no_invalid_calls() -> list[InvalidToolCall]:
    """No invalid calls to begin with."""
    return []


@dataclass(repr=False)
class HumanMessage(BaseMessage):
    """What the user says.

    Example:
        >>> HumanMessage("What is a notebook?")
        HumanMessage(content='What is a notebook?')
    """

    type: ClassVar[str] = "human"


@dataclass(repr=False)
class SystemMessage(BaseMessage):
    """What the model is told before the conversation.

    Example:
        >>> SystemMessage(content="You're brief.")
        SystemMessage(content="You're brief.")
    """

    type: ClassVar[str] = "system"


@dataclass(repr=False)
class AIMessage(BaseMessage):
    """What the model says.

    Args:
        usage_metadata: The tokens that the call took, where the provider says.
        tool_calls: The calls that the model asks for.
        invalid_tool_calls: Calls that cannot be made, such as truncated ones.

    Raises:
        TypeError: If a tool call's arguments are not a dict.
        ValueError: If a tool call has no name or no arguments.

    Example:
        >>> AIMessage("Hello.", id="a1")
        AIMessage(content='Hello.')
    """

    type: ClassVar[str] = "ai"

    usage_metadata: UsageMetadata | None = field(default=None, kw_only=True, repr=False)
    tool_calls: list[ToolCall] = field(default_factory=no_calls, kw_only=True)
    invalid_tool_calls: list[InvalidToolCall] = field(
        default_factory=no_invalid_calls, kw_only=True
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tool_calls:
            self.tool_calls = [_checked_call(call) for call in self.tool_calls]
        if self.invalid_tool_calls:
            self.invalid_tool_calls = [_checked_invalid(call) for call in self.invalid_tool_calls]

    @property
    def reasoning(self) -> str:
        """What the model thought before it answered, where the provider shows it."""
        return self.additional_kwargs.get("reasoning_content") or ""

    def _body(self) -> list[str]:
        lines = super()._body()
        for call in self.tool_calls:
            lines.append(f"Tool call: {call['name']} ({call.get('id')})")
            lines += [f"  {name}: {value}" for name, value in call["args"].items()]
        for call in self.invalid_tool_calls:
            lines.append(f"Invalid tool call: {call.get('name')} ({call.get('id')})")
            lines.append(f"  {call.get('error') or call.get('args')}")
        return lines


def _checked_call(call: ToolCall) -> ToolCall:
    if not isinstance(call, dict) or not {"name", "args"} <= call.keys():  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"A tool call is a dict with a name and args, not {call!r}")
    return tool_call(name=call["name"], args=call["args"], id=call.get("id"))


def _checked_invalid(call: InvalidToolCall) -> InvalidToolCall:
    if not isinstance(call, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError(f"An invalid tool call is a dict, not {call!r}")
    return invalid_tool_call(
        name=call.get("name"), args=call.get("args"), id=call.get("id"), error=call.get("error")
    )


@dataclass(repr=False)
class FunctionMessage(BaseMessage):
    """What a function answered, in the protocol that tools replaced.

    Args:
        name: The function.

    Example:
        >>> FunctionMessage("4", name="add")
        FunctionMessage(content='4', name='add')
    """

    type: ClassVar[str] = "function"

    name: str = field(kw_only=True)  # pyright: ignore[reportIncompatibleVariableOverride]

    def __post_init__(self) -> None:
        super().__post_init__()
        _need_text(self, "name", self.name)


@dataclass(repr=False)
class ToolMessage(BaseMessage):
    """What a tool answered.

    Args:
        tool_call_id: The id of the call that this answers.
        status: `success`, or `error` if the tool failed.
        artifact: What the tool made beyond what the model is told.

    Raises:
        TypeError: If the id of the call is no string.
        ValueError: If the status is neither.

    Example:
        >>> ToolMessage("4", tool_call_id="c1")
        ToolMessage(content='4', tool_call_id='c1')
    """

    type: ClassVar[str] = "tool"

    tool_call_id: str = field(kw_only=True)
    status: Literal["success", "error"] = field(default="success", kw_only=True)
    artifact: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        _need_text(self, "tool_call_id", self.tool_call_id)
        if self.status not in ("success", "error"):
            raise ValueError(f"A tool's status is 'success' or 'error', not {self.status!r}")

    def _introduction(self) -> list[str]:
        return [*super()._introduction(), f"Answers: {self.tool_call_id} ({self.status})"]


@dataclass(repr=False)
class ChatMessage(BaseMessage):
    """What a speaker of any role says.

    Args:
        role: The role.

    Raises:
        TypeError: If the role is no string.

    Example:
        >>> ChatMessage("Hm.", role="critic")
        ChatMessage(content='Hm.', role='critic')
    """

    type: ClassVar[str] = "chat"

    role: str = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        _need_text(self, "role", self.role)

    def _introduction(self) -> list[str]:
        return [*super()._introduction(), f"Role: {self.role}"]


def _need_text(message: BaseMessage, name: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{type(message).__name__} takes its {name} as a string, not {value!r}")
