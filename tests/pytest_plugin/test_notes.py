"""Notes about notebooks that are printed after a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from chatnb.pytest_plugin.reports.notes import NOTE, UNREQUESTED, Notes, unrequested_note
from chatnb.pytest_plugin.reports.review import CHANGE, Review

TITLE = "\x1b]0;title\x07\u202e"


def test_notes_and_reviews_steer_no_terminal() -> None:
    """The texts of cassettes and the names of files show as escapes."""
    written = list[str]()
    reporter: Any = SimpleNamespace(
        section=written.append, write_line=written.append, stats={}, config=SimpleNamespace()
    )
    reporter.config.getoption = lambda name: False
    note = unrequested_note(f"{TITLE}.yaml", [f"Say {TITLE}"], dropped=False)
    change = ("a.ipynb", False, TITLE, 0, TITLE, "x", "old", "new", [], [], [])
    properties = [(f"{NOTE}{UNREQUESTED}", note), (CHANGE, change)]
    report = SimpleNamespace(when="teardown", nodeid="a", user_properties=properties)
    session: Any = SimpleNamespace(shouldfail="", shouldstop="")
    for plugin in (Notes(), Review(lambda changes, reporter: {})):
        if isinstance(plugin, Review):
            plugin.pytest_sessionstart(session)
            plugin.pytest_runtest_logreport(report)
            plugin.pytest_terminal_summary(reporter, 1)
        else:
            plugin.pytest_runtest_logreport(report)
            plugin.pytest_terminal_summary(reporter)
    printed = "\n".join(written)
    assert r"\x1b]0;title\x07\u202e" in printed
    assert "\x1b" not in printed
