"""LangChain's modules and their names: what is another one here, and pointers.

They are listed in `upstream_names.toml`, which is read once something of chatnb's was not found.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_PACKAGES = (
    *("chatnb", "chatnb.chat_models", "chatnb.schema", "chatnb.prompts", "chatnb.output_parsers"),
    *("chatnb.runnables", "chatnb.tools", "chatnb.tracing", "chatnb.caches", "chatnb.errors"),
)


@cache
def _table(name: str) -> dict[str, str]:
    """Return a table of the file, by each of the names that its values list."""
    import tomllib
    from importlib.resources import files

    text = files("chatnb").joinpath("upstream_names.toml").read_text("utf-8")
    return {item: key for key, names in tomllib.loads(text)[name].items() for item in names.split()}


def find_module(name: str) -> ModuleSpec | None:
    """Return the spec of a module of LangChain's path, for the import system.

    Raises:
        ModuleNotFoundError: If chatnb has something else instead, with a pointer to it.
    """
    path = name.removeprefix("chatnb.")
    if pointer := _table("modules_elsewhere").get(path):
        raise ModuleNotFoundError(f"No module named {name!r}: {pointer}", name=name)
    target = _table("same_modules").get(path)
    return ModuleSpec(name, _OtherModule(target), is_package=True) if target else None


def find_name(module: str, name: str) -> Any:
    """Return the value of a name of LangChain's that is another one here.

    Raises:
        AttributeError: If it is none of LangChain's, and no public name of chatnb's.
        ImportError: If chatnb has something else instead, or has it elsewhere.
    """
    if target := _table("same_names").get(name):
        package, _, own_name = target.partition(":")
        return getattr(import_module(package), own_name)
    # The message of an AttributeError is lost in `from module import name`.
    if pointer := _pointer(name):
        raise ImportError(f"cannot import name {name!r} from {module!r}: {pointer}", name=name)
    raise AttributeError(f"module {module!r} has no attribute {name!r}", name=name)


def _pointer(name: str) -> str | None:
    if pointer := _table("names_elsewhere").get(name):
        return pointer
    if provider := _table("models").get(name):
        return f'chatnb.init_chat_model("{provider}:NAME") is a chat model of it'
    if not name[:1].isupper():
        return None  # Names such as `pytestmark` are asked of every module.
    homes = (package for package in _PACKAGES if name in _public_names(package))
    return next((f"it is {home}.{name}" for home in homes), None)


@cache
def _public_names(package: str) -> frozenset[str]:
    module = import_module(package)
    return frozenset(getattr(module, "__all__", None) or vars(module))


class _OtherModule(Loader):
    """Loads a module that has the names of another one."""

    def __init__(self, target: str) -> None:
        self._target = target

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Have the import system make a module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Give it the names of the other one, each when it is used."""
        target = import_module(self._target)

        def load(name: str) -> Any:
            try:
                return getattr(target, name)
            except AttributeError:
                if name.startswith("_"):
                    raise
                return find_name(module.__name__, name)

        vars(module).update(__getattr__=load, __doc__=target.__doc__)
        if (names := getattr(target, "__all__", None)) is not None:
            vars(module)["__all__"] = names
