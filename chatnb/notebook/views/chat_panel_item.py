"""What a panel shows: its items and its state, as they are written for the browser."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

ItemStatus = Literal["done", "streaming", "stopped", "failed", "waiting"]
CallState = Literal["asking", "running", "done", "failed", "rejected"]


class Branch(TypedDict):
    """Where an item stands among its siblings, counted from 1, and who is beside it."""

    index: int
    count: int
    previous: str | None
    next: str | None


class ShownAttachment(TypedDict):
    """A file that a message brought along; `data` is a small image in base64."""

    name: str
    mime: str
    size: int
    data: NotRequired[str]


class ShownCall(TypedDict):
    """A tool call and what came of it."""

    id: str
    name: str
    arguments: str
    state: CallState
    result: str


class Item(TypedDict):
    """A message on the shown path."""

    id: str
    role: Literal["human", "ai", "system"]
    text: str
    reasoning: str
    status: ItemStatus
    facts: str
    error: str | None
    branch: Branch
    attachments: list[ShownAttachment]
    calls: list[ShownCall]


class Limits(TypedDict):
    """What may be attached: bytes a file, bytes together, and MIME types."""

    attachment_bytes: int
    attachments_bytes: int
    types: list[str]


class State(TypedDict):
    """What a panel shows around its items."""

    running: bool
    error: str | None
    model: str
    models: list[str]
    temperature: float | None
    system: str
    usage: str
    limits: Limits
    name: str


def empty_item(id: str, role: Literal["human", "ai", "system"], text: str = "") -> Item:
    """An item that says nothing but its text.

    Example:
        >>> empty_item("a", "human", "Hi")["status"]
        'done'
    """
    return Item(
        id=id,
        role=role,
        text=text,
        reasoning="",
        status="done",
        facts="",
        error=None,
        branch=Branch(index=1, count=1, previous=None, next=None),
        attachments=[],
        calls=[],
    )
