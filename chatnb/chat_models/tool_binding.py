"""Chat models that are told of tools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from chatnb.runnables.base import Runnable
from chatnb.schema.coercion import ChatInput
from chatnb.schema.messages import AIMessage
from chatnb.tools.call_check import CallCheck
from chatnb.tools.openai_tools import ToolLike, to_openai_tools
from chatnb.tools.tool_choice import ToolChoice, to_openai_tool_choice


class ToolBinding:
    """Tools for a chat model that is told of them by `tools` and `tool_choice`."""

    def bind_tools(
        self,
        tools: Sequence[ToolLike],
        *,
        tool_choice: ToolChoice | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
    ) -> Runnable[ChatInput, AIMessage]:
        """This chat model with tools that it may call.

        Calls of other tools, and calls whose arguments do not fit, are among the
        `invalid_tool_calls` of its replies, with the reason.

        Args:
            tools: Functions, `Tool`s, Pydantic models, OpenAI's or Anthropic's dicts, or JSON
                schemas with a title. What the provider has built in, such as
                `{"type": "web_search"}`, goes to it as it is.
            tool_choice: `auto`, `none`, `required` (or `any`, or True), or the name of the tool
                that the model is to call.
            strict: Whether the provider is to hold the model to the schemas.
            parallel_tool_calls: Whether one reply may have several calls.

        Returns:
            A runnable with the verbs of the model.

        Raises:
            TypeError: If something describes no tool.
            ValueError: If two tools have one name, or `tool_choice` names none of them.

        Example:
            >>> from chatnb.chat_models import ScriptedChatModel
            >>> def add(a: int, b: int) -> int:
            ...     return a + b
            >>> call = {"name": "add", "args": {"a": 1}, "id": "c1"}
            >>> chat = ScriptedChatModel([AIMessage("", tool_calls=[call])]).bind_tools([add])
            >>> chat.invoke("What is 1 + 2?").invalid_tool_calls[0]["error"]
            'The arguments do not fit add: b: Field required'
        """
        written = to_openai_tools(tools, strict=strict)
        given: dict[str, Any] = {"tools": written} if written else {}
        if tool_choice is not None:
            given["tool_choice"] = to_openai_tool_choice(tool_choice, written)
        if parallel_tool_calls is not None:
            given["parallel_tool_calls"] = parallel_tool_calls
        chat = cast("Runnable[ChatInput, AIMessage]", self)
        return (chat | CallCheck(tools)).bind(**given)
