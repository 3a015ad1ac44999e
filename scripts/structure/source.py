"""The sizes of Python files, their docstrings and comments, and the code that they repeat."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, count, pairwise
from pathlib import Path
from typing import TypeAlias, TypeGuard

DUPLICATE_LINES = 6
_WH_WORD = re.compile(r"(what|who|whoever|whose|where|how|whether|when|why|which)\b", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#\s*(noqa|type:|pyright:|pragma:|fmt:|ruff:)")
_NO_CODE = frozenset(
    {
        tokenize.COMMENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
        tokenize.INDENT,
        tokenize.NEWLINE,
        tokenize.NL,
    }
)
_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_Documented: TypeAlias = ast.Module | ast.ClassDef | _Function
_Position: TypeAlias = tuple[int, int]
"""The index of a file, and of a line within it."""


@dataclass(frozen=True)
class Docstring:
    """A string that documents a module, a class, a function or, under it, an attribute."""

    line: int
    last_line: int
    text: str
    of_attribute: bool

    @property
    def opens_with_wh_word(self) -> bool:
        """Return whether its first word is What, Who, Where, How, Whether, ..."""
        return _WH_WORD.match(self.text.lstrip()) is not None


@dataclass(frozen=True)
class Comment:
    """A comment; a directive is for a checker, such as `# noqa`."""

    line: int
    text: str

    @property
    def is_directive(self) -> bool:
        return _DIRECTIVE.match(self.text) is not None


@dataclass(frozen=True)
class SourceFile:
    """A Python file.

    Args:
        path: Its path from the root of the checkout.
        text: Its content.
    """

    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def docstrings(self) -> list[Docstring]:
        return list(_docstrings(self.tree))

    @cached_property
    def comments(self) -> list[Comment]:
        return [
            Comment(token.start[0], token.string)
            for token in self._tokens
            if token.type == tokenize.COMMENT
        ]

    @cached_property
    def code(self) -> dict[int, str]:
        """The lines with code by number, without blanks, comments and docstrings."""
        left_out = {
            line
            for docstring in self.docstrings
            for line in range(docstring.line, docstring.last_line + 1)
        }
        numbers = dict.fromkeys(
            line
            for token in self._tokens
            if token.type not in _NO_CODE
            for line in range(token.start[0], token.end[0] + 1)
            if line not in left_out
        )
        return {number: self.lines[number - 1].strip() for number in numbers}

    @property
    def function_lengths(self) -> list[int]:
        """The lines of each function from `def` to its end, without its docstring."""
        return [
            _last_line(node) - node.lineno + 1 - _docstring_lines(node)
            for node in ast.walk(self.tree)
            if isinstance(node, _Function)
        ]

    @cached_property
    def _tokens(self) -> list[tokenize.TokenInfo]:
        return list(tokenize.generate_tokens(io.StringIO(self.text).readline))


@dataclass(frozen=True)
class Duplicate:
    """Two equal runs of code lines, each as its path, its first and its last line."""

    lines: int
    first: tuple[Path, int, int]
    second: tuple[Path, int, int]

    def __str__(self) -> str:
        first, second = (f"{path}:{start}-{end}" for path, start, end in (self.first, self.second))
        return f"{first} {second} ({self.lines} lines)"


def read_package(package: Path) -> list[SourceFile]:
    """Read every Python file of a package."""
    return [
        SourceFile(path.relative_to(package.parent), path.read_text(encoding="utf-8"))
        for path in sorted(package.rglob("*.py"))
    ]


def find_duplicates(files: Iterable[SourceFile]) -> list[Duplicate]:
    """Find the pairs of equal runs, in two files or twice in one.

    As in pylint's `duplicate-code`, only code lines with a word on them are compared; imports and
    `__all__` are left out. Three copies of one run are three pairs.
    """
    sources = [(file.path, list(_comparable_lines(file))) for file in files]
    windows = defaultdict[tuple[str, ...], list[_Position]](list)
    for index, (_, lines) in enumerate(sources):
        for start in range(len(lines) - DUPLICATE_LINES + 1):
            window = tuple(text for _, text in lines[start : start + DUPLICATE_LINES])
            windows[window].append((index, start))
    starts = {pair for positions in windows.values() for pair in combinations(positions, 2)}

    def located(position: _Position, length: int) -> tuple[Path, int, int]:
        path, lines = sources[position[0]]
        return path, lines[position[1]][0], lines[position[1] + length - 1][0]

    return sorted(
        (
            Duplicate(length, located(first, length), located(second, length))
            for first, second, length in _longest_runs(starts)
        ),
        key=lambda run: (-run.lines, run.first, run.second),
    )


def _longest_runs(
    starts: set[tuple[_Position, _Position]],
) -> Iterator[tuple[_Position, _Position, int]]:
    def moved(pair: tuple[_Position, _Position], by: int) -> tuple[_Position, _Position]:
        (file, line), (other_file, other_line) = pair
        return (file, line + by), (other_file, other_line + by)

    for pair in starts:
        if moved(pair, -1) in starts:
            continue
        length = next(by for by in count(1) if moved(pair, by) not in starts) - 1 + DUPLICATE_LINES
        first, second = pair
        # A line that is repeated over and over is equal to itself, one line further down.
        if first[0] != second[0] or second[1] - first[1] >= length:
            yield first, second, length


def _comparable_lines(file: SourceFile) -> Iterator[tuple[int, str]]:
    left_out = {
        line
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Import | ast.ImportFrom) or _is_export_list(node)
        for line in range(node.lineno, _last_line(node) + 1)
    }
    for number, text in file.code.items():
        if number not in left_out and re.search(r"\w", text):
            yield number, text


def _is_export_list(node: ast.AST) -> TypeGuard[ast.Assign]:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def _docstrings(tree: ast.Module) -> Iterator[Docstring]:
    for node in ast.walk(tree):
        if not isinstance(node, _Documented):
            continue
        for before, statement in pairwise([None, *node.body]):
            of_attribute = isinstance(before, ast.Assign | ast.AnnAssign)
            match statement:
                case ast.Expr(ast.Constant(str(text))) if before is None or of_attribute:
                    last = _last_line(statement)
                    yield Docstring(statement.lineno, last, text, of_attribute)


def _docstring_lines(function: _Function) -> int:
    first = function.body[0]
    has_docstring = ast.get_docstring(function, clean=False) is not None
    return _last_line(first) - first.lineno + 1 if has_docstring else 0


def _last_line(node: ast.stmt | ast.expr) -> int:
    return node.end_lineno or node.lineno
