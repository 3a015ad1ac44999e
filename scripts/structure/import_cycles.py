"""The import graph of a package, and its cycles at import time, with typing, with lazy imports."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from source import SourceFile

When: TypeAlias = Literal["at import time", "with TYPE_CHECKING", "with lazy imports"]
_WHENS: tuple[When, ...] = ("at import time", "with TYPE_CHECKING", "with lazy imports")
_Graph: TypeAlias = Mapping[str, set[str]]


@dataclass(frozen=True)
class _Import:
    """One imported module, or name of a module, and when it is imported."""

    module: str
    name: str | None
    when: When


@dataclass
class _Imports(ast.NodeVisitor):
    """Collects the imports of one module.

    Args:
        package: The package that relative imports start from.
    """

    package: str
    found: list[_Import] = field(default_factory=list)
    when: When = "at import time"

    def visit_Import(self, node: ast.Import) -> None:
        self.found += [_Import(alias.name, None, self.when) for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        above = self.package.split(".")[: -(node.level - 1) or None] if node.level else []
        module = ".".join([*above, *([node.module] if node.module else [])])
        self.found += [_Import(module, alias.name, self.when) for alias in node.names]

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" in ast.unparse(node.test):
            self._visit_all(node.body, "with TYPE_CHECKING")
            self._visit_all(node.orelse, self.when)
        else:
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._visit_all(node.body, "with lazy imports")

    visit_AsyncFunctionDef = visit_FunctionDef

    def _visit_all(self, statements: Iterable[ast.stmt], when: When) -> None:
        before, self.when = self.when, when
        for statement in statements:
            self.visit(statement)
        self.when = before


def import_cycles(files: Iterable[SourceFile]) -> dict[When, list[list[str]]]:
    """Find the strongly connected components of more than one module.

    A name that a package only re-exports counts as imported from the package and from the module
    that defines it. A submodule does not count as importing the packages above it.

    Returns:
        Three lists: of the imports at import time, of those and the ones under `TYPE_CHECKING`,
        and of all, those within functions too.
    """
    imports = {_module_name(file.path): _imports(file) for file in files}
    graph = defaultdict[str, set[str]](set)
    cycles = dict[When, list[list[str]]]()
    for when in _WHENS:
        for module, imported in imports.items():
            graph[module].update(_targets(imports, imported, when) - {module})
        cycles[when] = sorted(
            (sorted(component) for component in _components(graph) if len(component) > 1),
            key=lambda component: (-len(component), component),
        )
    return cycles


def _module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(file: SourceFile) -> list[_Import]:
    collector = _Imports(".".join(file.path.parent.parts))
    collector.visit(file.tree)
    return collector.found


def _targets(
    imports: Mapping[str, list[_Import]], imported: Iterable[_Import], when: When
) -> set[str]:
    return {
        target
        for each in imported
        if each.when == when
        for target in _resolved(imports, each.module, each.name)
        if target in imports
    }


def _resolved(imports: Mapping[str, list[_Import]], module: str, name: str | None) -> Iterator[str]:
    """Yield the module, or the submodule of that name, and the modules it has the name from."""
    submodule = f"{module}.{name}"
    if submodule in imports:
        yield submodule
        return
    yield module
    for exported in imports.get(module, []):
        is_lazy = exported.when == "with lazy imports"
        if name is not None and exported.name == name and not is_lazy:
            yield from _resolved(imports, exported.module, name)


def _components(graph: _Graph) -> list[list[str]]:
    """Return the strongly connected components, by Tarjan's algorithm."""
    index = dict[str, int]()
    low = dict[str, int]()
    stack = list[str]()
    components = list[list[str]]()

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph.get(node, ()):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            position = stack.index(node)
            components.append(stack[position:])
            del stack[position:]

    for node in list(graph):
        if node not in index:
            visit(node)
    return components
