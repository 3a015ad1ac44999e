"""What all messages have in common."""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, ClassVar

from chatnb.schema.merging import Content, ContentPart

_TITLE_WIDTH = 80


def no_fields() -> dict[str, Any]:
    """No fields to begin with; quicker than calling `dict[str, Any]`, for each chunk."""
    return {}


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
        TypeError: If the content is neither a string nor a list of strings and dicts.
    """

    type: ClassVar[str] = "base"

    content: Content
    additional_kwargs: dict[str, Any] = field(default_factory=no_fields, kw_only=True)
    name: str | None = field(default=None, kw_only=True)
    response_metadata: dict[str, Any] = field(default_factory=no_fields, kw_only=True, repr=False)
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
        for part in content:
            if not isinstance(part, str | dict):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(
                    f"A part of a {type(self).__name__} is a string or a dict, "
                    f"not {type(part).__name__}: {part!r}"
                )

    def __repr__(self) -> str:
        shown = [f.name for f in fields(self) if f.repr and not at_default(self, f)]
        arguments = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{type(self).__name__}({arguments})"

    @property
    def text(self) -> str:
        """The content's text, without its other parts."""
        content = self.content
        if isinstance(content, str):
            return content
        return "".join(_part_text(part) for part in content)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows: the text as Markdown that cannot act, and the repr."""
        from chatnb.markdown.safe_markdown import safe_markdown
        from chatnb.schema.transcript import message_markdown

        return {"text/plain": repr(self), "text/markdown": safe_markdown(message_markdown(self))}

    def pretty_repr(self) -> str:
        """Write the message for people: a heading, then what it says.

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
        kind = type(self).__name__.removesuffix("Chunk").removesuffix("Message")
        heading = f" {kind} Message ".center(_TITLE_WIDTH, "=")
        return "\n".join([heading, *self._introduction(), "", *self._body()])

    def pretty_print(self) -> None:
        """Print the message for people.

        Example:
            >>> from chatnb.schema import SystemMessage
            >>> SystemMessage("Be brief.").pretty_print()
            ================================ System Message ================================
            <BLANKLINE>
            Be brief.
        """
        print(self.pretty_repr())

    def _introduction(self) -> list[str]:
        return [f"Name: {self.name}"] if self.name else []

    def _body(self) -> list[str]:
        content = self.content
        if isinstance(content, str):
            return [content] if content else []
        return [_part_text(part) or f"[{_part_type(part)}]" for part in content]


def at_default(said: object, field: Field[Any]) -> bool:
    """Tell whether a field of a dataclass has the value that it has when left out.

    Args:
        said: The dataclass's instance.
        field: One of its fields.

    Returns:
        Whether a repr may leave the field out.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> [f.name for f in fields(BaseMessage) if not at_default(HumanMessage("Hi"), f)]
        ['content']
    """
    value = getattr(said, field.name)
    if field.default_factory is not MISSING:
        return bool(value == field.default_factory())
    return field.default is not MISSING and bool(value == field.default)


def _part_text(part: ContentPart) -> str:
    if isinstance(part, str):
        return part
    return str(part.get("text", "")) if part.get("type") in ("text", None) else ""


def _part_type(part: ContentPart) -> str:
    return "text" if isinstance(part, str) else str(part.get("type") or "part")
