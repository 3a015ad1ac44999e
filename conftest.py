"""Settings of every test, and of the examples in docstrings."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from chatnb.store import store
from tests.support import started_processes

os.environ["CHATNB_STORE"] = ":memory:"
# Kernels and JupyterLabs that are made once for all tests keep their conversations to themselves.
_store_numbers = itertools.count()

# Doctests that start processes, which cannot be marked where they stand.
PROCESSES = ("chatnb/chat_models/local/model.py", "chatnb/tools/mcp.py")

# Imports make millions of objects and hardly any garbage.
gc.disable()


def pytest_configure(config: pytest.Config) -> None:
    """Give the tests, and all processes that they start, a temporary folder that goes with them."""
    if hasattr(config, "workerinput"):
        return  # The process that starts the workers has done so.
    # Folders of tmp_path stay where pytest puts them, to be looked at after a failure.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    folder = TemporaryDirectory(prefix="chatnb-tests-", ignore_cleanup_errors=True)
    os.environ["TMPDIR"] = tempfile.tempdir = folder.name
    config.add_cleanup(folder.cleanup)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the doctests that start processes, before any are left out for their marks."""
    for item in items:
        if item.nodeid.startswith(PROCESSES):
            item.add_marker("process")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Exclude all that was imported from later garbage collections, which it would slow down."""
    gc.freeze()
    gc.enable()
    started_processes.watch()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    started_processes.reset()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """Exclude what a file has imported and kept from the garbage collections of the next ones."""
    yield
    if nextitem is not None and nextitem.path != item.path:
        gc.collect()
        gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    yield
    started_processes.check(item)


@pytest.fixture(autouse=True)
def no_conversation_of_the_user() -> Iterator[None]:
    """No test may read or write what the user of the machine said: each has a store of its own,
    and so has every process that it starts."""
    # The store makes the folder; most tests need none.
    folder = Path(tempfile.gettempdir(), f"chatnb-store-{os.getpid()}-{next(_store_numbers)}")
    path = os.environ["CHATNB_STORE"] = str(folder / "conversations.db")
    yield
    os.environ["CHATNB_STORE"] = ":memory:"
    # It stays open for the whole process otherwise, and the next test has another one.
    store._stores.pop(path, None)
    if folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def no_event_loop_of_playwright(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hide the loop that Playwright leaves running on this thread; asyncio.run would refuse."""
    if "browser" in request.fixturenames:
        yield
        return
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(loop)
