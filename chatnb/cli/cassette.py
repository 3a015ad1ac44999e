"""`python -m chatnb cassette`: show, compare and prune recorded replies."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatnb.cassettes.differences import compare_calls, difference_lines
from chatnb.cassettes.recorded_clock import checked_moment
from chatnb.cassettes.recordings import read_call
from chatnb.cassettes.summary import summarize_call
from chatnb.cassettes.yaml_file import CassetteContents, call_yaml, parse_cassette
from chatnb.cli.download import shell_command
from chatnb.errors import CassetteError
from chatnb.terminal import print_line, replace_control_characters

if TYPE_CHECKING:
    from argparse import _SubParsersAction  # pyright: ignore[reportPrivateUsage]

_NOTEBOOKS = (".ipynb", ".py", ".md")
_MIN_TEXT = 16
_NUMBERS = (0, 4, 5)


def add_to(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the command line."""
    parser = commands.add_parser(
        "cassette",
        help="show, compare and prune recorded replies",
        description="Show, compare and prune the recorded replies of chat models.",
    )
    actions = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    show = actions.add_parser("show", help="list the calls of a cassette, or show one of them")
    show.add_argument("file", type=Path, help="the cassette")
    show.add_argument(
        "call", type=int, nargs="?", help="the number of a call, to see it as a whole"
    )
    show.set_defaults(run=_show)
    diff = actions.add_parser(
        "diff",
        help="show what has changed, without times and ids",
        description="Compare a cassette with another one, or with its last commit. The exit code "
        "is 0 if they have the same calls, and else 1.",
    )
    diff.add_argument("file", type=Path, help="the cassette")
    diff.add_argument("new", type=Path, nargs="?", help="a later version of it")
    diff.add_argument(
        "--since", default="HEAD", metavar="REVISION", help="the commit (default: %(default)s)"
    )
    diff.set_defaults(run=_diff)
    prune = actions.add_parser(
        "prune",
        help="drop calls that their notebooks no longer make",
        description="Replay the notebooks of cassettes, and drop the calls that they do not make.",
    )
    prune.add_argument("paths", type=Path, nargs="+", help="cassettes, or folders of notebooks")
    prune.set_defaults(run=_prune)


def _show(options: argparse.Namespace) -> int:
    """Print a line for each call, or one call as it is in the file."""
    contents = _read(options.file)
    number: int | None = options.call
    if number is None:
        for line in _table(options.file, contents):
            print_line(line)
        return 0
    if not 1 <= number <= len(contents.calls):
        count = len(contents.calls)
        numbers = f"the calls 1 to {count}" if count else "no calls"
        raise CassetteError(f"{options.file} has {numbers}.")
    print_line(call_yaml(contents.calls[number - 1]).strip("\n"))
    return 0


def _diff(options: argparse.Namespace) -> int:
    """Print what has changed; return 1 if something has."""
    if options.new is None:
        old, new = _committed(options.file, options.since), _read(options.file)
    else:
        old, new = _read(options.file), _read(options.new)
    changes = compare_calls(old.calls, new.calls)
    for line in difference_lines(changes):
        print_line(line)
    return int(any(item.change != "same" for item in changes))


def _prune(options: argparse.Namespace) -> int:
    """Replay the notebooks of cassettes without what is not requested."""
    notebooks = [str(_notebook(path)) for path in options.paths]
    command = [sys.executable, "-m", "pytest", "--chatnb", "--chatnb-prune", "-q", *notebooks]
    sys.stdout.flush()
    return subprocess.run(command, check=False).returncode


def _read(path: Path) -> CassetteContents:
    if path.suffix in _NOTEBOOKS:
        own = path.parent / "cassettes" / f"{path.stem}.yaml"
        raise CassetteError(f"{path} is a notebook. Name its cassette: {own}")
    if not path.is_file():
        raise CassetteError(f"There is no cassette {path}.")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise CassetteError(f"{path} cannot be read: {error}") from None
    return _checked(text, str(path))


def _checked(text: str, name: str) -> CassetteContents:
    """Return the contents of a cassette, each of whose calls can be shown."""
    contents = parse_cassette(text, name)
    for number, call in enumerate(contents.calls, 1):
        read_call(call, number, name)
    return contents


def _committed(path: Path, revision: str) -> CassetteContents:
    """Return a cassette as it is in a commit."""
    if not path.is_file():
        raise CassetteError(f"There is no cassette {path}.")
    if (git := shutil.which("git")) is None:
        raise CassetteError(f"git is not installed: name the two versions of {path}.")
    command = [git, "-C", str(path.parent), "show", f"{revision}:./{path.name}"]
    ran = subprocess.run(command, capture_output=True, check=False)
    if ran.returncode:
        problem = ran.stderr.decode(errors="replace").strip()
        raise CassetteError(
            f"{path} is not in {revision} ({problem}). Name a commit that has it with --since, or "
            f"another file: {shell_command(['python', '-m', 'chatnb', 'cassette', 'diff'])} OLD NEW"
        )
    return _checked(ran.stdout.decode(errors="replace"), f"{revision}:{path}")


def _notebook(path: Path) -> Path:
    """Return what pytest runs for a cassette: its notebook; a folder is that itself."""
    if path.is_dir() or path.suffix in _NOTEBOOKS:
        return path
    if not path.is_file():
        raise CassetteError(f"There is no cassette {path}.")
    folder = path.absolute().parent.parent
    # Names of parameters follow after that of the notebook.
    stems = (path.stem, path.stem.partition(".")[0])
    candidates = [folder / f"{stem}{suffix}" for stem in stems for suffix in _NOTEBOOKS]
    if found := next((each for each in candidates if each.is_file()), None):
        return found
    raise CassetteError(
        f"{path} belongs to no notebook, so nothing says what is still requested: delete it if "
        "nothing uses it, or run what does with CHATNB_CASSETTE_MODE=refresh."
    )


def _table(path: Path, contents: CassetteContents) -> Iterator[str]:
    """Yield the lines of a table of calls, as wide as the terminal."""
    count = len(contents.calls)
    recorded = ""
    if contents.recorded_at:
        recorded = f", recorded at {checked_moment(contents.recorded_at):%Y-%m-%d %H:%M %Z}"
    yield f"{path}: {count} {'call' if count == 1 else 'calls'}{recorded}"
    rows = [_row(number, call) for number, call in enumerate(contents.calls, 1)]
    if rows:
        yield ""
        yield from _aligned([("", "model", "request", "reply", "tokens", "seconds"), *rows])


def _row(number: int, call: dict[str, Any]) -> tuple[str, ...]:
    summary = summarize_call(call)
    seconds = "" if summary.seconds is None else f"{summary.seconds:.1f}"
    texts = (summary.model, summary.prompt, summary.reply, summary.tokens)
    return (str(number), *(replace_control_characters(" ".join(t.split())) for t in texts), seconds)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows with columns below each other; prompts and replies share what is left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    fixed = sum(widths[i] for i in (0, 1, 4, 5)) + 2 * (len(widths) - 1)
    left = max(shutil.get_terminal_size((100, 24)).columns - fixed, 2 * _MIN_TEXT)
    widths[2] = min(widths[2], max(left // 2, left - widths[3]))
    widths[3] = min(widths[3], left - widths[2])
    for row in rows:
        cells = [_cut(text, width) for text, width in zip(row, widths, strict=True)]
        yield "  ".join(
            text.rjust(width) if column in _NUMBERS else text.ljust(width)
            for column, (text, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
