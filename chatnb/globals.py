"""Settings of the process, by LangChain's path."""

from __future__ import annotations

from typing import Any

from chatnb.chat_models.cache import get_llm_cache, set_llm_cache
from chatnb.upstream_modules import refuse_elsewhere

__all__ = ["get_llm_cache", "set_llm_cache"]


def __getattr__(name: str) -> Any:
    refuse_elsewhere(__name__, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
