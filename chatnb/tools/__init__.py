"""What a model may call: tools, and the loop of calls until there is an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.errors import ToolArgumentsError, ToolRoundsError
    from chatnb.tools.approval import Reject
    from chatnb.tools.base import Tool
    from chatnb.tools.decorator import tool
    from chatnb.tools.loop import ToolLoop, arun_tools, run_tools
    from chatnb.tools.openai_tools import to_openai_tool

__all__ = [
    "Reject",
    "Tool",
    "ToolArgumentsError",
    "ToolLoop",
    "ToolRoundsError",
    "arun_tools",
    "run_tools",
    "to_openai_tool",
    "tool",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "chatnb.errors": "ToolArgumentsError ToolRoundsError",
        "chatnb.tools.approval": "Reject",
        "chatnb.tools.base": "Tool",
        "chatnb.tools.decorator": "tool",
        "chatnb.tools.loop": "ToolLoop arun_tools run_tools",
        "chatnb.tools.openai_tools": "to_openai_tool",
    },
)
