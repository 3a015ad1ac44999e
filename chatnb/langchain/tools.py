"""LangChain's tools as tools of chatnb's, and chatnb's as LangChain's."""

from __future__ import annotations

from typing import Any, cast

from langchain_core.runnables import RunnableConfig as LangChainConfig
from langchain_core.tools import BaseTool, StructuredTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from chatnb.runnables.config import RunnableConfig
from chatnb.schema.messages import ToolMessage
from chatnb.schema.tool_calls import tool_call
from chatnb.tools.base import Tool

_CONFIG_KEYS = ("configurable", "metadata", "tags")


def tool_from_langchain(tool: BaseTool) -> LangChainTool:
    """Use a tool of LangChain's in chatnb.

    Args:
        tool: A `StructuredTool`, what `@tool` of langchain-core makes, or another `BaseTool`.

    Returns:
        A tool of chatnb's, with the same name, description and arguments.

    Example:
        >>> from langchain_core.tools import tool
        >>> @tool
        ... def double(n: int) -> int:
        ...     '''Double a number.'''
        ...     return 2 * n
        >>> tool_from_langchain(double).invoke({"n": 2})
        4
    """
    return LangChainTool(tool)


def tool_to_langchain(tool: Tool) -> BaseTool:
    """Use a tool of chatnb's in LangChain.

    Args:
        tool: The tool; what `tool_from_langchain` made becomes what it was.

    Returns:
        A tool of LangChain's, with the same name, description, arguments and artifacts.

    Example:
        >>> def double(n: int) -> int:
        ...     return 2 * n
        >>> tool_to_langchain(Tool(double)).invoke({"n": 2})
        '4'
    """
    if isinstance(tool, LangChainTool):
        return tool.langchain_tool

    # LangChain makes the message, and its artifact is that of chatnb's message.
    def call(**args: Any) -> tuple[Any, Any]:
        return _content_and_artifact(tool.invoke(tool_call(name=tool.name, args=args, id="")))

    async def acall(**args: Any) -> tuple[Any, Any]:
        return _content_and_artifact(
            await tool.ainvoke(tool_call(name=tool.name, args=args, id=""))
        )

    return StructuredTool(
        name=tool.name,
        description=tool.description,
        args_schema={"title": tool.name, **tool.parameters},
        func=call,
        coroutine=acall,
        response_format="content_and_artifact",
    )


def _content_and_artifact(answer: Any) -> tuple[Any, Any]:
    message = cast("list[ToolMessage]", answer)[-1] if isinstance(answer, list) else answer
    return message.content, message.artifact


class LangChainTool(Tool):
    """A tool of LangChain's, which validates and injects its arguments itself."""

    def __init__(self, tool: BaseTool) -> None:
        described: dict[str, Any] = convert_to_openai_tool(tool)["function"]
        super().__init__(
            tool.invoke,
            name=described["name"],
            description=described.get("description", ""),
            args_schema=described.get("parameters") or {},
            return_direct=tool.return_direct,
            extras=tool.extras,
        )
        self.langchain_tool, self._injected = tool, {}
        self._is_async = getattr(tool, "func", tool) is None
        own = type(tool)._arun is not BaseTool._arun  # pyright: ignore[reportPrivateUsage]
        self._has_async = getattr(tool, "coroutine", own if own else None) not in (None, False)

    def _run(self, args: dict[str, Any], call_id: str | None, inner: RunnableConfig | None) -> Any:
        return self.langchain_tool.invoke(self._input(args, call_id), _langchain_config(inner))

    async def _arun(
        self, args: dict[str, Any], call_id: str | None, inner: RunnableConfig | None
    ) -> Any:
        return await self.langchain_tool.ainvoke(
            self._input(args, call_id), _langchain_config(inner)
        )

    def _input(self, args: dict[str, Any], call_id: str | None) -> Any:
        if call_id is None:
            return args
        return {"name": self.langchain_tool.name, "args": args, "id": call_id, "type": "tool_call"}


def _langchain_config(config: RunnableConfig | None) -> LangChainConfig:
    # Handlers get the run of chatnb's tool, and would get LangChain's run of it as well.
    given = (config or RunnableConfig()).items()
    return cast("LangChainConfig", {key: value for key, value in given if key in _CONFIG_KEYS})
