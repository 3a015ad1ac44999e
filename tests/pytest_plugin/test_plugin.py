"""The plugin as people run it: pytest in a process of its own, on notebooks with real kernels."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.notebook_runs import edit, run_pytest, write_notebook

pytestmark = pytest.mark.slow

ASK = "print(chat.invoke('Name a colour.').text)"
SETUP = "from chatnb import ScriptedChatModel\nchat = ScriptedChatModel(['Blue, said at once.'])"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a notebook that was recorded: its cassette beside it, its outputs in it."""
    folder = tmp_path_factory.mktemp("recorded")
    write_notebook(folder / "colours.ipynb", SETUP, ASK)
    ran = run_pytest(folder, "--chatnb", "--chatnb-record", "colours.ipynb")
    assert ran.code == 0, ran.said
    return folder


@pytest.fixture
def notebook(recorded: Path, tmp_path: Path) -> Path:
    """A copy of the recorded notebook, to be changed."""
    shutil.copytree(recorded, tmp_path, dirs_exist_ok=True)
    return tmp_path / "colours.ipynb"


def cassette_of(notebook: Path) -> Path:
    return notebook.parent / "cassettes" / f"{notebook.stem}.yaml"


def test_a_recorded_notebook_is_replayed_and_a_changed_reply_fails_it(notebook: Path) -> None:
    """Unchanged it passes; with one character of a recorded reply changed it fails, and shows the
    cell, the two lines, and what to type to accept them."""
    told = json.loads(notebook.read_text())["cells"][1]
    assert told["outputs"][0]["text"] == ["Blue, said at once.\n"]
    assert told["execution_count"] == 2
    assert run_pytest(notebook.parent, "--chatnb", "colours.ipynb").code == 0
    edit(cassette_of(notebook), "text: Blue, said", "text: Blue, sa1d")
    ran = run_pytest(notebook.parent, "--chatnb", "colours.ipynb")
    assert ran.code == 1
    for line in (
        "colours.ipynb, code cell 1:",
        f"  | {ASK}",
        "stdout differs (- in the notebook, + of this run):",
        "- Blue, said at once.",
        "+ Blue, sa1d at once.",
        "To accept: pytest --chatnb --chatnb-record colours.ipynb",
    ):
        assert line in ran.said.splitlines()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "Name a colour.",
            "Name a city.",
            ["- - human: Name a colour.", "+ - human: Name a city."],
        ),
        ("colour.')", "colour.', temperature=1)", ["+ parameters:", "temperature: 1"]),
    ],
)
def test_a_changed_request_says_how_it_differs(
    notebook: Path, old: str, new: str, said: list[str]
) -> None:
    """A prompt or a parameter that was not recorded fails with the difference and the command."""
    edit(notebook, old, new)
    ran = run_pytest(notebook.parent, "--chatnb", "colours.ipynb")
    assert ran.code == 1
    for text in (*said, "To record what is missing: pytest --chatnb --chatnb-record colours.ipynb"):
        assert text in ran.said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "There is no cassette"),
        ("chatnb_cassette: 1\ncalls: [\n", "is damaged in line 3"),
        ("chatnb_cassette: 99\ncalls: []\n", "was written by a newer chatnb"),
    ],
)
def test_a_cassette_that_cannot_be_used_says_so(
    notebook: Path, text: str | None, said: str
) -> None:
    """Missing, corrupted or newer: the cell fails with what is the matter and what to do."""
    cassette = cassette_of(notebook)
    cassette.unlink()
    if text is not None:
        cassette.write_text(text)
    ran = run_pytest(notebook.parent, "--chatnb", "colours.ipynb")
    assert ran.code == 1
    assert said in ran.said.replace("\n", " ")
    if text is None:
        assert "pytest --chatnb --chatnb-record colours.ipynb" in ran.said


def test_recording_again_changes_only_what_changed(notebook: Path) -> None:
    """A second recording leaves both files as they are, byte for byte; a changed cell changes its
    own lines, and what is no longer asked leaves the cassette."""
    files = (notebook, cassette_of(notebook))
    before = [path.read_bytes() for path in files]
    assert run_pytest(notebook.parent, "--chatnb", "--chatnb-record", "colours.ipynb").code == 0
    assert [path.read_bytes() for path in files] == before
    edit(notebook, "Name a colour.", "Name a city.")
    assert run_pytest(notebook.parent, "--chatnb", "--chatnb-record", "colours.ipynb").code == 0
    written = cassette_of(notebook).read_text()
    assert "Name a city." in written
    assert "Name a colour." not in written


def test_a_recording_that_fails_leaves_the_notebook_alone(notebook: Path) -> None:
    """Half a notebook's outputs belong to no run."""
    edit(notebook, "print(chat", "print(1 / 0, chat")
    before = notebook.read_bytes()
    ran = run_pytest(notebook.parent, "--chatnb", "--chatnb-record", "colours.ipynb")
    assert ran.code == 1
    assert "ZeroDivisionError" in ran.said
    assert "The notebook was left as it is." in ran.said
    assert notebook.read_bytes() == before


def test_displays_are_folded_and_what_differs_each_time_is_left_out(tmp_path: Path) -> None:
    """Updated displays count as a cell leaves them, cleared outputs do not count; ids, times,
    durations, rates, addresses and temporary paths may differ; widgets are compared by
    what they say."""
    write_notebook(
        tmp_path / "shown.ipynb",
        "from IPython.display import clear_output, display, Markdown\n"
        "import os, tempfile, time, uuid",
        "h = display(Markdown('*0*'), display_id=True)\n"
        "for n in range(3): h.update(Markdown(f'*{n}*'))",
        "print('gone')\nclear_output()\nprint('kept')\ndisplay('going')\nclear_output(wait=True)\n"
        "print('stays')",
        "print(object(), uuid.uuid4(), tempfile.mkdtemp(), f'{time.time_ns() % 997} ms',\n"
        "    f'{time.time() % 7:.2f} s', time.strftime('%H:%M:%S'),\n"
        "    time.time_ns() % 89, 'tokens/s')",
        "import ipywidgets\nipywidgets.IntSlider(value=7)",
        "h.update(Markdown('*later*'))",
    )
    assert run_pytest(tmp_path, "--chatnb", "--chatnb-record", "shown.ipynb").code == 0
    cells = json.loads((tmp_path / "shown.ipynb").read_text())["cells"]
    assert cells[1]["outputs"][0]["data"]["text/markdown"] == ["*2*"]
    assert [output["text"] for output in cells[2]["outputs"]] == [["stays\n"]]
    assert "widget-view" not in (tmp_path / "shown.ipynb").read_text()
    before = (tmp_path / "shown.ipynb").read_bytes()
    ran = run_pytest(tmp_path, "--chatnb", "shown.ipynb")
    assert ran.code == 0, ran.said
    assert run_pytest(tmp_path, "--chatnb", "--chatnb-record", "shown.ipynb").code == 0
    assert (tmp_path / "shown.ipynb").read_bytes() == before


def test_tags_say_how_a_cell_is_compared(tmp_path: Path) -> None:
    """Not at all, by likeness, or not in a replay; a tag that makes no sense says so."""
    write_notebook(
        tmp_path / "tags.ipynb",
        (
            "import random; random = random.SystemRandom(); print(random.random())",
            ["nbval-ignore-output"],
        ),
        ("print('a long line that stays the same', random.randint(10, 99))", ["chatnb-approx=0.9"]),
        ("print(random.random())", ["chatnb-skip-replay"]),
        ("print(''.join(random.sample('abcdefghijklmnopqrstuvwxyz', 26)))", ["chatnb-approx=0.99"]),
        ("print('a')", ["chatnb-approx=most"]),
    )
    edit(tmp_path / "tags.ipynb", "=most", "=0.5")
    assert run_pytest(tmp_path, "--chatnb", "--chatnb-record", "tags.ipynb").code == 0
    edit(tmp_path / "tags.ipynb", "=0.5", "=most")
    ran = run_pytest(tmp_path, "--chatnb", "tags.ipynb")
    assert "2 failed, 2 passed, 1 skipped" in ran.said
    assert "the cell's tag requires 0.99." in ran.said
    assert "takes a number from 0 to 1, as in chatnb-approx=0.8" in ran.said


def test_a_kernel_that_dies_and_a_cell_that_hangs_are_told(tmp_path: Path) -> None:
    """The cell is named, with its time and what to do; later cells do not pretend to fail."""
    write_notebook(tmp_path / "dies.ipynb", "import os", "os._exit(3)", "1")
    write_notebook(tmp_path / "hangs.ipynb", "import time", "time.sleep(60)")
    ran = run_pytest(tmp_path, "--chatnb", "--chatnb-timeout=2", ".")
    assert "The kernel died while this cell ran." in ran.said
    assert "The cell took longer than 2 s and was interrupted." in ran.said
    assert (
        "with a tag, such as chatnb-timeout=4; or all cells, with --chatnb-timeout=4." in ran.said
    )
    assert "2 failed, 2 passed, 1 skipped" in ran.said


def test_processes_that_a_notebook_started_end_with_its_kernel(tmp_path: Path) -> None:
    """A server or a cluster does not outlive the test, also in a session of its own."""
    write_notebook(
        tmp_path / "server.ipynb",
        "import subprocess, sys\n"
        "code = 'import time; time.sleep(600)'\n"
        "server = subprocess.Popen([sys.executable, '-c', code], start_new_session=True)\n"
        "print(server.pid, file=open('pids', 'a'))",
    )
    ran = run_pytest(tmp_path, "--chatnb", "--chatnb-record", "server.ipynb", own_kernels=True)
    assert ran.code == 0, ran.said
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) > 1  # Of the recording, and of the replays that verify it.
    left = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    assert all(process.status() == psutil.STATUS_ZOMBIE for process in left)


def test_live_asks_the_model_and_compares_the_kinds_of_outputs(notebook: Path) -> None:
    """Other words pass, another kind of output does not; the cassette is not touched."""
    before = cassette_of(notebook).read_bytes()
    edit(notebook, "['Blue, said at once.']", "['Other words.']")
    assert run_pytest(notebook.parent, "--chatnb", "--chatnb-live", "colours.ipynb").code == 0
    edit(notebook, "print(chat", "str(chat")
    ran = run_pytest(notebook.parent, "--chatnb", "--chatnb-live", "colours.ipynb")
    assert ran.code == 1
    assert "- stdout" in ran.said
    assert "+ text/plain" in ran.said
    assert cassette_of(notebook).read_bytes() == before


def test_the_report_shows_both_sides_and_runs_nothing(notebook: Path) -> None:
    """Texts of notebooks are escaped, also from the processes of xdist; the page loads nothing."""
    edit(cassette_of(notebook), "text: Blue, said at once.", "text: <script>alert(1)</script>")
    options = ("--chatnb", "--chatnb-html=report", "-n2", "--dist=loadscope")
    assert run_pytest(notebook.parent, *options, "colours.ipynb").code == 1
    page = (notebook.parent / "report" / "index.html").read_text()
    assert "<mark>Blue, said at once.</mark>" in page
    assert "<mark>&lt;script&gt;alert(1)&lt;/script&gt;</mark>" in page
    assert "1 of 2 cells failed" in page
    for loaded in ("<script", "src=", "href=", "url(", "@import"):
        assert loaded not in page


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--chatnb-record"], "need --chatnb"),
        (["--chatnb", "--chatnb-record", "--chatnb-live"], "exclude each other"),
        (["--chatnb", "--nbval"], "leave --nbval out"),
        (["--chatnb", "-n1", "--dist=worksteal"], "add --dist loadscope"),
        (["--chatnb", "-p", "no:nbval"], 'needs nbval: pip install "chatnb[testing]"'),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path, options: list[str], said: str
) -> None:
    """Before anything runs, with what to do."""
    ran = run_pytest(tmp_path, *options, own_kernels=True)
    assert ran.code == pytest.ExitCode.USAGE_ERROR
    assert said in ran.said


def test_without_the_flag_nothing_happens(tmp_path: Path) -> None:
    """Notebooks are not collected, and the plugin can be left out."""
    write_notebook(tmp_path / "any.ipynb", "1 / 0")
    for options in ((), ("-p", "no:chatnb")):
        assert run_pytest(tmp_path, *options).code == pytest.ExitCode.NO_TESTS_COLLECTED


def test_the_plugin_loads_next_to_nothing() -> None:
    """In every project's pytest: four small files of chatnb, and nothing else."""
    code = (
        "import sys; before = set(sys.modules); import chatnb.pytest_plugin.plugin; "
        "print(*sorted(set(sys.modules) - before))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, env=environment
    )
    assert loaded.stdout.split() == [
        "__future__",
        "chatnb",
        "chatnb.lazy_names",
        "chatnb.pytest_plugin",
        "chatnb.pytest_plugin.plugin",
    ]


def test_cells_have_the_history_that_they_have_in_jupyter(tmp_path: Path) -> None:
    """In, Out and the cells above are there, as in every other program that runs notebooks."""
    write_notebook(
        tmp_path / "history.ipynb",
        "%load_ext chatnb",
        "6 * 7",
        "print(Out[2], In[2])",
        "%chat context cells",
        "%%chat -m sent --context 3\nWhat is above?",
    )
    edit(tmp_path / "history.ipynb", "6 * 7", "sent = lambda messages: messages[-1].text\\n6 * 7")
    ran = run_pytest(tmp_path, "--chatnb", "--chatnb-record", "history.ipynb")
    assert ran.code == 0, ran.said
    cells = json.loads((tmp_path / "history.ipynb").read_text())["cells"]
    shown = [json.dumps(cell["outputs"]) for cell in cells]
    assert "42 sent = lambda" in shown[2]
    assert all("print(Out[2], In[2])" in text and "Out [2]" in text for text in shown[3:])
