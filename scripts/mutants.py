"""Mutate the code in a seeded sample of places, and print the mutants that the tests let live.

`make mutants SEED=1 COUNT=60 FILES="chatnb/store/*.py"`. Without FILES, files that have changed
since the commit SINCE are mutated. It ends with an error if a mutant survives.
"""

# mutmut and cosmic-ray mutate whole files, and know neither samples nor commits. The tests of a
# module are its doctests, those in its folder (tests/ mirrors chatnb/) and those that name it; a
# mutant is tried by those of them that enter its line, and then by the slow ones of its module,
# whose processes nobody measures. Lines that none of them enters, or only an import, such as a
# default of a parameter, are tried by all of them and by the tests of the whole package.

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeGuard, cast

import pytest
from coverage import Coverage, CoverageData

ROOT = Path(__file__).parents[1]
COPY = ROOT / ".venv" / "mutants"
_COPIED = (
    "chatnb",
    "tests",
    "docs",
    "notebooks",
    "scripts",
    "conftest.py",
    "pyproject.toml",
    "README.md",
)
_HEADLESS = "not browser and not lab and not packaging and not thorough"
_QUICK, _SLOW = f"{_HEADLESS} and not slow", f"{_HEADLESS} and slow"
_NO_TESTS = 5
# The tests of the whole package.
_WHOLE = [
    "tests/docs/test_code_blocks.py",
    "tests/test_errors.py",
    "tests/test_limits.py",
    "tests/test_public_api.py",
]
_MANY_FILES = 20
_OTHERS = 200  # The tests of other modules that are tried with a module's own.
# What nbval imports at each start takes longer than most tests.
_UNUSED = ("nbval", "randomly", "cacheprovider")
_SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
}


class Mutant(NamedTuple):
    """A file with one place changed: its line, and that in which its statement begins."""

    path: Path
    line: int
    statement: int
    change: str
    source: str


class Place(NamedTuple):
    """A node that can be mutated: its file, and its number in a walk through the tree."""

    path: Path
    number: int


def places(path: Path, *, failures: bool) -> Iterator[Place]:
    """Yield every place of a file that can be mutated, or those where errors are handled."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    handled = {id(node) for node in _in_failures(tree)}
    for index, node in enumerate(ast.walk(tree)):
        if (not failures or id(node) in handled) and _can_mutate(node):
            yield Place(path, index)


def mutant(place: Place) -> Mutant:
    """Return the mutant of a place."""
    tree = ast.parse(place.path.read_text(encoding="utf-8"))
    node = [*ast.walk(tree)][place.number]
    line = getattr(node, "lineno", 0)
    statement = max((at.lineno for at in ast.walk(tree) if _is_around(at, line)), default=line)
    before, after = ast.unparse(node), _mutate(tree, node)
    change = f"{before} -> {after}".replace("\n", " ")[:150]
    return Mutant(place.path, line, statement, change, ast.unparse(ast.fix_missing_locations(tree)))


def _is_around(node: ast.AST, line: int) -> TypeGuard[ast.stmt]:
    return isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0)


def _can_mutate(node: ast.AST) -> bool:
    match node:
        case ast.If(test=test) | ast.IfExp(test=test) if _is_of_another_run(test):
            return False
        case ast.Compare() if _is_of_another_run(node):
            return False
        case ast.Raise(exc=ast.Name(id="NotImplementedError")):
            return False  # Subclasses have such a method of their own.
        case ast.Compare(ops=[op, *_]) | ast.BoolOp(op=op) | ast.BinOp(op=op):
            return type(op) in _SWAPPED
        case ast.Return(value=ast.expr() as value):
            return not _is_none(value)
        case ast.Constant(value=bool() | int() | float()) | ast.UnaryOp(op=ast.Not()):
            return True
        case ast.Expr(value=ast.Call()) | ast.Raise() | ast.AugAssign():
            return True
        case _:
            return isinstance(node, ast.If | ast.IfExp | ast.While)


def _is_of_another_run(test: ast.expr) -> bool:
    """Return whether only a type checker, another Python or another system takes a branch."""
    text = ast.unparse(test)
    return text == "TYPE_CHECKING" or text.startswith(
        ("sys.version_info", "sys.platform", "os.name")
    )


def _mutate(tree: ast.AST, node: ast.AST) -> str:
    """Change a node in its tree, and return what it is now."""
    match node:
        case ast.Compare(ops=[op, *_]):
            node.ops = [_SWAPPED[type(op)](), *node.ops[1:]]  # pyright: ignore[reportAttributeAccessIssue]
        case ast.BoolOp(op=op) | ast.BinOp(op=op):
            node.op = _SWAPPED[type(op)]()  # pyright: ignore[reportAttributeAccessIssue]
        case ast.UnaryOp(op=ast.Not()):
            return _replace(tree, node, node.operand)
        case ast.Constant(value=bool() as value):
            node.value = not value
        case ast.Constant(value=int() | float() as value):
            node.value = value + 1
        case ast.Return():
            node.value = ast.Constant(None)
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            node.test = ast.UnaryOp(ast.Not(), test)
            return f"not ({ast.unparse(test)})"
        case _:
            return _replace(tree, node, ast.Pass())
    return ast.unparse(node)


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> str:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
            elif isinstance(value, list) and old in value:
                cast("list[ast.AST]", value)[value.index(old)] = new
    return ast.unparse(new)


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _in_failures(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes in handlers, in a `finally`, beside a `raise`, and what is suppressed."""
    for parent in ast.walk(tree):
        match parent:
            case ast.Try(handlers=handlers, finalbody=last):
                parts: list[ast.AST] = [*handlers, *last]
            case ast.If(test=test, body=body) if any(isinstance(s, ast.Raise) for s in body):
                parts = [parent, test, *body]
            case ast.With(items=items) if any("suppress" in ast.unparse(i) for i in items):
                parts = [*parent.body]
            case _:
                continue
        for part in parts:
            yield from ast.walk(part)


class Tests:
    """The tests of some files in a copy of the project, and the lines that each test enters."""

    def __init__(self, copy: Path, files: Iterable[Path]) -> None:
        self._copy, self._data = copy, copy / "coverage.db"
        mutated = sorted(files)
        near = sorted({*_WHOLE, *(test for file in mutated for test in self._near(file))})
        # Far tests enter a module, too, and are worth their time for a sample of many modules.
        tests = near if len(mutated) < _MANY_FILES else ["tests", "chatnb"]
        printed = self._measure(tests).splitlines()
        self._failing = _failed("\n".join(printed))
        print(f"unmutated: {printed[-1]}", flush=True)
        if errors := [line for line in printed if line.startswith("ERROR ") and "::" not in line]:
            sys.exit("\n".join(errors))  # A file that cannot be read fails for every mutant.
        self._entered = CoverageData(str(self._data))
        self._entered.read()

    def _measure(self, tests: Sequence[str]) -> str:
        """Run tests without mutants, and return what pytest prints."""
        measured = ["coverage", "run", "--source=chatnb", f"--data-file={self._data}", "-m"]
        ran = self._run([*measured, "pytest", "-p", Path(__file__).stem, "-rfE", *tests])
        return ran.stdout or sys.exit(ran.stderr)

    def kill(self, mutant: Mutant, seconds: float) -> bool:
        """Return whether a test fails on a mutant, or takes too long, which is printed."""
        target = self._copy / mutant.path.relative_to(ROOT)
        target.write_text(mutant.source, encoding="utf-8")
        try:
            tests, others = self._entering(mutant)
            deselected = [f"--deselect={test}" for test in self._failing]
            ran = self._run(["pytest", "-x", *deselected, *tests], seconds)
            if others and not ran.returncode:
                ran = self._run(["pytest", "-x", *deselected, *others], seconds)
            slow = [] if ran.returncode else self._failing_slow(mutant.path, seconds)
        except subprocess.TimeoutExpired:
            print(f"out of time: {mutant.path.name}:{mutant.line}: {mutant.change}", flush=True)
            return True
        finally:
            shutil.copy2(mutant.path, target)
        if "not found: " in ran.stderr or ran.returncode == _NO_TESTS:
            sys.exit(f"Not run: {ran.stderr or tests}")
        # A slow test that fails without the mutant as well says nothing about it.
        return bool(
            ran.returncode or (slow and not self._run(["pytest", *slow], marks=_SLOW).returncode)
        )

    def _failing_slow(self, path: Path, seconds: float) -> list[str]:
        """Return the slow test of a module that fails first, if one does."""
        tests = self._near(path)
        if "notebook" in path.relative_to(ROOT).parts:
            tests.append("tests/kernel")
        ran = self._run(["pytest", "-x", "-rfE", *tests], 2 * seconds, marks=_SLOW)
        return _failed(ran.stdout)

    def _run(
        self, command: list[str], seconds: float | None = None, marks: str = _QUICK
    ) -> subprocess.CompletedProcess[str]:
        options = ["-q", *(f"-pno:{plugin}" for plugin in _UNUSED), "-m", marks]
        # Processes that tests start import the copy as well.
        path = os.pathsep.join([str(self._copy), str(Path(__file__).parent)])
        return subprocess.run(
            [sys.executable, "-B", "-m", *command, *options],
            cwd=self._copy,
            env={**os.environ, "PYTHONPATH": path, "COVERAGE_CORE": "ctrace"},
            capture_output=True,
            text=True,
            timeout=seconds,
        )

    def _near(self, path: Path) -> list[str]:
        """Return the files of tests in the folder that mirrors a module's, and that name it."""
        module = path.relative_to(ROOT).with_suffix("")
        folder, name = Path("tests", *module.parts[1:-1]), ".".join(module.parts)
        files = [file.relative_to(self._copy) for file in self._copy.glob("tests/**/test_*.py")]
        while not any(file.parent == folder for file in files):
            folder = folder.parent
        own = folder / f"test_{module.name}.py"
        doctests = [str(path.relative_to(ROOT))] if ">>>" in path.read_text("utf-8") else []
        return doctests + [
            str(file)
            for file in sorted(files, key=lambda file: (file != own, file))
            if file.parent == folder or name in (self._copy / file).read_text(encoding="utf-8")
        ]

    def _entering(self, mutant: Mutant) -> tuple[list[str], list[str]]:
        """Return the tests to try first, and others; all of a module that none is known to enter.

        Those that enter the mutant's line, or the statement that it is in.
        """
        by_line = self._tests_by_line(mutant.path)
        entering = {*by_line.get(mutant.line, []), *by_line.get(mutant.statement, [])} - {""}
        near = self._near(mutant.path)
        if entering:
            own, far = _split(near, entering)
            return own + far[:_OTHERS], far[_OTHERS:]
        whole = [*dict.fromkeys([*near, *_WHOLE])]
        return whole, _split(whole, {test for tests in by_line.values() for test in tests})[1]

    def _tests_by_line(self, path: Path) -> dict[int, list[str]]:
        return self._entered.contexts_by_lineno(str(self._copy / path.relative_to(ROOT)))


def _split(files: Sequence[str], tests: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the tests of some files, and the others in any order."""
    found = sorted({test.partition("[")[0] for test in tests} - {""})
    own = [test for test in found if test.partition("::")[0] in files]
    far = [test for test in found if test not in own]
    random.Random(0).shuffle(far)
    return own, far


def _failed(printed: str) -> list[str]:
    """Return the tests that failed, from the summary of pytest."""
    lines = printed.splitlines()
    failed = [line for line in lines if line.startswith(("FAILED ", "ERROR "))]
    return [line.partition(" ")[2].partition(" - ")[0] for line in failed]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure the lines of each test apart, where coverage runs all of them."""
    if measuring := Coverage.current():
        measuring.switch_context(item.nodeid)
    return (yield)


def _changed_files(since: str) -> list[str]:
    command = ["git", "diff", "--name-only", "--diff-filter=d", since, "--", "chatnb/*.py"]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()


def main() -> int:
    """Run a sample, and return 1 if a mutant survives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", help="patterns; default: files changed since --since")
    parser.add_argument("--since", default="HEAD~20")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=300, help="the most for one mutant")
    parser.add_argument("--failures", action="store_true", help="only where errors are handled")
    options = parser.parse_args()
    patterns = options.files or _changed_files(options.since)
    files = sorted({file for pattern in patterns for file in ROOT.glob(pattern)})
    found = [place for file in files for place in places(file, failures=options.failures)]
    sample = random.Random(options.seed).sample(found, min(options.count, len(found)))
    for name in _COPIED:
        source, target = ROOT / name, COPY / name
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
    tests, survived = Tests(COPY, {one.path for one in sample}), 0
    for number, one in enumerate(map(mutant, sample), 1):
        is_killed = tests.kill(one, options.seconds)
        survived += not is_killed
        place = f"{one.path.relative_to(ROOT)}:{one.line}: {one.change}"
        print(f"{number} {'killed' if is_killed else 'survived'}: {place}", flush=True)
    print(f"{len(sample)} of {len(found)} mutants of {len(files)} files: {survived} survived")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
