"""Requests to OpenAI's Responses API, written from messages and chat completions' parameters.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from chatnb.errors import BadRequestError
from chatnb.schema.base_message import BaseMessage
from chatnb.schema.merging import Content, ContentPart
from chatnb.schema.messages import AIMessage, FunctionMessage, ToolMessage
from chatnb.schema.openai_dicts import message_to_openai

ITEMS = "output_items"
"""Where a message keeps the items of a reply that are more than its text and tool calls."""

_LACKING = frozenset(
    {
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "modalities",
        "prediction",
        "presence_penalty",
        "seed",
    }
)
_RENAMED = {"max_tokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens"}
_CONVERTED = frozenset(
    {
        "include",
        "logprobs",
        "n",
        "reasoning",
        "reasoning_effort",
        "response_format",
        "stop",
        "stream_options",
        "text",
        "tool_choice",
        "tools",
        "verbosity",
    }
)
_LOGPROBS = "message.output_text.logprobs"


def responses_body(messages: Sequence[BaseMessage], params: Mapping[str, Any]) -> dict[str, Any]:
    """Write a request: the messages as input items, and every parameter that is set.

    `stop` is not written, as the API has none: the chat model ends its replies itself. A
    message's name has no place in the API either.

    Args:
        messages: The conversation.
        params: The parameters by chat completions' names or the API's own; None leaves one out.

    Returns:
        The request's JSON.

    Raises:
        BadRequestError: If the API lacks a parameter.
        ValueError: If it has no item for a message.

    Example:
        >>> from chatnb.schema import HumanMessage
        >>> responses_body([HumanMessage("Hi")], {"model": "m", "max_tokens": 9})
        {'input': [{'role': 'user', 'content': 'Hi'}], 'model': 'm', 'max_output_tokens': 9}
    """
    given = {name: value for name, value in params.items() if value is not None}
    _refuse_lacking(given)
    stored = given.get("store") is not False
    items = [item for message in messages for item in input_items(message, stored=stored)]
    body: dict[str, Any] = {"input": items}
    for name, value in given.items():
        if name not in _CONVERTED:
            body[_RENAMED.get(name, name)] = value
    body.update(_converted(given))
    return body


def input_items(message: BaseMessage, *, stored: bool = True) -> list[dict[str, Any]]:
    """Write one message as input items.

    Args:
        message: Any message or chunk.
        stored: Whether the server keeps its replies. Where it does not, reasoning that did not
            come with its encrypted content is left out, since the server cannot know it.

    Returns:
        The items; a reply with reasoning or built-in tools has one for each, in their order.

    Raises:
        ValueError: If the API has no item for this kind of message.

    Example:
        >>> input_items(ToolMessage("4", tool_call_id="c1"))
        [{'type': 'function_call_output', 'call_id': 'c1', 'output': '4'}]
    """
    if isinstance(message, AIMessage):
        return _reply_items(message, stored)
    if isinstance(message, ToolMessage):
        output = _input_content(message.content)
        call = message.tool_call_id
        return [{"type": "function_call_output", "call_id": call, "output": output}]
    if isinstance(message, FunctionMessage):
        raise ValueError(
            "The Responses API has no function messages; write a ToolMessage with the call's id."
        )
    role = message_to_openai(message)["role"]
    return [{"role": role, "content": _input_content(message.content)}]


def _refuse_lacking(given: Mapping[str, Any]) -> None:
    lacking = sorted(_LACKING & given.keys())
    if given.get("n", 1) != 1:
        lacking.append("n")
    if lacking:
        raise BadRequestError(
            f"The Responses API has no {', '.join(lacking)}.",
            hint="Leave it out, or ask without use_responses_api=True.",
        )


def _converted(given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that both APIs have, each in its own form."""
    include = [*given.get("include", ()), *([_LOGPROBS] if given.get("logprobs") else ())]
    streaming = dict(given.get("stream_options") or {})
    streaming.pop("include_usage", None)  # Usage always comes.
    choice: Any = given.get("tool_choice")
    converted = {
        "include": include,
        "reasoning": _reasoning(given),
        "stream_options": streaming,
        "text": _text(given),
        "tool_choice": choice if isinstance(choice, str | None) else _flat(choice),
        "tools": [_flat_tool(tool) for tool in given.get("tools", ())],
    }
    return {name: value for name, value in converted.items() if value}


def _reasoning(given: Mapping[str, Any]) -> dict[str, Any]:
    effort = given.get("reasoning_effort")
    return {**({"effort": effort} if effort else {}), **(given.get("reasoning") or {})}


def _text(given: Mapping[str, Any]) -> dict[str, Any]:
    text: dict[str, Any] = dict(given.get("text") or {})
    asked: Mapping[str, Any] = given.get("response_format") or {}
    if asked:
        schema: Mapping[str, Any] = asked.get("json_schema") or {}
        text["format"] = {"type": asked["type"], **schema}
    if given.get("verbosity"):
        text["verbosity"] = given["verbosity"]
    return text


def _flat(choice: Mapping[str, Any]) -> dict[str, Any]:
    """What stands under `function` beside the type instead; built-in tools are flat already."""
    function: Mapping[str, Any] = choice.get("function") or {}
    return {**{k: v for k, v in choice.items() if k != "function"}, **function}


def _flat_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if "function" not in tool:
        return dict(tool)
    # Chat completions are lenient unless told otherwise, and this API is strict.
    defaults: dict[str, Any] = {"parameters": {"type": "object", "properties": {}}, "strict": False}
    return {**defaults, **_flat(tool)}


def _reply_items(message: AIMessage, stored: bool) -> list[dict[str, Any]]:
    said, calls = _said_item(message), _call_items(message)
    items = list[dict[str, Any]]()
    for kept in cast("Iterable[Mapping[str, Any]]", message.additional_kwargs.get(ITEMS) or ()):
        if kept["type"] == "message":
            items += [{**kept, **said[0]}] if said else []
            said = []
        elif kept["type"] == "function_call":
            call = calls.pop(kept["call_id"], None)
            items += [{**kept, **call}] if call else []
        elif stored or kept["type"] != "reasoning" or kept.get("encrypted_content"):
            items.append(dict(kept))
    return [*items, *said, *calls.values()]


def _said_item(message: AIMessage) -> list[dict[str, Any]]:
    """What the model said, as the one item, if it said anything."""
    content = message.content
    parts: list[ContentPart] = [content] if isinstance(content, str) else content
    written = [_output_part(part) for part in parts if part]
    refusal = message.additional_kwargs.get("refusal")
    if refusal:
        written.append({"type": "refusal", "refusal": refusal})
    return [{"type": "message", "role": "assistant", "content": written}] if written else []


def _output_part(part: ContentPart) -> dict[str, Any]:
    text = part if isinstance(part, str) else part.get("text")
    if isinstance(part, str) or part.get("type") == "text":
        return {"type": "output_text", "text": text, "annotations": []}
    return part


def _call_items(message: AIMessage) -> dict[str | None, dict[str, Any]]:
    calls = {
        call["id"]: _call_item(
            call["id"], call["name"], json.dumps(call["args"], ensure_ascii=False)
        )
        for call in message.tool_calls
    }
    for call in message.invalid_tool_calls:
        calls[call["id"]] = _call_item(call["id"], call["name"], call["args"])
    return calls


def _call_item(id: str | None, name: str | None, arguments: str | None) -> dict[str, Any]:
    return {
        "type": "function_call",
        "call_id": id,
        "name": name or "",
        "arguments": arguments or "",
    }


def _input_content(content: Content) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    return [_input_part(part) for part in content]


def _input_part(part: ContentPart) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "input_text", "text": part}
    match part.get("type"):
        case "text":
            return {**part, "type": "input_text"}
        case "image_url":
            image: Mapping[str, Any] = part["image_url"]
            written = {"type": "input_image", "image_url": image["url"]}
            return {**written, "detail": image.get("detail") or "auto"}
        case "file":
            return {"type": "input_file", **part["file"]}
        case _:
            return part
