"""Recognise LangChain's objects without importing LangChain, and load what adapts them."""

from __future__ import annotations

from typing import Any


def is_langchain(value: object, class_name: str) -> bool:
    """Return whether a value is an instance of a class of langchain-core."""
    return any(
        base.__name__ == class_name and base.__module__.startswith("langchain_core.")
        for base in type(value).__mro__
    )


def load_adapter(module: str, name: str) -> Any:
    """Return a function of `chatnb.langchain`, which imports this package's other modules."""
    from importlib import import_module

    return getattr(import_module(f"chatnb.langchain.{module}"), name)
