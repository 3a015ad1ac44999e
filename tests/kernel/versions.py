"""Older ipykernels, to be found before the installed one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

OLDER = {"6.31": ["ipykernel==6.31.0", "nest-asyncio==1.6.0"], "7.3": ["ipykernel==7.3.*"]}
"""Kernels that hear nothing while a cell runs, and the packages that make them."""


def install(version: str, folder: Path) -> None:
    """Put an ipykernel of that version into a folder, for PYTHONPATH."""
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
    subprocess.run([*command, "--target", str(folder), *OLDER[version]], check=True)
