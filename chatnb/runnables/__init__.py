"""Runnables: interfaces to invoke, stream, batch and compose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.conversations.message_history import RunnableWithMessageHistory
    from chatnb.runnables.base import Runnable
    from chatnb.runnables.batches.batch import BatchError, BatchInterrupted
    from chatnb.runnables.binding import (
        ConfigurableField,
        RunnableBinding,
        RunnableConfigurableFields,
        RunnableEach,
    )
    from chatnb.runnables.branch import RunnableBranch
    from chatnb.runnables.chunks import AddableDict
    from chatnb.runnables.config import RunnableConfig, ensure_config
    from chatnb.runnables.functions import RunnableGenerator, RunnableLambda, chain
    from chatnb.runnables.graph import Graph
    from chatnb.runnables.parallel import RunnableParallel
    from chatnb.runnables.passthrough import RunnableAssign, RunnablePassthrough, RunnablePick
    from chatnb.runnables.retry import RunnableRetry, RunnableWithFallbacks
    from chatnb.runnables.sequence import RunnableSequence
    from chatnb.runnables.wrappers.alternatives import RunnableConfigurableAlternatives
    from chatnb.runnables.wrappers.listeners import RunnableWithListeners

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
    "RunnableConfigurableAlternatives",
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
    "RunnableWithListeners",
    "RunnableWithMessageHistory",
    "chain",
    "ensure_config",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        # It keeps the messages in conversations, and so belongs to a package above this one.
        "chatnb.conversations.message_history": "RunnableWithMessageHistory",
        "chatnb.runnables.base": "Runnable",
        "chatnb.runnables.batches.batch": "BatchError BatchInterrupted",
        "chatnb.runnables.binding": (
            "ConfigurableField RunnableBinding RunnableConfigurableFields RunnableEach"
        ),
        "chatnb.runnables.branch": "RunnableBranch",
        "chatnb.runnables.chunks": "AddableDict",
        "chatnb.runnables.config": "RunnableConfig ensure_config",
        "chatnb.runnables.functions": "RunnableGenerator RunnableLambda chain",
        "chatnb.runnables.graph": "Graph",
        "chatnb.runnables.parallel": "RunnableParallel",
        "chatnb.runnables.passthrough": "RunnableAssign RunnablePassthrough RunnablePick",
        "chatnb.runnables.retry": "RunnableRetry RunnableWithFallbacks",
        "chatnb.runnables.sequence": "RunnableSequence",
        "chatnb.runnables.wrappers.alternatives": "RunnableConfigurableAlternatives",
        "chatnb.runnables.wrappers.listeners": "RunnableWithListeners",
    },
)
