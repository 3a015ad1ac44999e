"""Output items of the Responses API from the parts of a reply's content.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from chatnb.schema.content.blocks import standard_blocks
from chatnb.schema.content.openai_parts import NOT_SENT, is_sent, provider_part
from chatnb.schema.content.reply_blocks import add_result, built_in_call, openai_annotation
from chatnb.schema.content.unsupported import unsupported
from chatnb.schema.merging import ContentPart

Item: TypeAlias = Mapping[str, Any]

FUNCTION_CALL = "function_call"
CUSTOM_CALL = "custom_tool_call"

_TAKER = "The Responses API takes in a reply"
# LangChain's own ids of blocks, and Anthropic's of calls of its tools.
_FOREIGN_IDS = ("lc_", "srvtoolu_")


def output_text(text: str, notes: Iterable[Item] = ()) -> dict[str, Any]:
    """Return a content part of a reply's text."""
    return {"type": "output_text", "text": text, "annotations": list(notes)}


def message_item(parts: Iterable[Item], **fields: str) -> dict[str, Any]:
    """Return the item of a reply's text."""
    return {"type": "message", "role": "assistant", **fields, "content": list(parts)}


def items_in(content: Iterable[ContentPart]) -> list[dict[str, Any]]:
    """Return the items that the parts of a reply's content stand for."""
    items = list[dict[str, Any]]()
    for part in content:
        if isinstance(part, dict) and _is_item(part):
            items.append(part)
            continue
        for block in standard_blocks(part):
            _add_block(items, block)
    return items


def _is_item(part: Item) -> bool:
    type_: str = part.get("type") or ""
    if type_ in (FUNCTION_CALL, CUSTOM_CALL):
        return isinstance(part.get("call_id"), str)
    is_reasoning = type_ == "reasoning" and isinstance(part.get("summary"), list)
    return is_reasoning or (type_.endswith("_call") and type_ not in NOT_SENT)


def _add_block(items: list[dict[str, Any]], block: Item) -> None:
    """Append the item of a block, or add the block to the last item, if it goes on there."""
    if block["type"] == "server_tool_result":
        add_result(items, block)
        return
    item = _item_from_block(block)
    if item is None:
        return
    last = items[-1] if items else {}
    field = {"message": "content", "reasoning": "summary"}.get(item["type"], "")
    names = ("type", "id", "phase")
    if field and field in last and all(last.get(name) == item.get(name) for name in names):
        items[-1] = {**last, field: [*last[field], *item[field]]}
    else:
        items.append(item)


def _item_from_block(block: Item) -> dict[str, Any] | None:
    """Return the item of a standard block, None for one that only another provider knows."""
    id = str(block.get("id") or "")
    extras: Item = block.get("extras") or {}
    own = {} if not id or id.startswith(_FOREIGN_IDS) else {"id": id}
    match block["type"]:
        case "text":
            notes = [openai_annotation(note) for note in block.get("annotations") or ()]
            phase = {"phase": block["phase"]} if block.get("phase") else {}
            parts = [output_text(block["text"], notes)] if block["text"] else []
            return message_item(parts, **own, **phase) if parts else None
        case "tool_call":
            named = {"id": extras["item_id"]} if extras.get("item_id") else {}
            space = {"namespace": extras["namespace"]} if extras.get("namespace") else {}
            return {"type": FUNCTION_CALL, "call_id": block["id"], **named, **space}
        case "reasoning" if own:
            text = block.get("reasoning")
            summary = [{"type": "summary_text", "text": text}] if text else []
            return {"type": "reasoning", **own, "summary": summary, **extras}
        case "server_tool_call" if own:
            return built_in_call(block)
        case "image" if id.startswith("ig_"):
            return {"type": "image_generation_call", **own, "result": block.get("base64")}
        case "non_standard":
            return _other_item(block)
        case _ if is_sent(block):
            raise unsupported(_TAKER, block["type"])
        case _:
            return None


def _other_item(block: Item) -> dict[str, Any] | None:
    part: Item = block["value"]
    if part.get("type") == "refusal" and part.get("refusal"):
        named = {"id": part["id"]} if part.get("id") else {}
        return message_item([{"type": "refusal", "refusal": part["refusal"]}], **named)
    return provider_part(block, _TAKER) if part.get("type") and is_sent(block) else None
