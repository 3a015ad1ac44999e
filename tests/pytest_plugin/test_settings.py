"""The tags of cells, and the table of a project."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from chatnb.pytest_plugin.cell_tags import (
    BadTagError,
    check_tags,
    is_exact,
    required_similarity,
    timeout_hint,
    timeout_seconds,
)
from chatnb.pytest_plugin.masks.dates import a_day_later
from chatnb.pytest_plugin.settings import Settings, read_settings


@pytest.mark.parametrize(
    ("tags", "similarity"),
    [
        ([], None),
        (["other", "chatnb-approximate"], None),
        (["chatnb-approx"], 0.8),
        (["a", "chatnb-approx=0.9"], 0.9),
        (["chatnb-approx=0"], 0.0),
        (["chatnb-approx=1"], 1.0),
    ],
)
def test_a_cell_may_ask_for_a_similarity(tags: list[str], similarity: float | None) -> None:
    """From 0 to 1; without a number 0.8, and without the tag none."""
    assert required_similarity(tags) == similarity


@pytest.mark.parametrize("number", ["", "x", "-0.1", "1.01", "nan", "inf"])
def test_a_similarity_is_a_number_from_0_to_1(number: str) -> None:
    """Another one is refused with how to write it, and so is a cell that is compared exactly."""
    with pytest.raises(BadTagError) as caught:
        required_similarity([f"chatnb-approx={number}"])
    assert str(caught.value) == (
        f"the tag 'chatnb-approx={number}' takes a number from 0 to 1, as in chatnb-approx=0.8"
    )
    with pytest.raises(BadTagError) as caught:
        required_similarity(["chatnb-approx", "chatnb-exact"])
    assert str(caught.value) == ("the tags 'chatnb-approx' and 'chatnb-exact' exclude each other")


def test_a_cell_may_have_a_time_limit() -> None:
    """In seconds; by default that of all cells."""
    assert timeout_seconds(["chatnb-timeout=0.5"], 120.0) == 0.5
    assert timeout_seconds(["chatnb-timeouts=3"], 120.0) == 120.0
    for number in ("", "=", "=0", "=-1", "=x", "=inf", "=nan"):
        with pytest.raises(BadTagError) as caught:
            timeout_seconds([f"chatnb-timeout{number}"], 120.0)
        assert str(caught.value) == (
            f"the tag 'chatnb-timeout{number}' takes a number of seconds, as in chatnb-timeout=300"
        )
    assert timeout_hint([], 1.5) == (
        "Give it more time with a tag, such as chatnb-timeout=3; or all cells, with "
        "--chatnb-timeout=3."
    )


def test_only_tags_that_exist_begin_with_chatnb() -> None:
    """Others are anybody's; a misspelt one is told those that there are."""
    check_tags(["a", 3, "chatnb", "chatnb-exact", "chatnb-skip-replay", "chatnb-timeout=x"])
    with pytest.raises(BadTagError) as caught:
        check_tags(["chatnb-exakt"])
    assert str(caught.value) == (
        "there is no tag 'chatnb-exakt'. There are chatnb-approx, chatnb-exact, "
        "chatnb-skip-replay, chatnb-timeout."
    )
    assert is_exact(["chatnb-exact"])
    assert not is_exact(["chatnb-exact=1"])


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("", Settings([], [])),
        ("tool = 3", Settings([], [])),
        ("[tool.other]\na = 1", Settings([], [])),
        ("[tool.chatnb]", Settings([], [])),
        (
            '[tool.chatnb]\nignore = ["a"]\nallow_hosts = ["b", "c"]\noutputs = "cassette"',
            Settings(["a"], ["b", "c"], "cassette"),
        ),
        ('[tool.chatnb]\noutputs = "notebook"', Settings([], [], "notebook")),
    ],
)
def test_the_table_of_a_project_may_set_something(
    tmp_path: Path, text: str, settings: Settings
) -> None:
    """Missing entries have their defaults, also without the table or the file."""
    assert read_settings(tmp_path) == Settings([], [])
    (tmp_path / "pyproject.toml").write_text(text)
    assert read_settings(tmp_path) == settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool", "cannot be read: "),
        ("[tool]\nchatnb = 3", ", [tool.chatnb]: it is a table."),
        (
            "[tool.chatnb]\nhosts = []\nfolder = 1",
            ", [tool.chatnb]: there is no folder and no hosts. There are ignore, allow_hosts, "
            "outputs.",
        ),
        (
            '[tool.chatnb]\noutputs = "x"',
            ", [tool.chatnb]: outputs is one of notebook, cassette, not 'x'.",
        ),
        (
            '[tool.chatnb]\nignore = "a"',
            ', [tool.chatnb]: ignore is a list of texts, such as ignore = ["..."].',
        ),
        (
            "[tool.chatnb]\nallow_hosts = [1]",
            ', [tool.chatnb]: allow_hosts is a list of texts, such as allow_hosts = ["..."].',
        ),
        ('[tool.chatnb]\nignore = ["/(/"]', ", [tool.chatnb]: "),
    ],
)
def test_a_table_that_says_something_else_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """With the file, the entry, and what may stand there."""
    path = tmp_path / "pyproject.toml"
    path.write_text(text)
    with pytest.raises(pytest.UsageError) as caught:
        read_settings(tmp_path)
    shown = str(caught.value)
    assert shown.startswith(str(path))
    assert said in shown


TODAY = date(2026, 1, 31)


@pytest.mark.parametrize(
    ("today", "tomorrow"),
    [
        ("Sat Jan 31 2026", "Sun Feb 1 2026"),
        ("Sat, 31 Jan 2026 10:00", "Sun, 01 Feb 2026 10:00"),
        ("January 31, 2026", "February 1, 2026"),
        ("31 January 2026", "1 February 2026"),
        ("Jan 31, 2026", "Feb 1, 2026"),
        ("Sat Jan 31 09:00", "Sun Feb 01 09:00"),
        ("2026-01-31T09", "2026-02-01T09"),
        ("2026/01/31", "2026/02/01"),
        ("a_20260131.csv", "a_20260131.csv"),
        ("run 20260131.csv", "run 20260201.csv"),
        ("31.01.2026", "01.02.2026"),
        ("31/01/2026", "01/02/2026"),
        ("01/31/2026", "02/01/2026"),
        ("on January 31.", "on February 1."),
        ("12026-01-31", "12026-01-31"),
        ("2026-01-311", "2026-01-311"),
        ("2026-01-30", "2026-01-30"),
    ],
)
def test_a_date_of_today_is_that_of_tomorrow_a_day_later(today: str, tomorrow: str) -> None:
    """In every form in which it is written, unless it is a part of another word or number."""
    assert a_day_later(today, TODAY, []) == tomorrow


def test_dates_that_a_recording_has_stay() -> None:
    """Those in texts that are kept; the given outputs are not changed."""
    outputs: Any = [{"text": "2026-01-31 and 31.01.2026"}]
    assert a_day_later(outputs, TODAY, ["x 2026-01-31"]) == [{"text": "2026-01-31 and 01.02.2026"}]
    assert outputs == [{"text": "2026-01-31 and 31.01.2026"}]
