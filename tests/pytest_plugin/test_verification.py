"""Recordings are replayed before they are saved, and cells that do not repeat are named."""

from __future__ import annotations

import getpass
import json
import os
import re
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.support.notebook_runs import edit, run_pytest, write_notebook

pytestmark = pytest.mark.slow

SETUP = (
    "import os, random, string\nfrom chatnb import ScriptedChatModel\n"
    "chat = ScriptedChatModel(['Hi.'])\n"
    "draw = lambda: ''.join(random.SystemRandom().sample(string.ascii_lowercase, 26))"
)


def cassette_text(folder: Path, name: str) -> str:
    return (folder / "cassettes" / f"{name}.yaml").read_text()


def printed(notebook: Path) -> list[str]:
    cells = json.loads(notebook.read_text())["cells"]
    return ["".join(output["text"]) for cell in cells for output in cell["outputs"]]


def test_a_recording_saves_what_a_replay_shows(tmp_path: Path) -> None:
    """Output that only a recording has would fail every replay. A cell that differs from replay to
    replay is named, with both outputs and the tags, and one with a tag is not."""
    notebook = write_notebook(
        tmp_path / "varies.ipynb",
        SETUP,
        "print(chat.invoke('Hello').text, os.environ['CHATNB_CASSETTE_MODE'])",
        "print('drawn', draw())",
        ("print('drawn', draw())", ["nbval-ignore-output"]),
        ("print('drawn', draw())", ["chatnb-skip-replay"]),
        "import time\nprint(f'{time.perf_counter():.6f} s')",
        ("print(f'{time.perf_counter():.6f} s')", ["chatnb-exact"]),
        "from threading import Thread\ndrawn = []\n"
        "threads = [Thread(target=drawn.append, args=(word,)) for word in ('one', 'two')]\n"
        "[t.start() for t in threads]\n[t.join() for t in threads]\nprint('drawn', drawn)",
        "import time\nfrom concurrent.futures import ThreadPoolExecutor\nanswered = []\n"
        "def ask(name):\n    chat.invoke('Hello')\n    answered.append(name)\n"
        "with ThreadPoolExecutor(4) as pool:\n    list(pool.map(time.sleep, [0.1] * 4))\n"
        "    [pool.submit(ask, name) for name in ('one', '', '')]\n    time.sleep(0.025)\n"
        "    pool.submit(ask, 'two')\nprint('answered', *filter(None, answered))",
        "start = time.monotonic()\nsum(range(10**5))\nprint(round(time.monotonic() - start, 1))",
    )
    ran = run_pytest(tmp_path, "--chatnb", "--chatnb-record", "-n1", ".")
    assert ran.code == 0, ran.said
    assert printed(notebook)[0] == "Hi. replay\n"
    assert len(printed(notebook)) == 9
    lines = ran.said.splitlines()
    first = lines.index("varies.ipynb, code cell 2 does not repeat.")
    assert lines[first + 1] == "stdout differs (- one replay, + another one):"
    assert [line[:7] for line in lines[first + 2 : first + 4]] == ["- drawn", "+ drawn"]
    assert "chatnb-approx if it varies a little, nbval-ignore-output if it may" in lines[first + 4]
    assert "varies.ipynb, code cell 6 does not repeat." in lines
    assert "varies.ipynb, code cell 7 does not repeat." in lines
    assert "varies.ipynb, code cell 8 does not repeat." in lines
    assert ran.said.count("does not repeat.") == 4
    assert re.search(r"cell: 9\n.*\n  stdout:\n    1: \u27e6", cassette_text(tmp_path, "varies"))


def test_a_recording_that_cannot_be_replayed_says_where_and_why(tmp_path: Path) -> None:
    """The first cell that fails, with its error; the outputs of the recording are saved. A request
    that varies can leave that out, and one that asks a person can take a parameter."""
    notebook = write_notebook(
        tmp_path / "fails.ipynb",
        SETUP,
        "print(1)\nassert os.environ['CHATNB_CASSETTE_MODE'] == 'record', 'Only recorded.'",
        "print(2)",
    )
    write_notebook(tmp_path / "asks.ipynb", SETUP, "chat.invoke(draw()).text")
    write_notebook(tmp_path / "types.ipynb", "input('Name? ')")
    ran = run_pytest(tmp_path, "--chatnb", "--chatnb-record", ".")
    lines = ran.said.splitlines()
    first = lines.index("fails.ipynb, code cell 1 cannot be replayed.")
    assert lines[first + 1] == "AssertionError: Only recorded."
    assert printed(notebook) == ["1\n", "2\n"]
    asked = lines[lines.index("asks.ipynb, code cell 1 cannot be replayed.") :]
    assert any("name it under `ignore` in [tool.chatnb]" in line for line in asked)
    assert any(line.startswith("A test has nobody to type an answer:") for line in lines)


def test_time_and_chance_are_those_of_the_recording(tmp_path: Path) -> None:
    """The clock begins at the recording's moment and goes on, in UTC whatever the time zone here,
    so that a prompt with today's date is found; numbers are drawn alike. Recording again keeps
    both files, and with the real clock the replay fails."""
    notebook = write_notebook(
        tmp_path / "dated.ipynb",
        f"import datetime, numpy, random, time\n{SETUP}",
        "print(chat.invoke(f'Today is {datetime.date.today()}.').text, datetime.date.today())",
        "print(chat.invoke(f'Today is {time.ctime()[:10]}, {time.asctime()[-4:]}.').text)",
        "print(random.random(), numpy.random.rand(), {str(n) for n in range(9)})",
        "start = time.time()\nwhile time.time() <= start: pass\nprint(time.strftime('%Z'))",
    )
    assert run_pytest(tmp_path, "--chatnb", "--chatnb-record", ".", TZ="Asia/Tokyo").code == 0
    cassette = tmp_path / "cassettes" / "dated.yaml"
    today = cassette.read_text().partition('recorded_at: "')[2][:10]
    for file in (notebook, cassette):
        edit(file, today, "2031-05-06")
    edit(cassette, f"{date.fromisoformat(today):%a %b %e}, {today[:4]}", "Tue May  6, 2031")
    before = [file.read_bytes() for file in (notebook, cassette)]
    ran = run_pytest(tmp_path, "--chatnb", ".", TZ="America/Lima")
    assert ran.code == 0, ran.said
    assert run_pytest(tmp_path, "--chatnb", "--chatnb-record", ".").code == 0
    assert [file.read_bytes() for file in (notebook, cassette)] == before
    ran = run_pytest(tmp_path, "--chatnb", "--chatnb-clock=real", ".")
    assert "- - human: Today is 2031-05-06." in ran.said.splitlines()


def test_dates_of_other_clocks_are_named(tmp_path: Path) -> None:
    """Of programs and libraries that do not ask Python: they would be others tomorrow, also after
    a prompt with the date. That of Python would not, nor one that is written in the notebook, nor
    one in a cell with a tag."""
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    write_notebook(
        tmp_path / "dates.ipynb",
        f"{SETUP}\nimport datetime, numpy, sqlite3\n"
        "chat.invoke(f'Today is {datetime.date.today()}.').text",
        "print(numpy.datetime64('today'))",
        "!date -u '+%d %B'",
        "sqlite3.connect(':memory:').execute('select CURRENT_TIMESTAMP').fetchone()[0]",
        "print(datetime.date.today())",
        ("print(numpy.datetime64('today'))", ["nbval-ignore-output"]),
        f"print('2031-05-06', '{today[:4]}/{today[5:7]}/{today[8:]}')",
    )
    ran = run_pytest(tmp_path, "--chatnb", "--chatnb-record", ".")
    assert ran.code == 0, ran.said
    named = re.findall(r"code cell (\d) shows the date by a clock that is not set", ran.said)
    assert named == ["1", "2", "3"]
    assert f"- {today}" in ran.said.splitlines()
    assert "does not repeat" not in ran.said


def test_a_notebook_without_calls_passes_elsewhere_and_tomorrow(tmp_path: Path) -> None:
    """The paths of Python, of the folder and of the home folder, the user and the number of
    processors are others there; a line that is not about them is not. The day and what is drawn
    are those of the recording, in child processes, too, so that no cell is named."""
    notebook = write_notebook(
        tmp_path / "here.ipynb",
        "import datetime, getpass, json, os, sys\nprint(json.__file__)\nprint(sys.executable, 1)",
        "print(os.cpu_count(), getpass.getuser())",
        "!pwd",
        "datetime.date.today()",
        "import email.utils, random\nprint(email.utils.formatdate()[:16], random.choice('abcdef'))",
        "import time\nfrom multiprocessing import get_context\n"
        "with get_context('fork').Pool(1) as pool:\n"
        "    print(pool.apply(os.cpu_count), pool.apply(time.ctime)[:10])",
    )
    ran = run_pytest(tmp_path, "--chatnb", "--chatnb-record", ".")
    assert ran.code == 0, ran.said
    assert "code cell" not in ran.said
    elsewhere = {
        json.__file__: "/opt/lib/python3.11/json/__init__.py",
        sys.executable: "/opt/bin/python",
        f'"{os.cpu_count()} {getpass.getuser()}': '"96 runner',
        str(tmp_path): "/builds/x",
    }
    for old, new in elsewhere.items():
        edit(notebook, old, new)
    cassette = tmp_path / "cassettes" / "here.yaml"
    today = date.fromisoformat(cassette.read_text().partition('recorded_at: "')[2][:10])
    edit(cassette, f"{today}", "2031-05-06")
    edit(notebook, f"{today!r}", "datetime.date(2031, 5, 6)")
    edit(notebook, f"{today:%a, %d %b %Y}", "Tue, 06 May 2031")
    edit(notebook, f"{today:%a %b %e}", "Tue May  6")
    ran = run_pytest(tmp_path, "--chatnb", ".")
    assert ran.code == 0, ran.said
    edit(notebook, " 1\\n", " 2\\n")
    assert "1 failed, 5 passed" in run_pytest(tmp_path, "--chatnb", ".").said
