"""Fixtures that every test may use."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings
from IPython.core.interactiveshell import InteractiveShell
from playwright.sync_api import Browser, Error, sync_playwright
from traitlets.config import Config

from tests.chromium import launch
from tests.loopback import LoopbackServer

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def loopback() -> Iterator[LoopbackServer]:
    server = LoopbackServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium. Where there is none a test is skipped, but with CI=true it fails."""
    with sync_playwright() as playwright:
        try:
            launched = launch(playwright)
        except Error as error:
            if os.environ.get("CI", "").lower() == "true":
                pytest.fail(f"Chromium does not run: {error}")
            pytest.skip("Chromium does not run; `python tests/install_browser.py` installs it.")
        yield launched
        launched.close()


@pytest.fixture
def bare_shell() -> Iterator[InteractiveShell]:
    """An IPython without a kernel, which remembers nothing."""
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    yield shell
    atexit.unregister(shell.atexit_operations)
    shell.atexit_operations()


@pytest.fixture(autouse=True)
def no_key_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may depend on, or spend, a key that happens to be set."""
    keys = [name for name in os.environ if name.endswith("_API_KEY")]
    for name in (*keys, "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "CHATNB_MODEL_PATH"):
        monkeypatch.delenv(name, raising=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: Playwright leaves an event loop running on the thread of the tests,
    in which no other test could call asyncio.run."""
    items.sort(key=lambda item: "browser" in getattr(item, "fixturenames", ()))
