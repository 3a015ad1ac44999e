"""Measure how hard a checkout of chatnb is to enter: `python scripts/structure [CHECKOUT]`.

The table is about the Python files of the package `chatnb`, whatever their names:

- Code lines are lines without blanks, comments and docstrings. The length of a function is its
  lines from `def` to its end, without its docstring.
- An import cycle is a group of modules that import each other: at import time, then also under
  `TYPE_CHECKING`, then also within functions.
- A duplicate is a pair of equal runs of six code lines or more, in two files or twice in one.
- Comments are on lines of their own or behind code. Directives, such as `# noqa`, are counted
  apart; comments per hundred lines of code include them.
- `--check` prints what must not be there, such as a duplicate in two files, and fails on it.
- `--ways` counts the modules that six uses enter in a live kernel. A module is entered when one
  of its functions is called, on any thread; imports and a first run come before. `%%chat` is
  recorded to the end of its cell, a panel's message to the transcript in the output, `invoke` to
  the reply of a server on loopback, a run tree from a run's start to the message with the row of
  the model's reply, `generate` and its table to the end of the cell, and a cassette from the call
  that it records to the same call replayed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import Counter
from pathlib import Path
from typing import TypeAlias

from import_cycles import import_cycles
from source import DUPLICATE_LINES, SourceFile, find_duplicates, read_package

_FOLDER_FILES = 20
_FILE_LINES = 480
_FORBIDDEN = (
    "import cycles at import time",
    f"duplicates of {DUPLICATE_LINES} lines or more, in two files",
    "docstrings that open with a wh-word",
    "attribute docs that open with a wh-word",
    f"folders over {_FOLDER_FILES} files",
)
_Counts: TypeAlias = dict[str, int | float]
_Details: TypeAlias = dict[str, list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="structure", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("checkout", nargs="?", type=Path, default=Path(__file__).parents[2])
    parser.add_argument("--ways", action="store_true", help="count modules in live kernels too")
    parser.add_argument("--verbose", action="store_true", help="list each thing that is counted")
    parser.add_argument("--json", action="store_true", help="print counts and details as JSON")
    parser.add_argument("--check", action="store_true", help="fail on what `make check` forbids")
    arguments = parser.parse_args()
    root = arguments.checkout.resolve()
    if not (root / "chatnb").is_dir():
        parser.error(f"there is no folder chatnb in {arguments.checkout}")
    counts, details = measure(root)
    if arguments.check:
        sys.exit(_violations(counts, details))
    if arguments.ways:
        from ways import entered_modules

        entered = {f"modules: {way}": files for way, files in entered_modules(root).items()}
        counts |= {name: len(files) for name, files in entered.items()}
        details |= entered
    if arguments.json:
        print(json.dumps({"counts": counts, "details": details}, indent=2))
    else:
        print_table(counts, details if arguments.verbose else {})


def measure(root: Path) -> tuple[_Counts, _Details]:
    """Count in a checkout.

    Returns:
        The numbers by name, and by the same names a line for each thing that some of them count.
    """
    files = read_package(root / "chatnb")
    cycles, duplicates, folders = _cycles(files), _duplicates(files), _folders(files, root)
    wh_words = _wh_words(files)
    counts = {
        **_sizes(files),
        **_lengths(cycles),
        **_lengths(duplicates),
        **_docstrings(files),
        **_lengths(wh_words),
        **_comments(files),
        **_lengths(folders),
    }
    return counts, {**cycles, **duplicates, **wh_words, **folders}


def _violations(counts: _Counts, details: _Details) -> str | None:
    """Return a line for each thing that must not be there; None if there is none."""
    lines = [f"{name}: {found}" for name in _FORBIDDEN for found in details.get(name, [])]
    if len(details["import cycles with lazy imports"]) > 1:
        lines.append("import cycles outside the operators of runnables; see --verbose")
    if counts["longest file"] > _FILE_LINES:
        lines.append(f"a file has {counts['longest file']} lines; the limit is {_FILE_LINES}")
    return "\n".join(lines) or None


def print_table(counts: _Counts, details: _Details) -> None:
    """Print a line for each number, and below it the things that it counts."""
    for name, number in counts.items():
        print(f"{name:48}{number:>10,}")
        for line in details.get(name, []):
            print(f"    {line}")


def _sizes(files: list[SourceFile]) -> _Counts:
    lines = [len(file.lines) for file in files]
    functions = sorted(length for file in files for length in file.function_lengths)
    return {
        "files": len(files),
        "lines": sum(lines),
        "code lines": sum(len(file.code) for file in files),
        "median file": round(statistics.median(lines)),
        "longest file": max(lines),
        "functions": len(functions),
        "p90 function": functions[len(functions) * 9 // 10] if functions else 0,
    }


def _lengths(details: _Details) -> _Counts:
    return {name: len(found) for name, found in details.items()}


def _cycles(files: list[SourceFile]) -> _Details:
    return {
        f"import cycles {when}": [f"{len(cycle)}: {' '.join(cycle)}" for cycle in cycles]
        for when, cycles in import_cycles(files).items()
    }


def _duplicates(files: list[SourceFile]) -> _Details:
    duplicates = find_duplicates(files)
    across = [str(pair) for pair in duplicates if pair.first[0] != pair.second[0]]
    within = [str(pair) for pair in duplicates if pair.first[0] == pair.second[0]]
    name = f"duplicates of {DUPLICATE_LINES} lines or more"
    return {f"{name}, in two files": across, f"{name}, in one file": within}


def _docstrings(files: list[SourceFile]) -> _Counts:
    opening = [
        docstring.opens_with_wh_word
        for file in files
        for docstring in file.docstrings
        if not docstring.of_attribute
    ]
    return {
        "docstrings": len(opening),
        "docstrings that open with a wh-word, %": round(
            100 * sum(opening) / max(1, len(opening)), 1
        ),
    }


def _wh_words(files: list[SourceFile]) -> _Details:
    found: _Details = {
        "docstrings that open with a wh-word": [],
        "attribute docs that open with a wh-word": [],
    }
    of_modules, of_attributes = found.values()
    for file in files:
        for docstring in file.docstrings:
            if docstring.opens_with_wh_word:
                line = f"{file.path}:{docstring.line} {docstring.text.lstrip().splitlines()[0]}"
                (of_attributes if docstring.of_attribute else of_modules).append(line)
    return found


def _folders(files: list[SourceFile], root: Path) -> _Details:
    front_end = (path.relative_to(root) for path in root.glob("js/src/**/*.*"))
    paths = [*(file.path for file in files), *front_end]
    sizes = Counter(path.parent for path in paths).most_common()
    crowded = [f"{folder}: {size}" for folder, size in sizes if size > _FOLDER_FILES]
    return {f"folders over {_FOLDER_FILES} files": crowded}


def _comments(files: list[SourceFile]) -> _Counts:
    comments = [comment for file in files for comment in file.comments]
    directives = sum(comment.is_directive for comment in comments)
    code_lines = sum(len(file.code) for file in files)
    return {
        "comments": len(comments) - directives,
        "directives": directives,
        "comments and directives per 100 code lines": round(
            100 * len(comments) / max(1, code_lines), 2
        ),
    }


if __name__ == "__main__":
    main()
