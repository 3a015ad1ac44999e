"""Fixtures that every test may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.loopback import LoopbackServer


@pytest.fixture
def loopback() -> Iterator[LoopbackServer]:
    server = LoopbackServer()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def no_key_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may depend on, or spend, a key that happens to be set."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "CHATNB_MODEL_PATH"):
        monkeypatch.delenv(name, raising=False)
