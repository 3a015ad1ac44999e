"""The tree of a run's log as a cell's last line, in a real kernel and in a terminal."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatnb.schema.run_log import RunLog
from tests.kernel.driver import Kernel, Message
from tests.run_logs import story

SETUP = """\
import asyncio
from chatnb.notebook.views.run_tree import RunLogTree
from chatnb.schema.run_log import RunLog

async def replay(hang=False):
    try:
        for patch in RunLog.load({path!r}).patches[: 12 if hang else None]:
            yield patch
            await asyncio.sleep(0.01)
        if hang:
            await asyncio.Event().wait()
    finally:
        globals()["closed"] = True
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "story.jsonl"
    RunLog(*story().patches).save(path)
    return path


@pytest.fixture(scope="module")
def kernel(saved: Path) -> Iterator[Kernel]:
    kernel = Kernel()
    kernel.run(SETUP.format(path=str(saved)))
    yield kernel
    kernel.close()


def test_the_cell_returns_at_once_and_the_tree_follows(kernel: Kernel) -> None:
    """The output is there before the run has ended, its patches follow without a gap, and in the
    end it holds the whole static tree."""
    code = "tree = RunLogTree(replay())\ndisplay(tree)\nprint(len(tree.log.patches) < 20)"
    until_shown = "while tree._view.phase != 'ended':\n    await asyncio.sleep(0.01)"
    ran = kernel.run(f"{code}\nawait tree.wait()\n{until_shown}\nawait asyncio.sleep(0.1)")
    assert ran.of("stream")[0]["text"] == "True\n"
    pages = [m["data"]["content"] for m in ran.of("comm_msg") if m["data"].get("content")]
    known = 0
    for page in pages:
        assert page["first"] <= known
        known = max(known, page["first"] + len(page["patches"]))
    assert known == 32
    assert 2 < len(pages) < 30
    # Nobody has asked for anything, so the beginning is sent again now and then, and not often.
    assert sum(len(page["patches"]) for page in pages) < 2 * 32
    first = ran.of("display_data")[0]["data"]
    assert set(first) == {"text/plain", "text/html"}
    assert ran.outputs[0]["text/plain"].startswith("answer_with_sources · chain · 1.16 s\n")


def test_the_browser_gets_what_it_asks_for_and_nothing_else(kernel: Kernel) -> None:
    """A page for each place in the log that exists; what no browser would send has no answer."""
    ran = kernel.run("await (tree := RunLogTree(replay())).wait()\ndisplay(tree)")
    view = ran.of("comm_open")[-1]["comm_id"]
    odd = [None, 3, {"kind": "resync"}, {"kind": "resync", "first": -1}, {"kind": "eval"}]
    odd += [{"kind": "resync", "first": 10**9}, {"kind": "resync", "first": "0"}]
    for content in [*odd, {"kind": "resync", "first": 30}]:
        kernel.tell(view, content)  # type: ignore[arg-type]
    ran = kernel.run("await asyncio.sleep(0.3)")
    answers = [m["data"]["content"] for m in ran.of("comm_msg") if "content" in m["data"]]
    assert [(a["first"], len(a["patches"]), a["total"]) for a in answers] == [(30, 2, 32)]


def test_a_program_that_runs_the_notebook_gets_the_whole_static_tree(kernel: Kernel) -> None:
    """nbclient and its like get no widget: the cell waits for the run, and shows it once."""
    ran = kernel.run("RunLogTree(replay())", watched=False)
    assert ran.of("comm_open") == ran.of("update_display_data") == []
    assert [set(output) for output in ran.outputs] == [{"text/plain", "text/html"}]
    assert ran.outputs[0]["text/plain"].endswith("9 runs · 1,204 tokens in, 86 out")
    assert "data-chatnb-place" not in ran.outputs[0]["text/html"]


def test_an_interrupt_of_the_wait_stops_the_run(kernel: Kernel) -> None:
    """The wait ends at once, the stream is closed, and the tree says that it was stopped."""
    interrupted = list[float]()

    def on_message(message: Message) -> None:
        if message["content"].get("text") == "waiting\n":
            interrupted.append(time.monotonic())
            kernel.interrupt()

    later = "asyncio.get_running_loop().call_later(0.3, print, 'waiting')"
    code = f"tree = RunLogTree(replay(hang=True))\n{later}\nawait tree.wait()"
    ran = kernel.run(f"closed = False\n{code}", on_message=on_message)
    assert ran.reply["status"] == "error"
    assert time.monotonic() - interrupted[0] < 1.5
    shown = kernel.run("print(closed, str(tree).splitlines()[0].split(' · ')[:3])")
    assert shown.of("stream")[0]["text"] == "True ['answer_with_sources', 'chain', 'stopped']\n"


def test_vscode_gets_a_widget_of_its_own(kernel: Kernel) -> None:
    """There a widget lives only in an output of its own type, beside the static trees."""
    code = "import os\nos.environ['VSCODE_PID'] = '1'\ntree = RunLogTree(replay())\ndisplay(tree)"
    ran = kernel.run(f"{code}\nawait tree.wait()\ndel os.environ['VSCODE_PID']")
    shown = ran.of("display_data")[0]["data"]
    assert shown["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert set(shown) > {"text/plain", "text/html"}


def test_closing_leaves_the_static_tree_alone(kernel: Kernel) -> None:
    """Close stops the run and takes the widget away; every comm is closed."""
    code = "tree = RunLogTree(replay(hang=True))\ndisplay(tree)\n"
    code += "while len(tree.log.patches) < 12:\n    await asyncio.sleep(0.01)\n"
    ran = kernel.run(f"{code}tree.close()")
    assert ran.reply["status"] == "ok"
    opened = {content["comm_id"] for content in ran.of("comm_open")}
    assert opened
    # Widgets of earlier cells may be collected, and closed, while this one runs.
    assert opened <= {content["comm_id"] for content in ran.of("comm_close")}
    assert "stopped" in ran.outputs[0]["text/plain"]
    assert "data-chatnb-place" not in ran.outputs[0]["text/html"]


def test_a_terminal_prints_the_tree(saved: Path) -> None:
    """Where there is no notebook the tree is text, and nothing of widgets is loaded."""
    code = (
        "import sys\nfrom chatnb.notebook.views.run_tree import RunLogTree\n"
        f"print(RunLogTree({str(saved)!r}))\n"
        "print([name for name in ('anywidget', 'ipywidgets') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("answer_with_sources · chain · 1.16 s\n└─ RunnableSequence")
    assert ran.stdout.endswith("86 out\n[]\n")
