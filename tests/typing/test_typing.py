from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@cache
def all_errors() -> list[dict[str, Any]]:
    """Return the checker's errors about all files, of which it reads what they import once."""
    files = [str(HERE / name) for name in ("chains.py", "mistakes.py")]
    command = [sys.executable, "-m", "pyright", "--outputjson", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == len(files)
    return [each for each in report["generalDiagnostics"] if each["severity"] == "error"]


def errors_in(name: str) -> dict[int, str]:
    """Return the checker's messages about a file, by line."""
    return {
        each["range"]["start"]["line"] + 1: each["message"]
        for each in all_errors()
        if Path(each["file"]).name == name
    }


@pytest.mark.thorough
def test_the_types_of_chains_are_inferred() -> None:
    """A checker knows what goes into a chain and what comes out, without annotations."""
    assert errors_in("chains.py") == {}


def test_mistakes_are_noticed() -> None:
    """A checker refuses every marked line, and no other."""
    lines = (HERE / "mistakes.py").read_text().splitlines()
    marked = {number for number, line in enumerate(lines, 1) if "# mistake:" in line}
    assert len(marked) > 5
    assert errors_in("mistakes.py").keys() == marked
