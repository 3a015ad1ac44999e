"""The wheels that the page needs: chatnb, and what it depends on in a browser."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
# uv knows the markers of Pyodide by this name; pip chooses the wheels by the real one.
MARKERS = "wasm32-pyodide2025"


def write_wheels(folder: Path, python: str, platform: str) -> None:
    """Build chatnb's wheel into a folder, and download those of its dependencies."""
    _uv("build", "--quiet", "--wheel", "--out-dir", folder, ROOT)
    (folder / ".gitignore").unlink(missing_ok=True)
    (chatnb,) = folder.glob("chatnb-*.whl")
    pins = folder / "pins.txt"
    pins.write_text(_resolve(chatnb, python), "utf-8")
    # Only pip downloads wheels of another platform without installing them.
    tags = ["--platform", platform, "--python-version", python, "--implementation", "cp"]
    tags += ["--abi", f"cp{python.replace('.', '')}", "--abi", "none"]
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", *tags]
    _uv("tool", "run", "pip", "download", *options, "--dest", folder, "--requirement", pins)
    pins.unlink()


def _resolve(chatnb: Path, python: str) -> str:
    """Return the pinned dependencies of chatnb in a browser, for pip."""
    command: Sequence[str | Path] = [
        *("pip", "compile", "--quiet", "--no-header", "--no-annotate"),
        *("--no-emit-index-url", "--no-emit-find-links"),
        *("--python-platform", MARKERS, "--python-version", python),
        *("--constraint", ROOT / "constraints.txt", "--override", HERE / "overrides.txt"),
        *(HERE / "browser.txt", "-"),
    ]
    lines = _uv(*command, given=f"chatnb @ {chatnb.as_uri()}").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("chatnb "))


def _uv(*arguments: str | Path, given: str | None = None) -> str:
    command = [find_uv_bin(), *map(str, arguments)]
    return subprocess.run(
        command, check=True, text=True, input=given, stdout=subprocess.PIPE
    ).stdout
