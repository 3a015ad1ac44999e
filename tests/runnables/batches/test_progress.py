from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chatnb.concurrency.waiting import Failed, Ok
from chatnb.notebook.tables.progress import bar_mimebundle
from chatnb.runnables import RunnableLambda
from chatnb.runnables.batches import progress as progress_bar
from chatnb.runnables.batches.progress import (
    LogLines,
    Progress,
    ProgressBar,
    StreamProgress,
    terminal_bar,
)
from chatnb.schema.model_call import ModelCall
from chatnb.tracing.usage_tracking import UsageTracker
from tests.support.hangs import wait_until


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def made() -> Iterator[list[int | None]]:
    """Collect the totals of the bars that are made, drawn on a fake terminal."""
    totals = list[int | None]()

    def make(total: int | None) -> Any:
        totals.append(total)
        return terminal_bar(total, Terminal())

    progress_bar.set_bar_factory(make)
    yield totals
    progress_bar.set_bar_factory(terminal_bar)


def with_calls() -> UsageTracker:
    tracker = UsageTracker()
    tokens = {"input_tokens": 1_000_000, "output_tokens": 500, "total_tokens": 1_000_500}
    tracker.record(ModelCall("gpt-4o-mini", "openai", usage=tokens))  # type: ignore[arg-type]
    return tracker


def long_batch(clock: list[float]) -> tuple[Progress, ProgressBar]:
    progress = Progress(4, return_exceptions=True)
    bar = ProgressBar(progress, with_calls(), clock=lambda: clock[0])
    for index, outcome in enumerate([Ok("a"), Ok("b"), Failed(ValueError("no"))]):
        progress.record(index, outcome)
    return progress, bar


def test_a_short_batch_shows_no_bar(made: list[int | None]) -> None:
    """Two seconds have to pass before anything is shown."""
    assert RunnableLambda(str).batch([1, 2]) == ["1", "2"]
    clock = [64.0]
    _, bar = long_batch(clock)
    clock[0] += 1.9
    bar.tick()
    bar.close()
    assert made == []


def draw_long_batch(file: io.StringIO) -> None:
    """Draw the bar of a long batch in a file, after three seconds of its clock and at its end."""
    clock = [64.0]
    progress_bar.set_bar_factory(lambda total: terminal_bar(total, file))
    try:
        _, bar = long_batch(clock)
        clock[0] += 3.0
        bar.tick()
        bar.close()
    finally:
        progress_bar.set_bar_factory(terminal_bar)


def test_a_long_batch_shows_count_rate_failures_tokens_and_money(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The bar has all counts so far."""
    terminal = Terminal()
    draw_long_batch(terminal)
    shown = terminal.getvalue()
    assert "3/4" in shown
    assert "call" in shown
    assert "1 failed, 1,000,500 tokens, $0.1503" in shown


def test_in_a_log_each_state_is_a_line_of_its_own() -> None:
    """A file that is no terminal gets whole lines and no carriage returns."""
    log = io.StringIO()
    draw_long_batch(log)
    assert "\r" not in log.getvalue()
    assert log.getvalue().splitlines()[-1].endswith("1 failed, 1,000,500 tokens, $0.1503]")


def test_a_batch_within_a_batch_shows_no_bar_of_its_own(
    made: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bar is enough: the outer one's."""
    monkeypatch.setattr(progress_bar, "MIN_SECONDS", 0.0)
    inner = RunnableLambda(str)

    def run_inner(number: int) -> list[str]:
        wait_until(lambda: bool(made))
        return inner.batch([number, number])

    RunnableLambda(run_inner).batch([1, 2, 3])
    assert made == [3]


def test_progress_false_shows_none(made: list[int | None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller can turn the bar off."""
    monkeypatch.setattr(progress_bar, "MIN_SECONDS", 0.0)
    RunnableLambda(str).batch([1, 2, 3], progress=False)
    assert made == []


class Gone(io.StringIO):
    """A pipe with a closed reading end."""

    def write(self, _: str) -> int:
        raise BrokenPipeError


def closed() -> io.StringIO:
    log = io.StringIO()
    log.close()
    return log


@pytest.mark.parametrize("where", [Gone(), closed(), None], ids=["gone", "closed", "none"])
def test_a_bar_that_cannot_be_written_ends_no_batch(
    where: io.StringIO | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that has gone loses no results."""
    monkeypatch.setattr(progress_bar, "MIN_SECONDS", 0.0)
    monkeypatch.setattr("sys.stderr", where)
    assert RunnableLambda(str).batch([1, 2, 3]) == ["1", "2", "3"]


def test_a_stream_counts_what_was_handed_out() -> None:
    """The bar of inputs that stream has no total, and counts on when their outputs have gone."""
    progress = StreamProgress(None, return_exceptions=True)
    for number in range(4):
        index = progress.open_next()
        progress.record(index, Failed(ValueError("no")) if number == 2 else Ok(number))
        progress.hand_out(index)
    file = io.StringIO()
    bar = terminal_bar(progress.total, file)
    assert bar is not None
    bar.n = progress.done
    bar.refresh()
    assert "4call" in file.getvalue()
    assert (progress.done, progress.failed, progress.results) == (4, 1, {})


def test_a_bar_has_a_total_where_the_inputs_have_a_length(
    made: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it can say what is left, on an executor and in a stream of outputs, too."""
    monkeypatch.setattr(progress_bar, "MIN_SECONDS", 0.0)
    runnable = RunnableLambda(str)
    assert list(runnable.map([1, 2, 3])) == ["1", "2", "3"]
    assert list(runnable.map(iter([1, 2]))) == ["1", "2"]
    with ThreadPoolExecutor(2) as executor:
        assert runnable.batch([1, 2, 3, 4], executor=executor) == ["1", "2", "3", "4"]
    assert made == [3, None, 4]


def test_a_bar_without_a_total_says_so() -> None:
    """It shows the count, the pace and the time so far, and no track."""
    shown = bar_mimebundle(1_500, None, 10.0, "3 failed")
    assert str(shown.get("text/plain")) == "1,500 · 150.0 a second · 00:10 so far · 3 failed"
    assert "progressbar" not in str(shown.get("text/html"))


def test_a_failure_ends_a_batch_unless_it_is_an_output() -> None:
    """Inputs with neither a result nor a failure remain."""
    failed, kept = ValueError("no"), LookupError("no")
    ends, goes_on = (Progress(4, return_exceptions=keeps) for keeps in (False, True))
    for progress in (ends, goes_on):
        assert [progress.next_index() for _ in range(3)] == [0, 1, 2]
        assert (progress.has_next(), progress.ended, progress.done) == (True, False, 0)
    ends.record(1, Ok("a"))
    ends.record(0, Failed(failed))
    assert (ends.done, ends.failed, ends.ended, ends.has_next()) == (2, 1, True, False)
    assert ends.snapshot() == ({1: "a"}, {0: failed}, [2, 3])
    assert ends.next_index() is None
    goes_on.record(0, Failed(kept))
    assert (goes_on.done, goes_on.failed, goes_on.ended) == (1, 1, False)
    assert goes_on.snapshot() == ({0: kept}, {}, [1, 2, 3])
    assert goes_on.next_index() == 3
    goes_on.stop()
    assert (goes_on.ended, goes_on.stopped, goes_on.has_next()) == (True, True, False)


def test_a_stream_of_inputs_forgets_what_it_handed_out() -> None:
    """It goes on to count them, and the failures among them."""
    progress = StreamProgress(None, return_exceptions=True)
    assert [progress.open_next() for _ in range(3)] == [0, 1, 2]
    error = ValueError("no")
    progress.record(0, Failed(error))
    progress.record(2, Ok("c"))
    assert (progress.total, progress.pending, progress.done, progress.failed) == (None, 3, 2, 1)
    assert progress.snapshot() == ({0: error, 2: "c"}, {}, [1])
    assert progress.hand_out(0) is error
    assert (progress.done, progress.failed, progress.open) == (2, 1, {1, 2})
    assert progress.hand_out(2) == "c"
    assert (progress.done, progress.failed, progress.results) == (2, 1, {})
    assert progress.snapshot() == ({}, {}, [1])
    assert progress.open_next() == 3


@pytest.mark.parametrize(
    ("workers", "said"), [(0, ""), (1, "1 worker, "), (1_200, "1,200 workers, ")]
)
def test_a_bar_counts_workers_and_failures(workers: int, said: str) -> None:
    """A count of none is left out."""
    clock, drawn = [64.0], io.StringIO()
    progress_bar.set_bar_factory(lambda total: terminal_bar(total, drawn))
    try:
        progress, bar = long_batch(clock)
        progress.workers = workers
        clock[0] += 2.0
        bar.tick()
        bar.close()
    finally:
        progress_bar.set_bar_factory(terminal_bar)
    assert f", {said}1 failed, 1,000,5" in drawn.getvalue().splitlines()[-1]


def test_a_log_has_no_line_for_what_is_blank() -> None:
    """Each state is one line, without the blanks that would clear a terminal."""
    file = io.StringIO()
    lines = LogLines(file)
    assert [lines.write(text) for text in ("\r", "\r 1/2  ", "\n", "2/2\n")] == [1, 7, 1, 4]
    lines.flush()
    assert file.getvalue() == " 1/2\n2/2\n"
