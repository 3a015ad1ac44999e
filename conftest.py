"""What holds for every test and for the examples in docstrings alike."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

os.environ["CHATNB_STORE"] = ":memory:"
"""What is made once for all tests (a kernel, JupyterLab) keeps its conversations to itself."""


@pytest.fixture(autouse=True)
def no_conversation_of_the_user(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test may read or write what the user of the machine said: each has a store of its own,
    and so has every process that it starts."""
    with TemporaryDirectory(prefix="chatnb-store-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("CHATNB_STORE", str(Path(folder) / "conversations.db"))
        yield
