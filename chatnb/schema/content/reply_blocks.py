"""Standard content blocks of replies: reasoning, tool calls, results of built-in tools, citations.

Source: https://docs.langchain.com/oss/python/langchain/messages
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from chatnb.schema.tool_calls import CUSTOM_INPUT

Block: TypeAlias = dict[str, Any]
Part: TypeAlias = Mapping[str, Any]

OUTPUT_ITEMS = "output_items"
"""The key in additional_kwargs of the output items of a reply of OpenAI's Responses API."""

ANTHROPIC_BLOCKS = "anthropic_blocks"
"""The key in additional_kwargs of the blocks of a reply that Anthropic needs back."""

_CITED = {"document_title": "title", "filename": "title"}
_CITATION_FIELDS = ("url", "title", "start_index", "end_index", "cited_text")
# OpenAI's built-in tools: the name, the field of the arguments, and that of the output.
_BUILT_IN = {
    "web_search_call": ("web_search", "action", "sources"),
    "file_search_call": ("file_search", "queries", "results"),
    "code_interpreter_call": ("code_interpreter", "code", "outputs"),
    "mcp_call": ("remote_mcp", "arguments", "output"),
    "mcp_list_tools": ("mcp_list_tools", "", "tools"),
}
_THOUGHTS = ("reasoning", "thinking", "reasoning_content")
_TOOL_NAMES = {"code_execution": "code_interpreter"}  # LangChain's names for Anthropic's.


def filled_blocks(kept: Sequence[Block], text: str) -> list[Block]:
    """Return the kept blocks of a reply with its text, in their order where that was kept."""
    sizes = [block["chars"] for block in kept if "chars" in block]
    if sum(sizes) != len(text) or not sizes:
        # The order was the usual one, or the text is another by now.
        rest = [block for block in kept if "chars" not in block]
        return [*rest, {"type": "text", "text": text}] if text else rest
    filled, start = list[Block](), 0
    for block in kept:
        end = start + block.get("chars", 0)
        own = {name: value for name, value in block.items() if name != "chars"}
        filled.append({**own, "text": text[start:end]} if "chars" in block else block)
        start = end
    return filled


def annotations_of(part: Part) -> list[Block]:
    """Return the citations of a text, in LangChain's form."""
    notes: object = part.get("annotations") or part.get("citations")
    given = cast("list[object]", notes) if isinstance(notes, list) else []
    return [_annotation(cast("Part", note)) for note in given if isinstance(note, Mapping)]


def openai_annotation(note: Part) -> Block:
    """Return a citation in the form of OpenAI's Responses API."""
    if note.get("type") == "non_standard_annotation":
        return dict(note["value"])
    extras: Part = note.get("extras") or {}
    fields = {name: value for name, value in note.items() if name not in ("type", "extras", "id")}
    if "file_id" in extras:
        named = {"filename": fields.pop("title")} if "title" in fields else {}
        return {"type": "file_citation", **named, **fields, **extras}
    return {"type": "url_citation", **fields, **extras}


def built_in_call(block: Part) -> Block | None:
    """Return OpenAI's item of a call of its tools; None for another provider's."""
    types = {name: type_ for type_, (name, _, _) in _BUILT_IN.items()}
    type_ = types.get(block["name"])
    if type_ is None:
        return None
    _, given, _ = _BUILT_IN[type_]
    args: Part = block.get("args") or {}
    item: Block = {"type": type_, "id": block["id"], **(block.get("extras") or {})}
    if given in args:
        return {**item, **args}
    return {**item, given: json.dumps(args) if given == "arguments" else args} if given else item


def add_result(items: Iterable[Block], block: Part) -> None:
    """Add the result of a tool that OpenAI ran to the item of its call."""
    for item in items:
        if item.get("id") == block["tool_call_id"] and item["type"] in _BUILT_IN:
            _, given, returned = _BUILT_IN[item["type"]]
            holder: object = item[given] if returned == "sources" else item
            if isinstance(holder, dict) and block.get("output") is not None:
                holder[returned] = block["output"]
            item["status"] = "failed" if block.get("status") == "error" else "completed"


def is_tool_result(part: Part) -> bool:
    """Return whether a part is the result of a tool that the provider ran."""
    return str(part.get("type")).endswith("_tool_result")


def read_result(part: Part) -> Block:
    """Read Anthropic's result of a built-in tool."""
    output = part.get("content")
    failed = part.get("is_error") or (isinstance(output, Mapping) and "error_code" in output)
    return {
        "type": "server_tool_result",
        "tool_call_id": part.get("tool_use_id") or "",
        "status": "error" if failed else "success",
        "output": output,
        "extras": {"block_type": part["type"]},
    }


def _annotation(note: Part) -> Block:
    if note.get("type") in ("citation", "non_standard_annotation"):
        return dict(note)
    nested: object = note.get(str(note.get("type")))  # As in chat completions.
    given = cast("Part", nested) if isinstance(nested, Mapping) else note
    fields = {_CITED.get(name, name): value for name, value in given.items() if value is not None}
    cited = {name: fields[name] for name in _CITATION_FIELDS if name in fields}
    if not cited:
        return {"type": "non_standard_annotation", "value": dict(note)}
    extras = {k: v for k, v in fields.items() if k not in (*_CITATION_FIELDS, "type")}
    return {"type": "citation", **cited, **({"extras": extras} if extras else {})}


def _read_reasoning(part: Part) -> list[Block]:
    """Read reasoning of LangChain's, an item of OpenAI's, or thinking of Anthropic's."""
    texts: Sequence[Part] = [*(part.get("summary") or ()), *(part.get("content") or ())]
    text = next((part[name] for name in _THOUGHTS if part.get(name)), "")
    text = text or "\n\n".join(text["text"] for text in texts if text.get("text"))
    block: Block = {"type": "reasoning", "reasoning": text}
    block |= {name: part[name] for name in ("id", "index") if part.get(name) is not None}
    known = {*_THOUGHTS, "type", "summary", "content", "id", "index", "extras"}
    extras = {k: v for k, v in part.items() if k not in known and v is not None}
    extras |= part.get("extras") or {}
    return [{**block, "extras": extras} if extras else block]


def _read_call(part: Part) -> list[Block]:
    """Read a call of Anthropic's, or an item of OpenAI's."""
    id = part.get("call_id") or part.get("id")
    if part["type"] == "custom_tool_call":
        args: Any = {CUSTOM_INPUT: part.get("input")}
    else:
        args = part.get("input") or part.get("partial_json") or part.get("arguments") or {}
    block: Block = {"type": "tool_call", "id": id, "name": part.get("name"), "args": _parsed(args)}
    extras = {n: part[n] for n in ("caller", "namespace", "extra_content") if part.get(n)}
    return [{**block, "extras": extras} if extras else block]


def _read_server_call(part: Part) -> list[Block]:
    """Read a call of a tool that Anthropic runs."""
    name = str(part.get("name"))
    block: Block = {"type": "server_tool_call", "id": part.get("id")}
    if part["type"] == "mcp_tool_use":
        block |= {"name": "remote_mcp", "extras": {"tool_name": name}}
    else:
        block["name"] = _TOOL_NAMES.get(name, name)
    return [{**block, "args": _parsed(part.get("input") or part.get("partial_json") or {})}]


def _read_built_in(part: Part) -> list[Block]:
    """Read a call of a tool that OpenAI runs, with its result."""
    name, given, returned = _BUILT_IN[part["type"]]
    args = _parsed(part.get(given) or {}, name=given)
    output = part.get(returned) or args.pop(returned, None)
    call: Block = {"type": "server_tool_call", "id": part.get("id"), "name": name, "args": args}
    failed = part.get("error") or part.get("status") == "failed"
    result: Block = {
        "type": "server_tool_result",
        "tool_call_id": part.get("id") or "",
        "status": "error" if failed else "success",
    }
    known = {"type", "id", "status", given, returned}
    if extras := {k: v for k, v in part.items() if k not in known and v is not None}:
        call["extras"] = extras
    return [call, result if output is None else {**result, "output": output}]


def _read_generated_image(part: Part) -> list[Block]:
    if not part.get("result"):
        return [{"type": "non_standard", "value": dict(part)}]
    mime = f"image/{part.get('output_format') or 'png'}"
    extras = {k: v for k, v in part.items() if k not in ("type", "id", "result") and v is not None}
    image: Block = {"type": "image", "base64": part["result"], "mime_type": mime}
    return [{**image, "id": part.get("id"), **({"extras": extras} if extras else {})}]


def _parsed(args: Any, name: str = "input") -> dict[str, Any]:
    """Return arguments as a dict, whatever they are written as."""
    parsed = args
    if isinstance(args, str):
        try:
            parsed = json.loads(args)
        except ValueError:
            parsed = None
    return dict(cast("Part", parsed)) if isinstance(parsed, Mapping) else {name: args}


REPLY_READERS: Mapping[str, Callable[[Part], list[Block]]] = {
    **dict.fromkeys(_BUILT_IN, _read_built_in),
    **dict.fromkeys(("function_call", "custom_tool_call", "tool_use"), _read_call),
    **dict.fromkeys(("reasoning", "reasoning_content", "thinking"), _read_reasoning),
    **dict.fromkeys(("server_tool_use", "mcp_tool_use"), _read_server_call),
    "image_generation_call": _read_generated_image,
}
"""Readers of a reply's parts, by type; a part may be several standard blocks."""
