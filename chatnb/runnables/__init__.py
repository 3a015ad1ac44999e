"""What can be run, and how it composes."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chatnb.runnables.base import Runnable
    from chatnb.runnables.batch import BatchError, BatchInterrupted
    from chatnb.runnables.binding import RunnableBinding
    from chatnb.runnables.branch import RunnableBranch
    from chatnb.runnables.chunks import AddableDict
    from chatnb.runnables.config import RunnableConfig, ensure_config
    from chatnb.runnables.configurable import ConfigurableField, RunnableConfigurableFields
    from chatnb.runnables.each import RunnableEach
    from chatnb.runnables.fallbacks import RunnableWithFallbacks
    from chatnb.runnables.function import RunnableLambda
    from chatnb.runnables.generator import RunnableGenerator
    from chatnb.runnables.graph import Graph
    from chatnb.runnables.parallel import RunnableParallel
    from chatnb.runnables.passthrough import RunnableAssign, RunnablePassthrough, RunnablePick
    from chatnb.runnables.retry import RunnableRetry
    from chatnb.runnables.sequence import RunnableSequence

__all__ = [
    "AddableDict",
    "BatchError",
    "BatchInterrupted",
    "ConfigurableField",
    "Graph",
    "Runnable",
    "RunnableAssign",
    "RunnableBinding",
    "RunnableBranch",
    "RunnableConfig",
    "RunnableConfigurableFields",
    "RunnableEach",
    "RunnableGenerator",
    "RunnableLambda",
    "RunnableParallel",
    "RunnablePassthrough",
    "RunnablePick",
    "RunnableRetry",
    "RunnableSequence",
    "RunnableWithFallbacks",
    "ensure_config",
]

_MODULES = {
    "AddableDict": "chunks",
    "BatchError": "batch",
    "BatchInterrupted": "batch",
    "ConfigurableField": "configurable",
    "Graph": "graph",
    "Runnable": "base",
    "RunnableAssign": "passthrough",
    "RunnableBinding": "binding",
    "RunnableBranch": "branch",
    "RunnableConfig": "config",
    "RunnableConfigurableFields": "configurable",
    "RunnableEach": "each",
    "RunnableGenerator": "generator",
    "RunnableLambda": "function",
    "RunnableParallel": "parallel",
    "RunnablePassthrough": "passthrough",
    "RunnablePick": "passthrough",
    "RunnableRetry": "retry",
    "RunnableSequence": "sequence",
    "RunnableWithFallbacks": "fallbacks",
    "ensure_config": "config",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
