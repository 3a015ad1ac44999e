"""Pyodide as the page serves it: the runtime of npm's package, and a lock of the page's wheels.

Pyodide's own lock names packages that a reader would have to fetch from another server.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
LOCK = "pyodide-lock.json"
RUNTIME = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", LOCK)


def install_pyodide(folder: Path) -> Path:
    """Install npm's package into a folder, and return where it is."""
    # The functions that find npm are in a file at the top, which is no installed module.
    sys.path.append(str(ROOT))
    from hatch_build import run_npm

    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(HERE / name, folder)
    run_npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
    return folder / "node_modules" / "pyodide"


def write_pyodide(package: Path, wheels: Sequence[Path], folder: Path) -> list[str]:
    """Write Pyodide and wheels into a folder, and return the names of the packages."""
    folder.mkdir(parents=True)
    for name in RUNTIME:
        shutil.copy(package / name, folder)
    entries = [lock_entry(Path(shutil.copy(wheel, folder))) for wheel in wheels]
    lock: dict[str, Any] = json.loads((folder / LOCK).read_text("utf-8"))
    lock["packages"] = {entry["name"]: entry for entry in entries}
    (folder / LOCK).write_text(json.dumps(lock, indent=1), "utf-8")
    return sorted(lock["packages"])


def lock_entry(wheel: Path) -> dict[str, Any]:
    """Return what Pyodide's lock says of a wheel beside it."""
    name, version, _, _ = parse_wheel_filename(wheel.name)
    return {
        "name": name,
        "version": str(version),
        "file_name": wheel.name,
        "install_dir": "site",
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "package_type": "package",
        # All packages are loaded when the kernel starts.
        "imports": [],
        "depends": [],
        "unvendored_tests": False,
    }
