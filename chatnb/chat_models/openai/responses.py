"""Write requests to OpenAI's Responses API from messages and chat completions' parameters.

Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from chatnb.chat_models.openai.response_items import CUSTOM_CALL, FUNCTION_CALL, sent_items
from chatnb.chat_models.openai.response_parts import input_content
from chatnb.errors import BadRequestError
from chatnb.schema.content.openai_parts import without_tool_results
from chatnb.schema.conversion import openai_role
from chatnb.schema.message_types import BaseMessage
from chatnb.schema.messages import AIMessage, FunctionMessage, ToolMessage
from chatnb.tools.provider_tools import INCLUDED

_UNSUPPORTED = frozenset(
    {
        *("audio", "frequency_penalty", "function_call", "functions", "logit_bias", "modalities"),
        *("prediction", "presence_penalty", "seed", "web_search_options"),
    }
)
_RENAMED = {"max_tokens": "max_output_tokens", "max_completion_tokens": "max_output_tokens"}
_CONVERTED = frozenset(
    {
        *("include", "logprobs", "n", "reasoning", "reasoning_effort", "response_format", "stop"),
        *("stream_options", "text", "tool_choice", "tools", "verbosity"),
    }
)
# Items, besides the outputs of calls, that a user's message may hold among its parts.
_INPUT_ITEMS = (
    *("compaction", "item_reference", "mcp_approval_response", "tool_search_output"),
    *("configuration_update", "additional_tools"),
)
_LOGPROBS = "message.output_text.logprobs"


def responses_body(messages: Sequence[BaseMessage], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request's JSON."""
    # The messages as input items, and the parameters that are not None.
    # `stop` is left out, since the API has none: the chat model ends its replies itself. The API
    # has no field for a message's name either.
    given = {name: value for name, value in params.items() if value is not None}
    _check_supported(given)
    body: dict[str, Any] = {"input": input_items(messages, given)}
    for name, value in given.items():
        if name not in _CONVERTED:
            body[_RENAMED.get(name, name)] = value
    body.update(_converted(given))
    return body


def input_items(messages: Sequence[BaseMessage], params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the input items of messages; for a reply, one for each of its output items."""
    tools = [_flat_tool(tool) for tool in params.get("tools", ())]
    custom_tools = {tool.get("name") for tool in tools if tool.get("type") == "custom"}
    items = list[dict[str, Any]]()
    custom_calls = set[str]()
    for message in without_tool_results(messages):
        if isinstance(message, AIMessage):
            stored = params.get("store") is not False
            sent = sent_items(message, stored=stored, custom_tools=custom_tools)
            custom_calls |= {item["call_id"] for item in sent if item["type"] == CUSTOM_CALL}
            items += sent
        elif isinstance(message, ToolMessage):
            is_custom = message.tool_call_id in custom_calls
            items.append(_output_item(message, CUSTOM_CALL if is_custom else FUNCTION_CALL))
        else:
            items += _message_items(message)
    return items


def _output_item(message: ToolMessage, call_type: str) -> dict[str, Any]:
    """Return the item of a call's result; the message may name the type of a provider's call."""
    given = message.additional_kwargs
    item = {"type": given.get("type") or f"{call_type}_output", "call_id": message.tool_call_id}
    parts = [] if isinstance(message.content, str) else message.content
    for part in parts:
        if isinstance(part, dict) and _is_input_item(part):
            return {**item, **part}
    output: Any = input_content(message.content)
    if item["type"] == "computer_call_output":
        image: Any = {"type": "input_image", "image_url": output}
        output = image if isinstance(output, str) else output[0]
        checks = "acknowledged_safety_checks"
        return {**item, "output": output, **({checks: given[checks]} if checks in given else {})}
    return {**item, "output": output}


def _message_items(message: BaseMessage) -> list[dict[str, Any]]:
    """Return the item of a message, after items that its content holds, such as approvals."""
    if isinstance(message, FunctionMessage):
        raise ValueError(
            "The Responses API has no function messages; write a ToolMessage with the call's id."
        )
    role, content = openai_role(message), message.content
    items = list[dict[str, Any]]()
    if isinstance(content, list):
        items = [part for part in content if isinstance(part, dict) and _is_input_item(part)]
        content = [part for part in content if part not in items]
        if items and not content:
            return items
    # Some servers require the type, which OpenAI's own does not.
    return [*items, {"type": "message", "role": role, "content": input_content(content)}]


def _is_input_item(part: Mapping[str, Any]) -> bool:
    type_ = str(part.get("type"))
    return type_.endswith("_call_output") or type_ in _INPUT_ITEMS


def _check_supported(given: Mapping[str, Any]) -> None:
    unsupported = sorted(_UNSUPPORTED & given.keys())
    if given.get("n", 1) != 1:
        unsupported.append("n")
    if unsupported:
        raise BadRequestError(
            f"The Responses API has no {', '.join(unsupported)}.",
            hint="Leave it out, or ask without use_responses_api=True.",
        )


def _converted(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that both APIs have in different forms."""
    tools = [_flat_tool(tool) for tool in given.get("tools", ())]
    include = [*_include(given, tools), *([_LOGPROBS] if given.get("logprobs") else ())]
    streaming = dict(given.get("stream_options") or {})
    streaming.pop("include_usage", None)  # This API always sends usage.
    choice: Any = given.get("tool_choice")
    converted = {
        "include": include,
        "reasoning": _reasoning(given),
        "stream_options": streaming,
        "text": _text(given),
        "tool_choice": choice if isinstance(choice, str | None) else _flat(choice),
        "tools": tools,
    }
    return {name: value for name, value in converted.items() if value}


def _include(given: Mapping[str, Any], tools: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the outputs to include: as given, or else the results of the provider's tools."""
    if "include" in given:
        return [*given["include"]]
    wanted = (INCLUDED.get(tool.get("type", "")) for tool in tools)
    return [*dict.fromkeys(output for output in wanted if output)]


def _reasoning(given: Mapping[str, Any]) -> dict[str, Any]:
    effort = given.get("reasoning_effort")
    return {**({"effort": effort} if effort else {}), **(given.get("reasoning") or {})}


def _text(given: Mapping[str, Any]) -> dict[str, Any]:
    text: dict[str, Any] = dict(given.get("text") or {})
    response_format: Mapping[str, Any] = given.get("response_format") or {}
    if response_format:
        schema: Mapping[str, Any] = response_format.get("json_schema") or {}
        text["format"] = {"type": response_format["type"], **schema}
    if given.get("verbosity"):
        text["verbosity"] = given["verbosity"]
    return text


def _flat(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool, or a choice of one, with the fields that chat completions nest by its type."""
    type_ = tool.get("type", "")
    nested = tool.get(type_)
    if not isinstance(nested, Mapping):
        return dict(tool)  # Built-in tools are flat already.
    fields = cast("Mapping[str, Any]", nested)
    return {**{name: value for name, value in tool.items() if name != type_}, **fields}


def _flat_tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if "function" not in tool:
        return _flat(tool)
    # The default of chat completions is lenient, and this API's is strict.
    defaults: dict[str, Any] = {"parameters": {"type": "object", "properties": {}}, "strict": False}
    return {**defaults, **_flat(tool)}
