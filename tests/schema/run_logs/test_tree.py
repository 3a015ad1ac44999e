from __future__ import annotations

from typing import Any

import pytest

from chatnb.schema import RunLog, RunLogPatch, leaf_usage, run_rows
from chatnb.schema.json_patch import escape_key
from tests.support.run_log_strategies import BEGUN, ENDED, USAGE, add, begun, ended, entry

_FAILURE = {"type": "RateLimitError", "message": "no", "traceback": "", "stopped": False}


def _log(entries: dict[str, dict[str, Any]], root: dict[str, Any] | None = None) -> RunLog:
    made = (RunLogPatch(add(f"/logs/{escape_key(key)}", said)) for key, said in entries.items())
    return RunLog(begun(root), *made)


def _rows(log: RunLog) -> list[tuple[str, str | None, int]]:
    return [(row.id, row.parent_id, row.depth) for row in run_rows(log.state, log.root)]


def test_rows_are_in_the_order_of_the_tree() -> None:
    """A run stands below the one that started it, after its earlier siblings and all of theirs."""
    log = _log(
        {
            "a": entry("a", type="chain"),
            "b": entry("b"),
            "a/1": entry("a1", "a"),
            "b:2": entry("b1", "b"),
            "a/2": entry("a2", "a1"),
        }
    )
    assert _rows(log) == [
        ("root", None, 0),
        ("a", "root", 1),
        ("a1", "a", 2),
        ("a2", "a1", 3),
        ("b", "root", 1),
        ("b1", "b", 2),
    ]
    assert run_rows(log.state)[2].key == "a/1"


@pytest.mark.parametrize("parent", [None, "not logged", "later", "self"])
def test_a_run_without_a_logged_parent_stands_below_the_root(parent: str | None) -> None:
    """Logs without parents, filtered ones and ones that go in circles lose no run."""
    log = _log({"self": entry("self", parent), "later": entry("later", "self")})
    assert _rows(log) == [("root", None, 0), ("self", "root", 1), ("later", "self", 2)]


def test_langchains_logs_can_be_read() -> None:
    """An entry without what goes beyond upstream is a row too."""
    theirs = entry("a")
    for name in ("parent_id", "inputs", "error", "first_token_time", "usage_metadata"):
        del theirs[name]
    log = _log({"a": theirs})
    assert [(row.status, row.usage) for row in run_rows(log.state)] == [("running", None)] * 2


def test_a_row_tells_what_the_log_does() -> None:
    """Times, kind, cost and how it ended."""
    log = _log({"a": entry("a")})
    log += ended("a", first_token_time=BEGUN, usage_metadata=USAGE)
    row = run_rows(log.state)[1]
    assert (row.key, row.name, row.type, row.start) == ("a", "model", "llm", BEGUN)
    assert (row.end, row.first_token, row.usage, row.status) == (ENDED, BEGUN, USAGE, "done")


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, "done"), (_FAILURE, "failed"), ({**_FAILURE, "stopped": True}, "stopped")],
)
def test_a_status_is_told_apart(error: dict[str, Any] | None, status: str) -> None:
    """Running, done, failed or stopped, of the logged run and of those within it."""
    log = _log({"a": entry("a")}, {"name": "chain", "type": "chain", "start_time": BEGUN})
    assert [row.status for row in run_rows(log.state, log.root)] == ["running", "running"]
    log += ended("a", **({"error": error} if error else {}))
    ops = [add("/error", error)] if error else []
    log += RunLogPatch(*ops, root={"end_time": ENDED})
    root, row = run_rows(log.state, log.root)
    assert (root.status, row.status) == (status, status)
    assert (root.error, row.error) == (error, error)
    assert (root.name, root.start, root.end, root.key) == ("chain", BEGUN, ENDED, None)


def test_only_the_leaf_calls_count() -> None:
    """A model's call around another one, and chains that tell their sum, count nothing twice."""
    log = _log(
        {
            "chain": entry("chain", type="chain", usage_metadata=USAGE),
            "outer": entry("outer", "chain", usage_metadata=USAGE),
            "between": entry("between", "outer", type="chain"),
            "inner": entry("inner", "between", usage_metadata=USAGE),
            "other": entry("other", usage_metadata=USAGE),
            "cached": entry("cached"),
        }
    )
    assert log.usage == {"input_tokens": 6, "output_tokens": 4, "total_tokens": 10}
    assert leaf_usage(run_rows(log.state)[1:5]) == USAGE


def test_a_model_alone_tells_its_own_cost() -> None:
    """The log of a model's own call has no entries; the root's usage counts."""
    log = RunLog(begun({"type": "llm"}), RunLogPatch(root={"usage_metadata": USAGE}))  # pyright: ignore
    assert log.usage == USAGE
    assert RunLog(begun()).usage is None


def test_a_deep_and_wide_tree_is_written() -> None:
    """Five thousand runs, each below the one before, need no recursion."""
    entries = {str(n): entry(str(n), str(n - 1) if n else "root") for n in range(5000)}
    rows = run_rows(_log(entries).state)
    assert [row.depth for row in rows] == list(range(5001))
