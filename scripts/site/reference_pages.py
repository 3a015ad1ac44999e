"""The pages of the reference: each public name once, from its docstring."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

# Deeper packages first: a name that several export is described where it is at home.
MODULES = {
    "chatnb.chat_models": "Chat models",
    "chatnb.schema": "Messages and run logs",
    "chatnb.prompts": "Prompts",
    "chatnb.output_parsers": "Output parsers",
    "chatnb.runnables": "Runnables",
    "chatnb.structured_output": "Structured output",
    "chatnb.tools": "Tools",
    "chatnb.tracing": "Handlers",
    "chatnb.conversations": "Conversations",
    "chatnb.store": "The store",
    "chatnb.langchain": "LangChain",
    "chatnb.testing": "Cassettes",
    "chatnb.evaluation": "Evaluations",
    "chatnb.errors": "Errors",
    "chatnb": "chatnb",
}


def write_reference(folder: Path) -> None:
    """Write a page for each public module, and one that lists them."""
    folder.mkdir()
    homes = dict[int, str]()
    rows = list[str]()
    for name, title in MODULES.items():
        module = importlib.import_module(name)
        file = f"{name.rpartition('.')[2]}.md"
        (folder / file).write_text(page(module, title, homes, file), "utf-8")
        rows.append(f"| [`{name}`]({file}) | {title} |")
    table = "\n".join(reversed(rows))
    (folder / "index.md").write_text(f"# Reference\n\n| module | |\n|---|---|\n{table}\n", "utf-8")


def page(module: ModuleType, title: str, homes: dict[int, str], file: str) -> str:
    """Return a module's page: its own names in full, and links to names that live elsewhere."""
    own, others = list[str](), list[str]()
    for name, value in public_names(module):
        path = defining_path(module, name, value)
        if id(value) in homes:
            others.append(f"- [`{name}`]({homes[id(value)]})")
            continue
        homes[id(value)] = f"{file}#{path}"
        own.append(f"::: {path}\n")
    intro = inspect.getdoc(module) or ""
    parts = [f"# {title}", f"`{module.__name__}`: {intro}", *own]
    if others:
        parts += ["## Also here", "\n".join(others)]
    return "\n\n".join(parts) + "\n"


def public_names(module: ModuleType) -> Iterator[tuple[str, object]]:
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and value.__module__.startswith(module.__name__)
    ]
    for name in names:
        yield name, getattr(module, name)


def defining_path(module: ModuleType, name: str, value: object) -> str:
    """Return the path by which a static reader of the source finds a name."""
    if inspect.isclass(value) or inspect.isfunction(value):
        return f"{value.__module__}.{value.__qualname__}"
    defined = re.compile(rf"^(?:(?:async )?def |type |){name}\b", re.MULTILINE)
    for other in [*sys.modules.values()]:
        is_ours = getattr(other, "__name__", "").startswith("chatnb.")
        if is_ours and vars(other).get(name) is value and defined.search(inspect.getsource(other)):
            return f"{other.__name__}.{name}"
    return f"{module.__name__}.{name}"
