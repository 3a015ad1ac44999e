"""The tree of a run's log as a cell's last line, in a real kernel and in a terminal."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatnb.schema.run_logs.log import RunLog
from tests.kernel.driver import Kernel, Message
from tests.support.run_logs import story

pytestmark = pytest.mark.slow

SETUP = """\
import asyncio
import threading
from chatnb.notebook.run_tree.tree import RunLogTree
from chatnb.schema.run_logs.log import RunLog

displayed = threading.Event()
displayed.set()

async def replay(hang=False):
    try:
        for number, patch in enumerate(RunLog.load({path!r}).patches[: 12 if hang else None]):
            while number == 20 and not displayed.is_set():
                await asyncio.sleep(0.01)
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
    kernel = Kernel(forked=True)
    kernel.run(SETUP.format(path=str(saved)))
    yield kernel
    kernel.close()


def test_the_cell_returns_at_once_and_the_tree_follows(kernel: Kernel) -> None:
    """The output is there before the run has ended, its patches follow without a gap, and in the
    end it holds the whole static tree."""
    code = "displayed.clear()\ntree = RunLogTree(replay())\ndisplay(tree)"
    code += "\nprint(len(tree.log.patches) <= 20)\ndisplayed.set()\nawait tree.wait()"
    ran = kernel.run(code)

    def is_static_tree(message: Message) -> bool:
        ran.messages.append(message)
        return message["msg_type"] == "update_display_data"

    if not ran.of("update_display_data"):
        kernel.listen(is_static_tree)
    assert ran.printed == "True\n"
    pages = [m["data"]["content"] for m in ran.of("comm_msg") if m["data"].get("content")]
    known = 0
    for page in pages:
        assert page["first"] <= known
        known = max(known, page["first"] + len(page["patches"]))
    assert known == 32
    assert 2 < len(pages) < 30
    # Nobody has asked for anything, so the beginning is sent again each time that the log has grown
    # fourfold, wherever pages happen to begin: at most 4/3 of it.
    assert sum(len(page["patches"]) for page in pages) <= 32 + 32 * 4 / 3
    first = ran.of("display_data")[0]["data"]
    assert set(first) == {"text/plain", "text/html"}
    assert ran.outputs[0]["text/plain"].startswith("answer_with_sources · chain · 1.16 s\n")


def test_the_browser_gets_what_it_asks_for_and_nothing_else(kernel: Kernel) -> None:
    """A page for each place in the log that exists; what no browser would send has no answer."""
    ran = kernel.run("await (tree := RunLogTree(replay())).wait()\ndisplay(tree)")
    view = ran.of("comm_open")[-1]["comm_id"]
    odd = [None, 3, {"type": "resync"}, {"type": "resync", "first": -1}, {"type": "eval"}]
    odd += [{"type": "resync", "first": 10**9}, {"type": "resync", "first": "0"}]
    for content in [*odd, {"type": "resync", "first": 30}]:
        kernel.tell(view, content)  # type: ignore[arg-type]
    ran = kernel.run("pass")  # The kernel handles the messages before it in order.

    def is_answer(message: Message) -> bool:
        ran.messages.append(message)
        return message["msg_type"] == "comm_msg" and "content" in message["content"]["data"]

    # The answer comes from the loop of the run, maybe later.
    if not any("content" in content["data"] for content in ran.of("comm_msg")):
        kernel.listen(is_answer)
    answers = [m["data"]["content"] for m in ran.of("comm_msg") if "content" in m["data"]]
    assert [(a["first"], len(a["patches"]), a["total"]) for a in answers] == [(30, 2, 32)]


def test_a_program_that_runs_the_notebook_gets_the_whole_static_tree(kernel: Kernel) -> None:
    """nbclient and its like get no widget: the cell waits for the run, and shows it once."""
    ran = kernel.run("RunLogTree(replay())", watched=False)
    assert ran.of("comm_open") == ran.of("update_display_data") == []
    assert [set(output) for output in ran.outputs] == [{"text/plain", "text/html"}]
    assert ran.outputs[0]["text/plain"].endswith("9 runs · 1,204 tokens in, 86 out")
    assert "data-chatnb-mount" not in ran.outputs[0]["text/html"]


def test_an_interrupt_of_the_wait_stops_the_run(kernel: Kernel) -> None:
    """The wait ends at once, the stream is closed, and the tree says that it was stopped."""

    def on_message(message: Message) -> None:
        if "waiting" in message["content"].get("text", ""):  # The newline may come later.
            kernel.interrupt()

    code = (
        "closed = False\ntree = RunLogTree(replay(hang=True))\n"
        "async def tell():\n"
        "    while len(tree.log.patches) < 12:\n        await asyncio.sleep(0.01)\n"
        "    print('waiting')\n"
        "telling = asyncio.ensure_future(tell())\nawait tree.wait()"
    )
    ran = kernel.run(code, on_message=on_message)
    assert ran.reply["status"] == "error"
    shown = kernel.run("print(closed, str(tree).splitlines()[0].split(' · ')[:3])")
    assert shown.printed == "True ['answer_with_sources', 'chain', 'stopped']\n"


def test_vscode_gets_a_widget_of_its_own(kernel: Kernel) -> None:
    """There a widget lives only in an output of its own type, beside the static trees."""
    code = "tree = RunLogTree(replay())\ndisplay(tree)\nawait tree.wait()"
    ran = kernel.run(code, cell_id="vscode-notebook-cell:/a.ipynb#W0")
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
    assert "data-chatnb-mount" not in ran.outputs[0]["text/html"]


def test_a_terminal_prints_the_tree(saved: Path) -> None:
    """Without a notebook the tree is text, and no comm is opened."""
    code = (
        "import sys\nfrom chatnb.notebook.run_tree.tree import RunLogTree\n"
        f"print(tree := RunLogTree({str(saved)!r}))\nprint(tree.comm)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("answer_with_sources · chain · 1.16 s\n└─ RunnableSequence")
    assert ran.stdout.endswith("86 out\nNone\n")
