"""Message classes, one for each role, and messages as text and Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import field, fields
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast
from uuid import UUID

from chatnb.schema.merging import Content, ContentPart
from chatnb.schema.message_class import PydanticMethods, is_default, message_class
from chatnb.schema.tool_calls import InvalidToolCall, ToolCall, checked_call, checked_invalid
from chatnb.schema.usage import UsageMetadata
from chatnb.upstream_attributes import point_elsewhere

if TYPE_CHECKING:
    from chatnb.markdown.mimebundle import Mimebundle

COMMENTARY = "commentary"
"""The key in additional_kwargs of a reply's text before its final answer."""

_HEADING_WIDTH = 80
_TEXT_TYPES = ("text", "input_text", "output_text", None)  # The Responses API tells sides apart.

# Factories of empty fields: quicker than calling `dict[str, Any]` for each chunk.
new_dict = cast("Callable[[], dict[str, Any]]", dict)
new_list = cast("Callable[[], list[Any]]", list)


def message_heading(title: str, bold: bool = False) -> str:
    """Return the line above a message that is printed for reading."""
    line = f" {title} ".center(_HEADING_WIDTH, "=")
    return line.replace(title, f"\033[1m{title}\033[0m") if bold else line


class MessageText(str):
    """The text of a message, which also answers when it is called, as LangChain's once did."""

    __slots__ = ()

    def __call__(self) -> str:
        """Return the text as a plain string."""
        return str.__str__(self)


def _plain_part(part: Any, owner: str) -> ContentPart:
    if isinstance(part, str | dict):
        return cast("ContentPart", part)
    dump = getattr(part, "model_dump", None)
    if not callable(dump):
        raise TypeError(
            f"A part of a {owner} is a string or a dict, not {type(part).__name__}: {part!r}"
        )
    return cast("ContentPart", dump(exclude_none=True))  # Of an SDK, as in `response.content`.


@point_elsewhere
@message_class
class BaseMessage(PydanticMethods):
    """A message of a conversation.

    An unknown field raises a TypeError, so that a misspelt one is noticed. The repr leaves out
    fields that have their default, and those that describe the call (`response_metadata`,
    `usage_metadata`, `id`).

    Args:
        content: The text, or a list of parts (strings and dicts) in OpenAI's form or a provider's.
        content_blocks: LangChain's standard content blocks, instead of the content.
        additional_kwargs: Fields of the provider's message that messages do not have.
        name: The speaker's name, for providers that tell speakers of one role apart.
        response_metadata: The provider's metadata of the call: model name, finish reason.
        id: The provider's id of the message.

    Raises:
        TypeError: If the content is neither a string nor a list of strings and dicts.

    Example:
        >>> HumanMessage(content_blocks=[{"type": "text", "text": "Hi"}]).text
        'Hi'
    """

    type: ClassVar[str] = "base"

    if TYPE_CHECKING:
        # Either is given: `message_class` takes the blocks, which are no field.
        content: Content = ""
        content_blocks: list[dict[str, Any]] = field(default_factory=new_list, kw_only=True)
    else:
        content: Content

        @property
        def content_blocks(self) -> list[dict[str, Any]]:
            """The message as LangChain's standard content blocks, whatever form its content has.

            A reply's blocks are its reasoning, texts, calls, and what the provider's own tools
            gave; a part of an unknown form is wrapped as `non_standard`.
            """
            return self._standard_blocks()

    additional_kwargs: dict[str, Any] = field(default_factory=new_dict, kw_only=True)
    name: str | None = field(default=None, kw_only=True)
    response_metadata: dict[str, Any] = field(default_factory=new_dict, kw_only=True, repr=False)
    id: str | None = field(default=None, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        content = self.content
        if isinstance(content, str):
            return
        if not isinstance(content, list):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"{type(self).__name__} takes its content as a string or a list of parts, "
                f"not {type(content).__name__}: {content!r}"
            )
        if not all(isinstance(part, str | dict) for part in content):  # pyright: ignore[reportUnnecessaryIsInstance]
            self.content = [_plain_part(part, type(self).__name__) for part in content]

    def _standard_blocks(self) -> list[dict[str, Any]]:
        from chatnb.schema.content.blocks import content_blocks

        return content_blocks(self.content)

    def _take_blocks(self) -> None:
        """Set the fields that follow from standard blocks, which are the content now."""

    def __repr__(self) -> str:
        shown = [f.name for f in fields(self) if f.repr and not is_default(self, f)]
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__name__}({arguments})"

    def __add__(self, other: Any) -> Any:
        """Return a chat prompt of this message and another, a text, or a list of these."""
        if isinstance(other, BaseMessage) and other.type.endswith("Chunk"):
            return NotImplemented
        # Prompts are above messages, and most programs that have messages need none of them.
        from importlib import import_module

        return import_module("chatnb.prompts.chat").ChatPromptTemplate([self]) + other

    @property
    def text(self) -> MessageText:
        """The text of the content, without other parts; `text()` is the same."""
        return MessageText(plain_text(self))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Mimebundle:
        """Return the message as Markdown that is safe to display, and its repr."""
        from chatnb.markdown.safe_markdown import safe_markdown
        from chatnb.terminal import SafeText

        markdown = safe_markdown(message_markdown(self))
        return {"text/plain": SafeText(repr(self)), "text/markdown": markdown}

    def pretty_repr(self, html: bool = False) -> str:
        """Format the message for reading: a heading, then the content.

        Args:
            html: True for a heading that is bold, in a terminal or a notebook.

        Returns:
            Several lines; a part that is not text is named in brackets.

        Example:
            >>> from chatnb.schema import HumanMessage
            >>> print(HumanMessage("Hi", name="ada").pretty_repr())
            ================================ Human Message =================================
            Name: ada
            <BLANKLINE>
            Hi
        """
        role = type(self).__name__.removesuffix("Chunk").removesuffix("Message")
        heading = message_heading(f"{role} Message", bold=html)
        return "\n".join([heading, *self._header_lines(), "", *self._content_lines()])

    def pretty_print(self) -> None:
        """Print the message for reading.

        Example:
            >>> from chatnb.schema import SystemMessage
            >>> SystemMessage("Be brief.").pretty_print()
            ================================ System Message ================================
            <BLANKLINE>
            Be brief.
        """
        from chatnb.terminal import print_line

        print_line(self.pretty_repr())

    def _header_lines(self) -> list[str]:
        return [f"Name: {self.name}"] if self.name else []

    def _content_lines(self) -> list[str]:
        content = self.content
        if isinstance(content, str):
            return [content] if content else []
        return [_part_text(part) or f"[{_part_type(part)}]" for part in content]


def plain_text(message: BaseMessage) -> str:
    """Return a message's text as it is: `text` makes another string each time it is read."""
    content = message.content
    return content if isinstance(content, str) else "".join(map(_part_text, content))


def _part_text(part: ContentPart) -> str:
    if isinstance(part, str):
        return part
    return str(part.get("text", "")) if part.get("type") in _TEXT_TYPES else ""


def _part_type(part: ContentPart) -> str:
    return "text" if isinstance(part, str) else str(part.get("type") or "part")


@message_class
class HumanMessage(BaseMessage):
    """A message from the user.

    Example:
        >>> HumanMessage("What is a notebook?")
        HumanMessage(content='What is a notebook?')
    """

    type: ClassVar[str] = "human"


@message_class
class SystemMessage(BaseMessage):
    """Instructions for the model, before the conversation.

    Example:
        >>> SystemMessage(content="You're brief.")
        SystemMessage(content="You're brief.")
    """

    type: ClassVar[str] = "system"


@message_class
class AIMessage(BaseMessage):
    """A message from the model.

    Args:
        usage_metadata: The token usage of the call, if the provider reports it.
        tool_calls: The tool calls that the model requests.
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
    tool_calls: list[ToolCall] = field(default_factory=new_list, kw_only=True)
    invalid_tool_calls: list[InvalidToolCall] = field(default_factory=new_list, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tool_calls:
            self.tool_calls = [checked_call(call) for call in self.tool_calls]
        if self.invalid_tool_calls:
            self.invalid_tool_calls = [checked_invalid(call) for call in self.invalid_tool_calls]

    @property
    def reasoning(self) -> str:
        """The model's reasoning before its answer, if the provider returns it."""
        known: str = self.additional_kwargs.get("reasoning_content") or ""
        if known or isinstance(self.content, str):
            return known
        from chatnb.schema.content.blocks import content_blocks

        blocks = content_blocks(self.content)
        return "".join(block["reasoning"] for block in blocks if block["type"] == "reasoning")

    def _standard_blocks(self) -> list[dict[str, Any]]:
        from chatnb.schema.content.blocks import reply_content_blocks

        return reply_content_blocks(self)

    def _take_blocks(self) -> None:
        from chatnb.schema.content.blocks import calls_of

        calls = calls_of(self)
        valid = [cast("ToolCall", call) for call in calls if call.get("type") == "tool_call"]
        self.tool_calls = [checked_call(call) for call in valid]

    @property
    def answer(self) -> str:
        """The text without the commentary before it, where the provider tells them apart."""
        text = plain_text(self)
        commentary = self.additional_kwargs.get(COMMENTARY)
        if not commentary or not text.startswith(commentary):
            return text
        return text[len(commentary) :].removeprefix("\n\n")

    def _content_lines(self) -> list[str]:
        lines = super()._content_lines()
        for call in self.tool_calls:
            lines.append(f"Tool call: {call['name']} ({call.get('id')})")
            lines += [f"  {name}: {value}" for name, value in call["args"].items()]
        for call in self.invalid_tool_calls:
            lines.append(f"Invalid tool call: {call.get('name')} ({call.get('id')})")
            lines.append(f"  {call.get('error') or call.get('args')}")
        return lines


@message_class
class FunctionMessage(BaseMessage):
    """The result of a function, in the protocol that tools replaced.

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
        _check_string(self, "name", self.name)


@message_class
class ToolMessage(BaseMessage):
    """The result of a tool call.

    A content that is neither text nor a list is written as text, and so are items of a list that
    are neither strings nor dicts: a tool may return anything.

    Args:
        tool_call_id: The id of the call; a UUID or a number is written as text.
        status: `success`, or `error` if the tool failed.
        artifact: Output of the tool that is not sent to the model.

    Raises:
        TypeError: If the id of the call is none of these.
        ValueError: If the status is neither `success` nor `error`.

    Example:
        >>> ToolMessage("4", tool_call_id="c1")
        ToolMessage(content='4', tool_call_id='c1')
    """

    type: ClassVar[str] = "tool"

    tool_call_id: str = field(kw_only=True)
    status: Literal["success", "error"] = field(default="success", kw_only=True)
    artifact: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        content: Any = self.content
        if not isinstance(content, str):
            self.content = _parts(content) if isinstance(content, list | tuple) else str(content)  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(cast("object", self.tool_call_id), Real | UUID):
            self.tool_call_id = str(self.tool_call_id)
        super().__post_init__()
        _check_string(self, "tool_call_id", self.tool_call_id)
        if self.status not in ("success", "error"):
            raise ValueError(f"A tool's status is 'success' or 'error', not {self.status!r}")

    def _header_lines(self) -> list[str]:
        return [*super()._header_lines(), f"Answers: {self.tool_call_id} ({self.status})"]


def _parts(values: Iterable[Any]) -> list[ContentPart]:
    return [value if isinstance(value, str | dict) else str(value) for value in values]


@message_class
class ChatMessage(BaseMessage):
    """A message from a speaker of any role.

    Args:
        role: The role.

    Raises:
        TypeError: If the role is not a string.

    Example:
        >>> ChatMessage("Hm.", role="critic")
        ChatMessage(content='Hm.', role='critic')
    """

    type: ClassVar[str] = "chat"

    role: str = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_string(self, "role", self.role)

    def _header_lines(self) -> list[str]:
        return [*super()._header_lines(), f"Role: {self.role}"]


def _check_string(message: BaseMessage, name: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{type(message).__name__} takes its {name} as a string, not {value!r}")


def base_type(message: BaseMessage) -> str:
    """Return a message's type, and for a chunk the type of its message."""
    return message.type.removesuffix("MessageChunk").lower()


def message_markdown(message: BaseMessage, *, reasoning: bool = True) -> str:
    """Return a message as Markdown: media named, sources linked, and tool calls as code."""
    # The text is the model's own and may hold HTML, images and links: apply safe_markdown before
    # displaying it.
    from chatnb.schema.content import markdown

    if not isinstance(message, AIMessage):
        return "\n\n".join(filter(None, markdown.content_paragraphs(message.content)))
    paragraphs = markdown.reply_paragraphs(message)
    if reasoning and message.reasoning.strip():
        paragraphs.insert(0, markdown.quote(f"*Reasoning*\n\n{message.reasoning.strip()}"))
    paragraphs += [
        markdown.call_markdown(call["name"], call["args"]) for call in message.tool_calls
    ]
    return "\n\n".join(filter(None, paragraphs))
