from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import run

    return run


@pytest.mark.thorough
def test_every_work_runs(run: Any) -> None:
    """Each client that can do a work does it against the server and says how long it took."""
    works = [work for work in run.WORKS if not work.statements]
    with ExitStack() as stack:
        clients = run.start_clients(stack, sys.executable, ("floor", "sdk", "chatnb"))
        rows = {work.name: run.measure(work, clients, 1, 2) for work in works}
    for name, row in rows.items():
        assert row.took["chatnb"] >= 0, name
    assert rows["stream"].took.keys() == {"floor", "sdk", "chatnb"}
    assert rows["batch"].took.keys() == {"floor", "sdk", "chatnb"}


def test_a_report_says_which_promise_is_kept(run: Any, tmp_path: Path) -> None:
    """The table, the data and the plot come from what was measured, and name a broken promise."""
    work = next(work for work in run.WORKS if work.name == "batch")
    row = run.Row(work, {"chatnb": 2e-3, "sdk": 4e-3, "langchain": 2.5e-3})
    report = run.Report("2026-01-01", "a machine", 7, {"Python": "3"}, [row])
    run.write_report(report, tmp_path)
    table = (tmp_path / "RESULTS.md").read_text()
    assert "0.8 of LangChain (**above** 0.6); 0.5 of openai SDK (≤ 1)" in table
    assert '"reached": 0.8' in (tmp_path / "results.json").read_text()
    assert "batch" in (tmp_path / "results-dark.svg").read_text()
