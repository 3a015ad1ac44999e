"""The measurements of `scripts/structure`, on a small package and in a live kernel."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "structure"
REPEATED = "".join(f"    total += {number}\n" for number in range(6))


def measured(root: Path, **texts: str) -> dict[str, Any]:
    """Write modules into a package and measure it."""
    package = root / "chatnb"
    package.mkdir()
    for name, text in {"__init__": "", **texts}.items():
        (package / f"{name}.py").write_text(text)
    command = [sys.executable, str(SCRIPT), str(root), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def test_sizes_leave_out_what_is_no_code(tmp_path: Path) -> None:
    """Code lines have no blanks, comments and docstrings; a function's length no docstring."""
    function = 'def double(x):\n    """Return\n    twice x."""\n\n    # Why.\n    return 2 * x\n'
    counts = measured(tmp_path, a=f'"""A module."""\n\n{function}')["counts"]
    assert (counts["files"], counts["lines"], counts["code lines"]) == (2, 8, 2)
    assert (counts["functions"], counts["longest file"], counts["median file"]) == (1, 8, 4)
    assert counts["p90 function"] == 4


def test_cycles_in_three_ways(tmp_path: Path) -> None:
    """Imports under TYPE_CHECKING and within functions close cycles of their own; a name that a
    package re-exports is imported from where it is defined."""
    typing = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    "
    details = measured(
        tmp_path,
        __init__=f"{typing}from chatnb.a import A",
        a="from chatnb import b\nclass A: ...",
        b=f"{typing}from chatnb import A",
        c="from chatnb.d import f",
        d="def f():\n    import chatnb.c",
    )["details"]
    assert details["import cycles at import time"] == []
    typed = "3: chatnb chatnb.a chatnb.b"
    assert details["import cycles with TYPE_CHECKING"] == [typed]
    assert details["import cycles with lazy imports"] == [typed, "2: chatnb.c chatnb.d"]


def test_duplicates_are_six_equal_lines_of_code(tmp_path: Path) -> None:
    """A run counts once at its full length, whatever the blanks and comments in it; neither
    imports nor one line that is repeated over and over count."""
    imports = "".join(f"import {name}\n" for name in ("abc", "ast", "io", "json", "os", "re"))
    details = measured(
        tmp_path,
        a=f"{imports}def f(total):\n{REPEATED}    return total\n",
        b=f"{imports}def g(total):\n    # Why.\n\n{REPEATED}    return total\n",
        c="def h(total):\n" + "    total += 1\n" * 8,
    )["details"]
    name = "duplicates of 6 lines or more"
    assert details[f"{name}, in two files"] == ["chatnb/a.py:8-14 chatnb/b.py:10-16 (7 lines)"]
    assert details[f"{name}, in one file"] == []


def test_docstrings_comments_and_folders(tmp_path: Path) -> None:
    """Wh-words count at the start of docstrings alone; directives are no comments; a folder has
    too many files from the 21st on."""
    text = (
        '"""Whether it is so."""\n'
        'a = 1\n"""How much."""\n'
        'def f():\n    """Return what is there."""  # noqa: D400\n    return 1  # Why.\n'
    )
    result = measured(tmp_path, a=text, **{f"m{number}": "" for number in range(19)})
    counts, details = result["counts"], result["details"]
    assert details["docstrings that open with a wh-word"] == ["chatnb/a.py:1 Whether it is so."]
    assert details["attribute docs that open with a wh-word"] == ["chatnb/a.py:3 How much."]
    assert (counts["docstrings"], counts["docstrings that open with a wh-word, %"]) == (2, 50.0)
    assert (counts["comments"], counts["directives"]) == (1, 1)
    assert details["folders over 20 files"] == ["chatnb: 21"]


@pytest.mark.slow
def test_modules_entered_in_a_live_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files whose functions ran are listed, those that were only imported are not."""
    monkeypatch.syspath_prepend(str(SCRIPT))
    from ways import entered_modules

    way = "invoke to wire"
    entered = entered_modules(ROOT, [way])[way]
    assert 5 < len(entered) < 40
    assert all((ROOT / "chatnb" / file).is_file() for file in entered)
    assert not any(file.startswith("notebook") for file in entered)
