from __future__ import annotations

import asyncio
import logging

import pytest

from chatnb.errors import RateLimitError
from chatnb.tracing import LoggingHandler, Run
from tests.support.traced_runs import at, chain, ended, live, live_at_once, model, replied


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, logger="chatnb.runs")
    return caplog


def _failed(run: Run, raised: BaseException) -> Run:
    run.fail(raised, at(2))
    return run


def test_a_life_is_a_readable_line_an_event(log: pytest.LogCaptureFixture) -> None:
    """Name, kind, time, tokens and a short id are there; what was said is not."""
    root = chain("c1234567-89")
    live(LoggingHandler(), root, model("m1234567-89", root))
    assert log.record_tuples == [
        ("chatnb.runs", logging.DEBUG, "pipeline (chain) starts [c1234567]"),
        (
            "chatnb.runs",
            logging.WARNING,
            "pipeline (chain) retries in 0.50 s, attempt 1 failed: TimeoutError [c1234567]",
        ),
        ("chatnb.runs", logging.DEBUG, "ChatOpenAI (llm) starts [m1234567]"),
        (
            "chatnb.runs",
            logging.INFO,
            "ChatOpenAI (llm) ended after 2.25 s, 12 tokens in, 3 out [m1234567]",
        ),
        ("chatnb.runs", logging.INFO, "pipeline (chain) ended after 4.00 s [c1234567]"),
    ]


@pytest.mark.parametrize(
    ("run", "raised", "level", "said"),
    [
        (chain(), RateLimitError("Slow down."), logging.ERROR, "failed after 2.00 s: RateLimit"),
        (chain(parent=chain()), ValueError("a secret"), logging.WARNING, "failed after 2.00 s: V"),
        (chain(), asyncio.CancelledError(), logging.INFO, "was stopped after 2.00 s: Cancelled"),
        (chain(), KeyboardInterrupt(), logging.INFO, "was stopped after 2.00 s: Keyboard"),
    ],
)
def test_how_bad_it_is_that_a_run_breaks_off(
    log: pytest.LogCaptureFixture, run: Run, raised: BaseException, level: int, said: str
) -> None:
    """A failure is an ERROR, within another run a WARNING, a stop INFO; none tells its message."""
    LoggingHandler().on_error(_failed(run, raised))
    (record,) = log.records
    assert record.levelno == level
    assert said in record.getMessage()
    assert "secret" not in record.getMessage()


def test_what_was_said_is_there_when_it_is_asked_for(log: pytest.LogCaptureFixture) -> None:
    """With `content=True` inputs, texts and error messages follow, cut, and still on one line."""
    handler = LoggingHandler(content=True)
    handler.on_start(model())
    handler.on_end(replied(model()))
    handler.on_end(ended(chain(), "x" * 10_000))
    handler.on_error(_failed(chain(), ValueError("of\nno use")))
    asked, replied_, long, failed = log.messages
    assert asked.endswith(": [HumanMessage(content='A secret?')]")
    assert replied_.endswith(": ['Hush.']")
    assert len(long) < 600
    assert failed.endswith("ValueError('of\\nno use')")


def test_a_name_with_a_line_end_forges_no_line(log: pytest.LogCaptureFixture) -> None:
    """A run that somebody named over two lines is one line."""
    LoggingHandler().on_start(Run("r1", "a\nERROR b", "chain", at(0)))
    assert log.messages == ["a ERROR b (chain) starts [r1]"]


def test_the_logger_and_the_level_are_the_callers(log: pytest.LogCaptureFixture) -> None:
    """A run's end goes to the logger that was named, at the level that was given."""
    log.set_level(logging.DEBUG, logger="mine")
    LoggingHandler("mine", level=logging.DEBUG).on_end(ended(chain(), 1))
    LoggingHandler(logging.getLogger("mine")).on_end(ended(chain(), 1))
    assert [record[:2] for record in log.record_tuples] == [
        ("mine", logging.DEBUG),
        ("mine", logging.INFO),
    ]


def test_threads_log_every_line(log: pytest.LogCaptureFixture) -> None:
    """Two threads at once lose none."""
    live_at_once(LoggingHandler(), threads=2, times=20)
    assert len(log.records) == 2 * 20 * 5


def test_a_line_has_what_is_known(log: pytest.LogCaptureFixture) -> None:
    """Neither a time nor an error without one; a level that is off costs nothing."""
    handler = LoggingHandler(content=True)
    handler.on_error(chain())
    handler.on_end(chain())
    stopped = _failed(ended(chain(), "half"), KeyboardInterrupt())
    handler.on_error(stopped)
    log.set_level(logging.CRITICAL, logger="chatnb.runs")
    handler.on_error(chain())
    assert log.messages == [
        "pipeline (chain) failed: unknown [c1]",
        "pipeline (chain) ended [c1]",
        "pipeline (chain) was stopped after 2.00 s: KeyboardInterrupt [c1]: 'half'",
    ]
