"""Arguments of `ChatAnthropic` beside those in its signature: the other fields of requests."""

from __future__ import annotations

from typing import Any

from chatnb.chat_models.wire.model_options import ModelOptions, request_parameters


class MessageOptions(ModelOptions, total=False):
    """The arguments of `ChatAnthropic` that are fields of each request, and those of all models.

    Args:
        betas: Names of beta features, such as `context-1m-2025-08-07`.
        effort: Effort that the model makes: `low`, `medium`, `high` or more; `output_config` has
            it as well.
        output_config: Settings of the output.
        mcp_servers: MCP servers that Anthropic calls; with the beta feature for it.
        container: Container that the tools of the provider run in.
        context_management: Rules by which Anthropic shortens the context.
        compaction: Settings of a request that has the messages summarized.
        cache_control: Cache breakpoint after the last block: `{"type": "ephemeral"}`.
        inference_geo: Region of the inference.
        service_tier: Processing tier: `auto` or `standard_only`.
        speed: `fast` for faster replies at a higher price.
        fallbacks: Models that answer where this one declines, or `default`.
        fallback_credit_token: Token of a refusal, for the request that repeats it.
        billing_policy: Organization that is billed.
        diagnostics: Diagnostics of the cache of prompts.
        thread: Conversation that the server keeps.
        user_profile_id: Profile of your user.
        workspace_id: Workspace of the request.
        tools: Tools of each request; `bind_tools` takes functions.
        tool_choice: Choice among the tools of each request.
        parallel_tool_calls: Whether one reply may have several calls.
        response_format: Format of the reply; `with_structured_output` sets it as well.
    """

    betas: list[str] | None
    effort: str | None
    output_config: dict[str, Any] | None
    mcp_servers: list[dict[str, Any]] | None
    container: str | dict[str, Any] | None
    context_management: dict[str, Any] | None
    compaction: dict[str, Any] | None
    cache_control: dict[str, Any] | None
    inference_geo: str | None
    service_tier: str | None
    speed: str | None
    fallbacks: str | list[dict[str, Any]] | None
    fallback_credit_token: str | dict[str, Any] | None
    billing_policy: dict[str, Any] | None
    diagnostics: dict[str, Any] | None
    thread: dict[str, Any] | None
    user_profile_id: str | None
    workspace_id: str | None
    tools: list[dict[str, Any]] | None
    tool_choice: str | dict[str, Any] | None
    parallel_tool_calls: bool | None
    response_format: dict[str, Any] | None


REQUEST_PARAMETERS = request_parameters(MessageOptions)
"""The fields of requests among the options."""
