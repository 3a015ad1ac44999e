"""Kernels of the versions that people have."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

import pytest

from tests.kernel.driver import Kernel
from tests.kernel.versions import OLDER, install


@pytest.fixture(
    scope="session",
    params=["installed", *(pytest.param(older, marks=pytest.mark.thorough) for older in OLDER)],
)
def any_kernel(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kernel]:
    """A kernel with chatnb loaded, of each version in turn."""
    overlay = None
    if request.param in OLDER:
        overlay = tmp_path_factory.mktemp(f"ipykernel-{request.param}")
        install(request.param, overlay)
    kernel = Kernel(overlay)
    _prepare(kernel)
    shown = kernel.run("import ipykernel; print(ipykernel.__version__)").printed
    expected = version("ipykernel") if overlay is None else request.param
    assert shown.startswith(expected)
    yield kernel
    kernel.close()


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    """A fresh kernel with chatnb loaded."""
    kernel = Kernel(forked=True)
    _prepare(kernel)
    yield kernel
    kernel.close()


def _prepare(kernel: Kernel) -> None:
    kernel.run("%load_ext chatnb\nfrom chatnb.chat_models import ScriptedChatModel")
