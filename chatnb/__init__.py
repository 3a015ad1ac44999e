"""chatnb puts chat models into notebooks.

Importing it loads nothing else; each name is loaded when it is first used.
"""

from __future__ import annotations

import sys

from chatnb.lazy_names import lazy_names

TYPE_CHECKING = False  # typing itself takes longer to load than all that is loaded here.

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from IPython.core.interactiveshell import InteractiveShell

    from chatnb.chat_models import (
        BaseChatModel,
        ChatAnthropic,
        ChatLocal,
        ChatOpenAI,
        ScriptedChatModel,
        init_chat_model,
    )
    from chatnb.chat_models.batch_jobs.job import BatchJob
    from chatnb.chat_models.cache import (
        InMemoryCache,
        ReplyCache,
        SQLiteCache,
        get_llm_cache,
        set_llm_cache,
    )
    from chatnb.chat_models.rate_limiter import RateLimiter
    from chatnb.conversations import Conversation
    from chatnb.errors import ChatnbError
    from chatnb.evaluation import evaluate
    from chatnb.notebook.ask import ask, compare
    from chatnb.notebook.nested_asyncio import nested_asyncio
    from chatnb.notebook.panel.panel import ChatPanel
    from chatnb.notebook.run_tree.tree import RunLogTree
    from chatnb.notebook.usage_table.table import UsageTable
    from chatnb.output_parsers import StrOutputParser
    from chatnb.prompts import ChatPromptTemplate
    from chatnb.runnables.batches.tables import mapper
    from chatnb.schema import (
        AIMessage,
        AIMessageChunk,
        HumanMessage,
        RunLog,
        RunLogPatch,
        SystemMessage,
    )
    from chatnb.testing import cassette
    from chatnb.tools import ToolLoop, run_tools, tool
    from chatnb.tracing.handlers import add_handler
    from chatnb.tracing.jsonl import JSONLHandler
    from chatnb.tracing.logging import LoggingHandler
    from chatnb.tracing.usage_tracking import budget, track_usage

if not TYPE_CHECKING:
    ModuleType = type(sys)

__version__ = "0.1.0"

__all__ = [
    "AIMessage",
    "AIMessageChunk",
    "BaseChatModel",
    "BatchJob",
    "ChatAnthropic",
    "ChatLocal",
    "ChatOpenAI",
    "ChatPanel",
    "ChatPromptTemplate",
    "ChatnbError",
    "Conversation",
    "HumanMessage",
    "InMemoryCache",
    "JSONLHandler",
    "LoggingHandler",
    "RateLimiter",
    "RunLog",
    "RunLogPatch",
    "RunLogTree",
    "SQLiteCache",
    "ScriptedChatModel",
    "StrOutputParser",
    "SystemMessage",
    "ToolLoop",
    "UsageTable",
    "add_handler",
    "ask",
    "budget",
    "cassette",
    "compare",
    "evaluate",
    "get_llm_cache",
    "init_chat_model",
    "load_ipython_extension",
    "mapper",
    "nested_asyncio",
    "run_tools",
    "set_llm_cache",
    "tool",
    "track_usage",
]


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Make `%%chat` known to a notebook: what `%load_ext chatnb` calls.

    Args:
        shell: The notebook's shell.

    Example:
        >>> from IPython import get_ipython
        >>> if shell := get_ipython():
        ...     load_ipython_extension(shell)
    """
    from chatnb.notebook import register

    register(shell)


__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "chatnb.chat_models": (
            "BaseChatModel ChatAnthropic ChatLocal ChatOpenAI ScriptedChatModel init_chat_model"
        ),
        "chatnb.chat_models.batch_jobs.job": "BatchJob",
        "chatnb.chat_models.cache": "InMemoryCache SQLiteCache get_llm_cache set_llm_cache",
        "chatnb.chat_models.rate_limiter": "RateLimiter",
        "chatnb.conversations": "Conversation",
        "chatnb.errors": "ChatnbError",
        "chatnb.evaluation": "evaluate",
        "chatnb.notebook.ask": "ask compare",
        "chatnb.notebook.nested_asyncio": "nested_asyncio",
        "chatnb.notebook.panel.panel": "ChatPanel",
        "chatnb.notebook.run_tree.tree": "RunLogTree",
        "chatnb.notebook.usage_table.table": "UsageTable",
        "chatnb.runnables.batches.tables": "mapper",
        "chatnb.output_parsers": "StrOutputParser",
        "chatnb.prompts": "ChatPromptTemplate",
        "chatnb.schema": "AIMessage AIMessageChunk HumanMessage RunLog RunLogPatch SystemMessage",
        "chatnb.testing": "cassette",
        "chatnb.tools": "ToolLoop run_tools tool",
        "chatnb.tracing.handlers": "add_handler",
        "chatnb.tracing.jsonl": "JSONLHandler",
        "chatnb.tracing.logging": "LoggingHandler",
        "chatnb.tracing.usage_tracking": "budget track_usage",
    },
)


class _Package(ModuleType):
    """The package, with the settings that LangChain's users assign to theirs."""

    @property
    def llm_cache(self) -> ReplyCache | None:
        """The cache of all models, as `get_llm_cache` returns and `set_llm_cache` sets it."""
        from chatnb.chat_models.cache import get_llm_cache

        return get_llm_cache()

    @llm_cache.setter
    def llm_cache(self, cache: ReplyCache | None) -> None:
        from chatnb.chat_models.cache import set_llm_cache

        set_llm_cache(cache)

    @property
    def debug(self) -> bool:
        """False: there is no such mode."""
        return False

    @debug.setter
    def debug(self, on: bool) -> None:
        if on:
            raise AttributeError("chatnb.add_handler(chatnb.LoggingHandler()) logs every run")

    verbose = debug


sys.modules[__name__].__class__ = _Package


class _UpstreamFinder:
    """Finds modules by LangChain's paths, once no file of the package has been found."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if not name.startswith("chatnb."):
            return None
        from chatnb.upstream_modules import find_module

        return find_module(name)


sys.meta_path.append(_UpstreamFinder)
