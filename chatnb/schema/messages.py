"""Messages: what goes into a chat model and what comes out of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from typing import Any, ClassVar, TypeAlias, TypeVar, cast

from chatnb.schema.usage import UsageMetadata, latest_usage

ContentPart: TypeAlias = str | dict[str, Any]
Content: TypeAlias = str | list[ContentPart]


@dataclass(repr=False)
class BaseMessage:
    """One message of a conversation.

    Fields that a message does not have are refused with a TypeError, so that a misspelt one is
    noticed. The repr leaves out fields at their default and what only describes the call
    (`response_metadata`, `usage_metadata`, `id`).

    Args:
        content: The text, or a list of parts (strings and dicts) in OpenAI's form.
        additional_kwargs: What a provider sent beyond the fields that messages have.
        name: Who speaks, where a provider tells speakers of one role apart.
        response_metadata: What the provider said of the call: model name, finish reason.
        id: The provider's id of the message.

    Raises:
        TypeError: If the content is neither a string nor a list.
    """

    type: ClassVar[str] = "base"

    content: Content
    additional_kwargs: dict[str, Any] = field(default_factory=dict[str, Any], kw_only=True)
    name: str | None = field(default=None, kw_only=True)
    response_metadata: dict[str, Any] = field(
        default_factory=dict[str, Any], kw_only=True, repr=False
    )
    id: str | None = field(default=None, kw_only=True, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.content, str | list):  # pyright: ignore[reportUnnecessaryIsInstance]
            return
        raise TypeError(
            f"{type(self).__name__} takes its content as a string or a list of parts, "
            f"not {type(self.content).__name__}: {self.content!r}"
        )

    def __repr__(self) -> str:
        shown = [f.name for f in fields(self) if f.repr and not _at_default(self, f)]
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__name__}({arguments})"

    @property
    def text(self) -> str:
        """The content's text, without its other parts."""
        if isinstance(self.content, str):
            return self.content
        return "".join(_part_text(part) for part in self.content)


def _at_default(message: BaseMessage, field: Field[Any]) -> bool:
    value = getattr(message, field.name)
    if field.default_factory is not MISSING:
        return value == field.default_factory()
    return field.default is not MISSING and value == field.default


def _part_text(part: ContentPart) -> str:
    if isinstance(part, str):
        return part
    return str(part.get("text", "")) if part.get("type") in ("text", None) else ""


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

    Example:
        >>> AIMessage("Hello.", id="a1")
        AIMessage(content='Hello.')
    """

    type: ClassVar[str] = "ai"

    usage_metadata: UsageMetadata | None = field(default=None, kw_only=True, repr=False)


_Chunk = TypeVar("_Chunk", bound="AIMessageChunk")


@dataclass(repr=False)
class AIMessageChunk(AIMessage):
    """A piece of what the model says; pieces add up to the whole.

    Example:
        >>> AIMessageChunk("Hel") + AIMessageChunk("lo")
        AIMessageChunk(content='Hello')
        >>> sum([AIMessageChunk("Hel"), AIMessageChunk("lo")])
        AIMessageChunk(content='Hello')
    """

    type: ClassVar[str] = "AIMessageChunk"

    def __add__(self: _Chunk, other: AIMessageChunk) -> _Chunk:
        if not isinstance(other, AIMessageChunk):  # pyright: ignore[reportUnnecessaryIsInstance]
            return NotImplemented
        return type(self)(
            merge_content(self.content, other.content),
            additional_kwargs=merge_kwargs(self.additional_kwargs, other.additional_kwargs),
            name=_same_name(self.name, other.name),
            response_metadata={**self.response_metadata, **other.response_metadata},
            id=self.id or other.id,
            usage_metadata=latest_usage(self.usage_metadata, other.usage_metadata),
        )

    def __radd__(self: _Chunk, other: int) -> _Chunk:
        """Let `sum` begin with its 0."""
        if other != 0:
            return NotImplemented
        return self

    def to_message(self) -> AIMessage:
        """The message that this chunk has grown to.

        Example:
            >>> (AIMessageChunk("Hel") + AIMessageChunk("lo")).to_message()
            AIMessage(content='Hello')
        """
        return AIMessage(**vars(self))


def join_chunks(chunks: Iterable[AIMessageChunk]) -> AIMessageChunk:
    """Add up any number of chunks in linear time.

    Returns:
        Their sum; an empty chunk if there are none.

    Example:
        >>> join_chunks([AIMessageChunk("Hel"), AIMessageChunk("lo")])
        AIMessageChunk(content='Hello')
    """
    total, texts = AIMessageChunk(""), list[str]()
    for chunk in chunks:
        if isinstance(chunk.content, str):
            texts.append(chunk.content)
            if not _says_more_than_text(chunk):
                continue
            chunk = replace(chunk, content="")
        else:
            total, texts = total + AIMessageChunk("".join(texts)), []
        total = total + chunk
    return total + AIMessageChunk("".join(texts)) if texts else total


def _says_more_than_text(chunk: AIMessageChunk) -> bool:
    said = vars(chunk)
    return any(value for name, value in said.items() if name != "content")


def as_chunk(message: AIMessage) -> AIMessageChunk:
    """A whole message as the only chunk of its stream.

    Example:
        >>> as_chunk(AIMessage("Hello"))
        AIMessageChunk(content='Hello')
    """
    return AIMessageChunk(**vars(message))


def merge_content(left: Content, right: Content) -> Content:
    """Join two pieces of content.

    Args:
        left: What came first.
        right: What follows.

    Returns:
        A string for two strings, otherwise the list of parts, with adjacent text joined.

    Example:
        >>> merge_content("a", [{"type": "image_url", "image_url": {"url": "u"}}])
        ['a', {'type': 'image_url', 'image_url': {'url': 'u'}}]
    """
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    parts = [*_parts(left), *_parts(right)]
    seam = len(_parts(left))
    if 0 < seam < len(parts):
        before, after = parts[seam - 1], parts[seam]
        if isinstance(before, str) and isinstance(after, str):
            parts[seam - 1 : seam + 1] = [before + after]
    return parts


def _parts(content: Content) -> list[ContentPart]:
    if isinstance(content, list):
        return content
    return [content] if content else []


def merge_kwargs(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Join the additional fields of two chunks: text grows, dicts merge, the rest is replaced.

    Example:
        >>> merge_kwargs({"f": {"arguments": '{"a"'}}, {"f": {"arguments": ": 1}"}})
        {'f': {'arguments': '{"a": 1}'}}
    """
    merged = dict(left)
    for key, value in right.items():
        before = merged.get(key)
        if isinstance(before, str) and isinstance(value, str):
            merged[key] = before + value
        elif isinstance(before, dict) and isinstance(value, dict):
            merged[key] = merge_kwargs(
                cast("dict[str, Any]", before), cast("dict[str, Any]", value)
            )
        elif value is not None:
            merged[key] = value
    return merged


def _same_name(left: str | None, right: str | None) -> str | None:
    if left and right and left != right:
        raise ValueError(f"Chunks of different speakers do not add up: {left!r} and {right!r}")
    return left or right
