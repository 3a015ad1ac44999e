"""Arguments of `ChatOpenAI` beside those in its signature, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from chatnb.chat_models.wire.model_options import (
    ModelOptions,
    request_parameters,
    warn_once,
)
from chatnb.schema.chunks import COMPLETE_REASONS
from chatnb.schema.messages import AIMessage, BaseMessage


class RequestOptions(ModelOptions, total=False):
    """The arguments of `ChatOpenAI` that are parameters of each request, and those of all models.

    Args:
        max_completion_tokens: Maximum number of tokens of the reply, by the SDK's newer name.
        frequency_penalty: Penalty for tokens by how often they occurred, -2 to 2.
        presence_penalty: Penalty for tokens that occurred, -2 to 2.
        logit_bias: Bias of single tokens, by their ids.
        service_tier: Processing tier, such as `flex` or `priority`.
        verbosity: Length of replies: `low`, `medium` or `high`.
        prompt_cache_key: Key by which similar requests share OpenAI's cache of prompts.
        prompt_cache_retention: Retention of that cache, such as `24h`.
        safety_identifier: Stable identifier of your user.
        user: The same, by its older name.
        response_format: Format of the reply; `with_structured_output` sets it as well.
        modalities: Types of output, such as `["text", "audio"]`.
        audio: Settings of audio output.
        prediction: Text that the reply is expected to repeat.
        web_search_options: Web search of the models that have it in chat completions.
        stream_options: Further settings of streams; `stream_usage` has the request of usage.
        moderation: Settings of OpenAI's moderation of the request.
        prompt_cache_options: Further settings of the cache of prompts.
        functions: Functions, by OpenAI's older name of tools.
        function_call: Choice among the functions.
        tools: Tools of each request; `bind_tools` takes functions.
        tool_choice: Choice among the tools of each request.
        parallel_tool_calls: Whether one reply may have several calls; sent along with tools.
        truncation: `auto` lets the Responses API leave out messages that do not fit the context.
        background: Have the Responses API go on with a reply when the connection breaks.
        background_options: Settings of such a reply.
        instructions: System text of the Responses API.
        conversation: OpenAI's conversation that the request belongs to.
        prompt: Prompt template that OpenAI keeps.
        text: Settings of the text of replies, of the Responses API.
        max_tool_calls: Most calls of the provider's tools.
        context_management: Rules by which the Responses API shortens the context.
        access_programs: Programs of access that the request uses.
        image: Settings of images in the reply.
        previous_response_id: Id of the response that the request continues.
        use_previous_response_id: Send only the messages after the last reply of the Responses
            API, with its id.
        output_version: Without effect, with a warning, but that `responses/v1` chooses the
            Responses API.
    """

    max_completion_tokens: int | None
    frequency_penalty: float | None
    presence_penalty: float | None
    logit_bias: Mapping[str, int] | Mapping[int, int] | None
    service_tier: str | None
    verbosity: str | None
    prompt_cache_key: str | None
    prompt_cache_retention: str | None
    safety_identifier: str | None
    user: str | None
    response_format: dict[str, Any] | None
    modalities: list[str] | None
    audio: dict[str, Any] | None
    prediction: dict[str, Any] | None
    web_search_options: dict[str, Any] | None
    stream_options: dict[str, Any] | None
    moderation: dict[str, Any] | None
    prompt_cache_options: dict[str, Any] | None
    functions: list[dict[str, Any]] | None
    function_call: str | dict[str, Any] | None
    tools: list[dict[str, Any]] | None
    tool_choice: str | dict[str, Any] | None
    parallel_tool_calls: bool | None
    truncation: str | None
    background: bool | None
    background_options: dict[str, Any] | None
    instructions: str | None
    conversation: str | dict[str, Any] | None
    prompt: dict[str, Any] | None
    text: dict[str, Any] | None
    max_tool_calls: int | None
    context_management: list[dict[str, Any]] | None
    access_programs: list[Any] | None
    image: dict[str, Any] | None
    previous_response_id: str | None
    use_previous_response_id: bool
    output_version: str | None


REQUEST_PARAMETERS = request_parameters(
    RequestOptions, "use_previous_response_id", "output_version"
)
"""The parameters of requests among the options."""

# Chat completions have none of these. OpenRouter's have `reasoning`.
_OF_RESPONSES = frozenset(
    {"truncation", "background", "previous_response_id", "use_previous_response_id"}
)
_OF_OPENAI_RESPONSES = _OF_RESPONSES | {
    *("reasoning", "include", "background_options", "instructions", "conversation", "prompt"),
    *("text", "max_tool_calls", "context_management", "access_programs", "image"),
}


def uses_responses_api(given: Mapping[str, Any], *, is_openai: bool) -> bool:
    """Return whether a model calls the Responses API: it is chosen, or an argument needs it."""
    version = given.get("output_version")
    if version and version != "responses/v1":
        warn_once(
            f"output_version={version!r} has no effect: message.content_blocks has LangChain's "
            "blocks of every reply, and message.text its text."
        )
    needed = needs_responses_api(given, is_openai=is_openai)
    return bool(needed or version == "responses/v1" or given.get("use_responses_api"))


def needs_responses_api(params: Mapping[str, Any], *, is_openai: bool) -> bool:
    """Return whether parameters, of a model or of a call, are those of the Responses API alone."""
    needing = _OF_OPENAI_RESPONSES if is_openai else _OF_RESPONSES
    # Of OpenAI's two APIs, only the Responses API runs tools itself.
    return any(params[name] for name in needing & params.keys()) or (
        is_openai and any(map(_is_provider_tool, params.get("tools") or ()))
    )


def _is_provider_tool(tool: object) -> bool:
    if not isinstance(tool, Mapping):
        return False
    return cast("Mapping[str, Any]", tool).get("type") not in ("function", "custom")


def after_last_response(
    messages: Sequence[BaseMessage],
) -> tuple[Sequence[BaseMessage], str | None]:
    """Return the messages that follow the last stored response, and its id."""
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if isinstance(message, AIMessage) and _is_whole_response(message):
            return messages[index + 1 :], message.id
    return messages, None


def _is_whole_response(message: AIMessage) -> bool:
    # The server knows no response that was broken off here.
    reason = message.response_metadata.get("finish_reason")
    return (message.id or "").startswith("resp_") and reason in COMPLETE_REASONS
