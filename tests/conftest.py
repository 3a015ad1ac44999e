"""Fixtures that every test may use."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Generator, Iterator
from inspect import getmodule, isframe
from types import ModuleType
from typing import Any

import pytest
from _pytest.doctest import DoctestModule
from hypothesis import settings
from IPython.core.interactiveshell import InteractiveShell
from playwright.sync_api import Browser, Error, expect, sync_playwright
from traitlets.config import Config
from xdist.scheduler import LoadFileScheduling

from chatnb.tracing import usage_tracking
from tests.kernel.versions import OLDER
from tests.lab.jupyterlab import JupyterLab
from tests.support.chromium import launch
from tests.support.loopback import LoopbackServer

# Tests of these folders share a resource, which one worker should start only once.
RESOURCES = {
    "tests/attacks": "lab",
    "tests/browser": "browser",
    "tests/lab": "lab",
    "tests/docs/test_lite_page.py": "browser",
    "tests/kernel": "kernels",
    "tests/notebook/run_tree/test_kernel.py": "kernels",
    "tests/notebook/usage_table/test_kernel.py": "kernels",
    "tests/pytest_plugin": "pytest",
}

# Milliseconds that a test waits for a page, on a machine that stalls.
WAITING = 120_000

settings.register_profile("untimed", deadline=None)
settings.register_profile("few", deadline=None, max_examples=20)
settings.load_profile("untimed")


def pytest_configure() -> None:
    """Let interrupts through: a shell starts its background jobs with them ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
            pytest.skip("No Chromium; `python tests/support/install_browser.py` installs it.")
        # A busy machine stalls for seconds: how quick a view is, is measured and not tested.
        expect.set_options(timeout=WAITING)
        launched.on("context", lambda context: context.set_default_timeout(WAITING))
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def lab(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    """One JupyterLab for all tests, which is closed before the browser that shows it."""
    lab = JupyterLab(tmp_path_factory.mktemp("lab"), OLDER)
    yield lab
    lab.close()


def module_of(thing: Any, filename: str | None = None) -> ModuleType | None:
    """Find a module as inspect.getmodule does, but none for the code of a cell, at once."""
    is_in_cell = isframe(thing) and thing.f_code.co_filename.startswith("<ipython-input-")
    return None if is_in_cell else getmodule(thing, filename)


@pytest.fixture
def bare_shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """An IPython without a kernel, which remembers nothing."""
    # For each frame of a traceback IPython would look through all modules that tests import.
    monkeypatch.setattr("inspect.getmodule", module_of)
    # The error of an earlier test.
    for name in ("last_exc", "last_value", "last_type", "last_traceback"):
        monkeypatch.delattr(sys, name, raising=False)
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    tracking = list(usage_tracking._global_trackers)
    yield shell
    # The extension tracks the calls of its process, for as long as that lives.
    usage_tracking._global_trackers[:] = tracking
    shell.displayhook.do_full_cache = False  # To flush it would collect the garbage of all tests.
    atexit.unregister(shell.atexit_operations)
    shell.atexit_operations()
    shell.cleanup()  # It has been `__main__`, from which multiprocessing starts processes.


def pytest_runtest_setup() -> None:
    """No test may depend on, or spend, a key that happens to be set."""
    settings_of_user = {"OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "CHATNB_MODEL_PATH"}
    for name in list(os.environ):
        if name.endswith("_API_KEY") or name in settings_of_user:
            del os.environ[name]


def shared_resource(nodeid: str) -> str | None:
    resource = next((RESOURCES[folder] for folder in RESOURCES if nodeid.startswith(folder)), None)
    # Notebook 7 has a server of its own, and the tests of both would take one worker too long.
    return "notebook7" if resource == "lab" and nodeid.endswith("[notebook7]") else resource


class ResourceScheduling(LoadFileScheduling):
    """Gives all tests that share a resource to one worker, and the others file by file."""

    def _split_scope(self, nodeid: str) -> str:
        return shared_resource(nodeid) or super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ResourceScheduling:
    """Distribute the tests in the order of pytest_collection_modifyitems."""
    config.option.loadscopereorder = False
    return ResourceScheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Look for examples in the docstrings of chatnb, and not in those of its tests."""
    collectors = yield
    return [found for found in collectors if not isinstance(found, DoctestModule)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what takes longest first, so that no worker is left alone with it at the end."""

    def rank(item: pytest.Item) -> int:
        if shared_resource(item.nodeid) is not None:
            return 0
        if item.get_closest_marker("packaging") is not None:
            return 1
        is_notebook = item.nodeid.startswith("notebooks/")
        return 2 if is_notebook or item.get_closest_marker("slow") is not None else 3

    items.sort(key=rank)
