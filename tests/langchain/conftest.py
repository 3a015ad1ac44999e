"""Fixtures of the tests with LangChain; and no standard test is skipped without a reason."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from tests.langchain.standard_skips import SUITES, skip_reason


@pytest.fixture
def anyio_backend() -> str:
    """The event loop of LangChain's asynchronous tests."""
    return "asyncio"


@pytest.fixture
def benchmark() -> Callable[[Callable[[], object]], object]:
    """A function that calls a function once: that models are made quickly is not tested here."""
    return lambda function: function()


@pytest.fixture
def snapshot() -> None:
    """Nothing: the test of serialized models is skipped, as standard_skips.py says."""


@pytest.fixture
def vcr() -> None:
    """Nothing: the test that replays a cassette is skipped, as standard_skips.py says."""


@pytest.fixture(autouse=True)
def no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may send traces, or depend on how somebody has set LangChain up."""
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    for name in ("LANGCHAIN_TRACING_V2", "LANGSMITH_TRACING_V2", "LC_OUTPUT_VERSION"):
        monkeypatch.delenv(name, raising=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped standard test gives the reason of the table; one that is skipped or xfailed and not
    in the table fails, and so does one that is in it and runs."""
    report = yield
    suite = getattr(getattr(item, "cls", None), "__name__", "")
    if suite not in SUITES:
        return report
    reason = skip_reason(suite, getattr(item, "originalname", item.name))
    if report.skipped and reason is None:
        report.outcome = "failed"
        report.longrepr = f"{item.name} is skipped, and not in standard_skips.py: {report.longrepr}"
    elif report.skipped and isinstance(report.longrepr, tuple):
        path, line, _ = report.longrepr
        report.longrepr = (path, line, f"Skipped: {reason}")
    if report.when == "call" and report.passed and reason is not None:
        report.outcome = "failed"
        report.longrepr = f"{item.name} runs, and is in standard_skips.py"
    return report
