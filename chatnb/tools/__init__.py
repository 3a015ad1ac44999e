"""Tools that a model may call, and the loop of calls until it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.errors import ToolArgumentsError, ToolRoundsError
    from chatnb.notebook.kernel_tools import dataframe_head, describe_variable, run_python
    from chatnb.tools.base import StructuredTool, Tool
    from chatnb.tools.decorator import tool
    from chatnb.tools.execution import Reject
    from chatnb.tools.handled_errors import ToolException
    from chatnb.tools.injected import InjectedToolArg, InjectedToolCallId
    from chatnb.tools.loop import ToolLoop, arun_tools, run_tools
    from chatnb.tools.mcp import McpTools, mcp_tools
    from chatnb.tools.openai_schema import to_openai_tool
    from chatnb.tools.provider_tools import (
        code_interpreter,
        file_search,
        image_generation,
        web_search,
    )

__all__ = [
    "InjectedToolArg",
    "InjectedToolCallId",
    "McpTools",
    "Reject",
    "StructuredTool",
    "Tool",
    "ToolArgumentsError",
    "ToolException",
    "ToolLoop",
    "ToolRoundsError",
    "arun_tools",
    "code_interpreter",
    "dataframe_head",
    "describe_variable",
    "file_search",
    "image_generation",
    "mcp_tools",
    "run_python",
    "run_tools",
    "to_openai_tool",
    "tool",
    "web_search",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "chatnb.errors": "ToolArgumentsError ToolRoundsError",
        "chatnb.tools.base": "StructuredTool Tool",
        "chatnb.tools.decorator": "tool",
        "chatnb.tools.execution": "Reject",
        "chatnb.tools.handled_errors": "ToolException",
        "chatnb.tools.injected": "InjectedToolArg InjectedToolCallId",
        "chatnb.tools.loop": "ToolLoop arun_tools run_tools",
        "chatnb.tools.mcp": "McpTools mcp_tools",
        "chatnb.tools.openai_schema": "to_openai_tool",
        "chatnb.tools.provider_tools": "code_interpreter file_search image_generation web_search",
        # They need IPython, which this package does without.
        "chatnb.notebook.kernel_tools": "dataframe_head describe_variable run_python",
    },
)
