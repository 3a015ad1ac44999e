"""Changes of other modules: right after their import, and functions in place of theirs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Action = Callable[[ModuleType], object]


def after_import(actions: dict[str, Action]) -> None:
    """Call each action with its module, now or once it is imported."""
    for name, action in actions.items():
        if name in sys.modules:
            action(sys.modules[name])
    waiting = {name: action for name, action in actions.items() if name not in sys.modules}
    sys.meta_path.insert(0, _Finder(waiting))


def replace_function(module: ModuleType, name: str, function: Callable[..., Any]) -> None:
    """Put a function in place of a module's function, also for pools of processes.

    They send the name of a function, and only that of one which is found by it.
    """
    function.__module__, function.__name__, function.__qualname__ = module.__name__, name, name
    function.__doc__ = getattr(module, name).__doc__
    setattr(module, name, function)


class _Finder(MetaPathFinder):
    """Finds modules as the other finders do, and has their actions called."""

    def __init__(self, actions: dict[str, Action]) -> None:
        self._actions = actions

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._actions:
            return None
        for finder in sys.meta_path:
            find: Any = getattr(finder, "find_spec", None)
            found = None if finder is self or find is None else find(fullname, path, target)
            if found is not None:
                if found.loader is not None:
                    found.loader = _Loader(found.loader, self._actions[fullname])
                return found
        return None


class _Loader(Loader):
    """Loads a module as another loader does, and calls an action with it."""

    def __init__(self, loader: Loader, action: Action) -> None:
        self._loader = loader
        self._action = action

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # Some modules look at their own loader.
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._action(module)
