"""Kernels of the versions that people have."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.kernel.driver import Kernel

OLDER = {"6.31": ["ipykernel==6.31.0", "nest-asyncio==1.6.0"], "7.3": ["ipykernel==7.3.*"]}
"""Kernels that hear nothing while a cell runs, and the packages that make them."""


@pytest.fixture(scope="session", params=["installed", *OLDER])
def any_kernel(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kernel]:
    """A kernel with chatnb loaded, of each version in turn."""
    overlay = None
    if request.param in OLDER:
        overlay = tmp_path_factory.mktemp(f"ipykernel-{request.param}")
        _install(OLDER[request.param], overlay)
    kernel = Kernel(overlay)
    _prepare(kernel)
    shown = kernel.run("import ipykernel; print(ipykernel.__version__)").of("stream")[0]["text"]
    expected = version("ipykernel") if overlay is None else request.param
    assert shown.startswith(expected)
    yield kernel
    kernel.close()


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    """A fresh kernel with chatnb loaded."""
    kernel = Kernel()
    _prepare(kernel)
    yield kernel
    kernel.close()


def _install(packages: list[str], folder: Path) -> None:
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *packages]
    subprocess.run(command, check=True)


def _prepare(kernel: Kernel) -> None:
    kernel.run("%load_ext chatnb\nfrom chatnb.chat_models import ScriptedChatModel")
