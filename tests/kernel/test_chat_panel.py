"""A panel in a real kernel: it streams beside other cells, stops at once, and loses nothing."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from jupyter_core.utils import ensure_event_loop

from chatnb import Conversation
from chatnb.store import Store
from tests.kernel.driver import Kernel, Message
from tests.kernel.panels import PanelInKernel, has_ended
from tests.support.loopback import LoopbackServer, endless

pytestmark = pytest.mark.slow

WIDGET = "application/vnd.jupyter.widget-view+json"
TELL = """\
import threading, time
def tell():
    while len(panel.messages) < 2 or len(panel.messages[1].text) < 50:
        time.sleep(0.01)
    print("growing")
threading.Thread(target=tell).start()
"""
"""Code that says when the reply of a panel grows, by which time the cell waits for it."""
SLOW = "ScriptedChatModel([' '.join(map(str, range(3000)))], delay=0.005)"


@pytest.fixture(scope="module")
def shared() -> Iterator[Kernel]:
    """One kernel for tests that leave nothing behind that others would mind."""
    kernel = Kernel(forked=True)
    kernel.run("import chatnb\nfrom chatnb import ChatPanel, ScriptedChatModel")
    yield kernel
    kernel.close()


def text_of(kernel: Kernel, code: str) -> str:
    return kernel.run(code).printed


def computing_until(path: Path) -> str:
    """A cell that computes without pause until a file is there."""
    return f"import os\nwhile not os.path.exists({str(path)!r}): pass\nprint('computed')"


def test_other_cells_run_while_a_reply_comes(any_kernel: Kernel, tmp_path: Path) -> None:
    """A cell that computes without pause starts and ends while the reply grows."""
    enough = tmp_path / "enough"
    any_kernel.run("from chatnb import ChatPanel")
    panel = PanelInKernel(any_kernel, f"panel = ChatPanel({SLOW})\npanel")
    panel.send({"type": "send", "text": "Count"})
    panel.until(lambda browser: len(browser.items) == 2)
    lengths = set[int]()

    def watch(_: Message) -> None:
        lengths.add(len(panel.browser.items[1]["text"]))
        if len(lengths) >= 8:
            enough.touch()

    ran = any_kernel.run(computing_until(enough), on_message=watch)
    assert ran.printed == "computed\n"
    assert panel.browser.state["running"]
    panel.send({"type": "stop"})
    panel.until(has_ended)


def test_stop_ends_an_endless_reply(any_kernel: Kernel, loopback: LoopbackServer) -> None:
    """The reply ends on the screen, its connection is closed, and the partial is on disk."""
    loopback.plays(endless())
    code = (
        "from chatnb import ChatPanel\nfrom chatnb.chat_models import ChatOpenAI\n"
        f"chat = ChatOpenAI('m', api_key='sk-for-loopback', base_url={loopback.base_url!r})\n"
        "panel = ChatPanel(chat)\npanel"
    )
    panel = PanelInKernel(any_kernel, code)
    panel.send({"type": "send", "text": "Go on and on"})
    panel.until(lambda browser: browser.items and len(browser.last["text"]) > 50)
    panel.send({"type": "stop"})
    panel.until(has_ended)
    assert loopback.exchanges[0].closed.wait(60)
    assert panel.browser.last["status"] == "stopped"
    shown = panel.browser.last["text"]
    assert text_of(any_kernel, "print(panel.messages[-1].text == " + repr(shown) + ")") == "True\n"


def test_two_panels_stream_while_a_third_cell_computes(shared: Kernel, tmp_path: Path) -> None:
    """Neither waits for the other, nor for the cell."""
    enough = tmp_path / "enough"
    panels = [PanelInKernel(shared, f"ChatPanel({SLOW})") for _ in range(2)]
    for panel in panels:
        panel.send({"type": "send", "text": "Count"})
    grown = [set[int](), set[int]()]

    def watch(_: Message) -> bool:
        for panel, lengths in zip(panels, grown, strict=True):
            if len(panel.browser.items) == 2:
                lengths.add(len(panel.browser.last["text"]))
        if all(len(lengths) >= 8 for lengths in grown):
            enough.touch()
        return all(grown)

    shared.listen(watch)
    grown = [set[int](), set[int]()]
    assert shared.run(computing_until(enough), on_message=watch).printed == "computed\n"
    for panel in panels:
        panel.send({"type": "stop"})
        panel.until(has_ended)


def test_deltas_come_at_most_every_50_ms(shared: Kernel) -> None:
    """A second of the fastest model has at most 20 of them."""
    panel = PanelInKernel(shared, "ChatPanel(ScriptedChatModel([['word '] * 400], delay=0.002))")
    began = time.monotonic()
    panel.send({"type": "send", "text": "Hi"})
    panel.until(has_ended)
    seconds = time.monotonic() - began
    deltas = [message for message in panel.browser.received if message["type"] == "delta"]
    assert 5 <= len(deltas) <= seconds * 20 + 1
    assert panel.browser.last["text"] == "word " * 400


def test_the_output_ends_as_a_transcript(shared: Kernel) -> None:
    """After each turn the cell's output is the whole transcript, with no module and no widget's
    type in it; the question is in it before the reply."""
    panel = PanelInKernel(shared, "ChatPanel('scripted:Some **bold** words.')")
    first = panel.shown.of("display_data")[0]
    assert first["data"]["text/plain"] == "ChatPanel: no messages yet."
    updates = list[dict[str, Any]]()

    def enough(message: Message) -> bool:
        if message["msg_type"] == "update_display_data":
            updates.append(message["content"])
        return len(updates) == 2

    panel.send({"type": "send", "text": "Hi"})
    shared.listen(enough)
    assert [update["transient"] for update in updates] == [first["transient"]] * 2
    question, bundle = (update["data"] for update in updates)
    assert question["text/plain"].startswith("**You**\n\nHi")
    assert set(bundle) == {"text/plain", "text/markdown", "text/html"}
    assert bundle["text/markdown"].endswith("Some **bold** words.")
    assert "data-chatnb-mount" in bundle["text/html"]
    assert "_esm" not in str(bundle)


def test_a_program_that_runs_the_notebook_gets_the_transcript(shared: Kernel) -> None:
    """No widget; the cell waits for what was asked, and the outputs are the same each time."""
    code = f"panel = ChatPanel({SLOW.replace('3000', '50')})\nturn = panel.ask('Count')\npanel"
    outputs = list[Any]()
    for _ in range(2):
        ran = shared.run(code, watched=False)
        assert ran.of("comm_open") == ran.of("update_display_data") == []
        outputs.append(ran.outputs)
    assert outputs[0] == outputs[1]
    (output,) = outputs[0]
    assert set(output) == {"text/plain", "text/markdown", "text/html"}
    assert output["text/plain"].endswith(" 48 49")


def test_a_cell_ends_with_its_turns_where_nobody_watches(shared: Kernel) -> None:
    """A reply that was not awaited is there in the next cell; awaiting works as well."""
    shared.run(f"panel = ChatPanel({SLOW.replace('3000', '50')})", watched=False)
    shared.run("panel.ask('Count');", watched=False)
    assert text_of(shared, "print(panel.messages[-1].text[-5:])") == "48 49\n"
    ran = shared.run("print((await panel.ask('Again')).text[-5:])", watched=False)
    assert ran.printed == "48 49\n"
    ran = shared.run("panel.ask('Again')\nawait panel.wait()\nlen(panel.messages)", watched=False)
    assert ran.of("execute_result")[0]["data"]["text/plain"] == "6"


def test_nobody_can_be_asked_where_nobody_watches(shared: Kernel) -> None:
    """A call is rejected with the reason instead of waiting for ever."""
    code = (
        "from chatnb import AIMessage\n"
        "call = {'name': 'add', 'args': {}, 'id': 'c1'}\n"
        "def add() -> int:\n    'Add.'\n    return 1\n"
        "chat = ScriptedChatModel([AIMessage('', tool_calls=[call]), 'Then not.'])\n"
        "panel = ChatPanel(chat, tools=[add])\n"
        "await panel.ask('Add')\nprint(panel.messages[2].text)"
    )
    ran = shared.run(code, watched=False)
    assert ran.reply["status"] == "ok"
    assert ran.printed.startswith("The call was rejected: Nobody is there")


def test_a_failed_turn_fails_the_cell_that_awaits_it(shared: Kernel) -> None:
    """With the model's own error; the panel shows it too."""
    code = (
        "from chatnb.errors import ServerError\n"
        "panel = ChatPanel(ScriptedChatModel([ServerError('Overloaded.')]))\n"
        "await panel.ask('Hi')"
    )
    ran = shared.run(code)
    assert (ran.reply["ename"], ran.reply["evalue"]) == ("ServerError", "Overloaded.")


def test_an_interrupt_of_a_wait_stops_the_reply(any_kernel: Kernel) -> None:
    """In a cell that awaits as in one that blocks; the partial stays."""
    any_kernel.run("from chatnb import ChatPanel")
    any_kernel.run("1 / 0")  # The first traceback of a kernel takes a second by itself.
    for waiting in ("await panel.wait()", "turn.result()", "await turn"):
        code = f"panel = ChatPanel({SLOW})\n{TELL}turn = panel.ask('Count')\n{waiting}"

        def on_message(message: Message) -> None:
            if "growing" in message["content"].get("text", ""):  # The newline may come later.
                any_kernel.interrupt()

        ran = any_kernel.run(code, on_message=on_message)
        assert ran.reply["status"] == "error"
        code = "await panel.wait()\nlast = panel.messages[-1]\n"
        code += "print(last.response_metadata['finish_reason'], len(last.text) < 770)"
        # The interrupt comes after 50 characters, and in the second after it the model writes up
        # to 770. Counting them keeps that bound on a busy machine, too, where a clock would not.
        assert text_of(any_kernel, code) == "stopped True\n"


def test_vscode_gets_a_widget_of_its_own(shared: Kernel) -> None:
    """There a widget lives only in an output of its own type, beside the transcript."""
    ran = shared.run("ChatPanel('scripted:Hi.')", cell_id="vscode-notebook-cell:/a.ipynb#W0")
    assert WIDGET in ran.of("display_data")[0]["data"]


def test_closing_leaves_the_transcript_alone(shared: Kernel) -> None:
    """The reply stops, and every comm is closed."""
    panel = PanelInKernel(shared, f"panel = ChatPanel({SLOW})\npanel")
    panel.send({"type": "send", "text": "Count"})
    panel.until(lambda browser: browser.items and browser.last["text"])
    ran = shared.run("panel.close()")
    assert ran.reply["status"] == "ok"
    assert {content["comm_id"] for content in ran.of("comm_close")} >= {panel.view}
    bundle = ran.of("update_display_data")[-1]["data"]
    assert "*(stopped)*" in bundle["text/plain"]
    assert "data-chatnb-mount" not in bundle["text/html"]


def test_what_no_browser_sends_is_ignored(shared: Kernel) -> None:
    """Nothing breaks, and the next question is answered."""
    panel = PanelInKernel(shared, "ChatPanel('scripted:Fine.')")
    odd: list[Any] = [
        None,
        3,
        {"type": "eval"},
        {"type": "send", "text": 3},
        {"type": "select_branch"},
    ]
    for content in odd:
        panel.send(content)
    panel.send({"type": "select_branch", "id": "no-such-id"})
    panel.send({"type": "decide", "call": "no.0", "decision": "always"})
    panel.until(lambda browser: "There are no messages" in (browser.state["error"] or ""))
    panel.send({"type": "send", "text": "Hi", "attachments": [{"name": "a.txt"}]}, [b"a text"])
    panel.until(lambda browser: has_ended(browser) and browser.state["error"] is None)
    assert panel.browser.last["text"] == "Fine."
    assert panel.browser.items[0]["attachments"][0]["name"] == "a.txt"


def test_every_request_is_answered(shared: Kernel) -> None:
    """A request is always acknowledged by a state, even if nothing changed."""
    panel = PanelInKernel(shared, "ChatPanel('scripted:Fine.')")
    for content in (
        {"type": "stop"},
        {"type": "change_settings", "settings": {}},
        {"type": "decide", "call": "x"},
    ):
        heard = len(panel.browser.received)
        panel.send({"decision": "once", **content})
        panel.until(lambda browser, heard=heard: len(browser.received) > heard)


def test_a_disk_that_breaks_at_the_end_of_a_turn_ends_those_in_the_queue(
    shared: Kernel, store: Path
) -> None:
    """Neither the reply nor the transcript in the cell can be written then; each turn fails with
    the reason, and none waits for ever."""
    code = f"""\
        import os
        from pathlib import Path
        os.environ["CHATNB_STORE"] = {str(store)!r}
        async def chat(messages):
            yield "Half "
            panel.conversation.store.close()
            Path({str(store)!r}).write_bytes(b"no database at all" * 1000)
            yield "whole."
        panel = ChatPanel(chat, name="broken")
        panel"""
    PanelInKernel(shared, dedent(code))
    code = """\
        turns = [panel.ask(text) for text in ("One", "Two", "Three")]
        for turn in turns:
            try:
                turn.result(5)
            except Exception as error:
                print(type(error).__name__)
        del os.environ["CHATNB_STORE"]"""
    assert text_of(shared, dedent(code)).split() == ["ConfigurationError"] * 3


def test_running_the_cell_again_leaves_no_poll_behind(shared: Kernel) -> None:
    """Thirty panels of one cell, of which a page shows the last one, read no more than that one."""
    for number in range(30):
        panel = PanelInKernel(shared, f"{number}\nChatPanel('scripted:Fine.', name='again')")
        panel.send({"type": "subscribe", "page": "p"})
        if number < 29:
            panel.send({"type": "unsubscribe", "page": "p"})
    code = """\
        import time
        from chatnb import Conversation
        refresh, reads = Conversation.refresh, []
        def counted(self):
            reads.append(self.name)
            return refresh(self)
        time.sleep(1.1)
        Conversation.refresh = counted
        time.sleep(1.1)
        Conversation.refresh = refresh
        print(len(reads))"""
    assert int(text_of(shared, dedent(code))) <= 6


def test_sys_exit_in_a_chat_leaves_the_kernel_as_it_was(shared: Kernel) -> None:
    """The turn fails, in the panel and for whoever awaits it; other panels and cells work."""
    code = """\
        import sys
        async def chat(messages):
            sys.exit(2)
        ChatPanel(chat)"""
    panel = PanelInKernel(shared, dedent(code))
    panel.send({"type": "send", "text": "Hi"})
    panel.until(has_ended)
    assert panel.browser.last["error"] == "SystemExit: 2"
    other = PanelInKernel(shared, "ChatPanel('scripted:Fine.')")
    other.send({"type": "send", "text": "Hi"})
    other.until(has_ended)
    assert other.browser.last["text"] == "Fine."
    shared.run("%load_ext chatnb\nmodel = ScriptedChatModel(['Well.'])")
    shared.run("%%chat -m model\nHi")
    assert text_of(shared, "print(_reply.text)") == "Well.\n"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "conversations.db"


def kernel_on(store: Path) -> Kernel:
    kernel = Kernel(environment={"CHATNB_STORE": str(store)})
    kernel.run("from chatnb import ChatPanel, ScriptedChatModel")
    return kernel


def test_a_restarted_kernel_resumes_the_conversation(store: Path) -> None:
    """Running the cell again shows all of it, branches and settings included."""
    code = "ChatPanel(None, name='x')"
    kernel = kernel_on(store)
    panel = PanelInKernel(kernel, code)
    panel.send(
        {
            "type": "change_settings",
            "settings": {"model": "scripted:Hello there.", "system": "Be brief."},
        }
    )
    panel.send({"type": "send", "text": "Hi"})
    panel.until(has_ended)
    panel.send({"type": "regenerate", "id": panel.browser.last["id"]})
    panel.until(lambda browser: has_ended(browser) and browser.last["branch"]["count"] == 2)
    kernel.kill()
    kernel = kernel_on(store)
    again = PanelInKernel(kernel, code)
    assert again.browser.items == panel.browser.items
    for setting in ("model", "system", "usage", "name"):
        assert again.browser.state[setting] == panel.browser.state[setting]
    kernel.close()


def test_a_kernel_that_ends_in_mid_reply_stops_it(store: Path) -> None:
    """All that was shown is kept and marked as stopped, though the notebook's own functions lose
    their variables before the process is gone."""
    kernel = kernel_on(store)
    code = (
        "import asyncio\nasync def chat(messages):\n    for number in range(10_000):\n"
        "        yield f'{number} '\n        await asyncio.sleep(0.001)\n"
        "ChatPanel(chat, name='ended')"
    )
    panel = PanelInKernel(kernel, code)
    panel.send({"type": "send", "text": "Count"})
    panel.until(lambda browser: browser.items and len(browser.last["text"]) > 500)
    kernel.shut_down()
    kept = Conversation("ended", store=Store(store)).path()[-1]
    assert (kept.status, kept.facts.get("error")) == ("stopped", None)
    assert kept.message.text.startswith(panel.browser.last["text"])


def kill_in_mid_reply(store: Path, number: int, seconds: float) -> float:
    """Kill a kernel whose panel streams after so many seconds, and check what it left; return how
    long ago the first text was shown that is lost."""
    kernel = kernel_on(store)
    panel = PanelInKernel(kernel, f"ChatPanel({SLOW}, name='killed')")
    told = f"Whole {number}."
    panel.send({"type": "change_settings", "settings": {"model": f"scripted:{told}"}})
    panel.send({"type": "send", "text": f"Question {number}"})
    panel.until(lambda browser: has_ended(browser) and told == browser.last["text"])
    whole = [(item["role"], item["text"]) for item in panel.browser.items]
    panel.send({"type": "change_settings", "settings": {"model": "scripted"}})
    panel.send({"type": "send", "text": f"Count {number}"})
    count = len(whole) + 2
    panel.until(lambda browser: len(browser.items) == count)
    panel.grown.clear()
    until = time.monotonic() + seconds
    panel.until(lambda _: time.monotonic() > until)
    killed = time.monotonic()
    kernel.kill()
    kept = Conversation("killed", store=Store(store)).path()
    assert [(n.message.type, n.message.text) for n in kept[: len(whole)]] == whole
    assert kept[-2].message.text == f"Count {number}"
    assert kept[-1].status == "stopped"
    written = len(kept[-1].message.text)
    assert " ".join(map(str, range(3000))).startswith(kept[-1].message.text)
    due = max((length for at, length in panel.grown if at <= killed - 1), default=0)
    assert written >= due
    late = [at for at, length in panel.grown if length > written]
    return killed - min(late) if late else 0.0


@pytest.mark.thorough
def test_a_killed_kernel_loses_less_than_a_second(tmp_path: Path) -> None:
    """Killed in mid-reply at a random moment, three times each in two conversations: every
    finished turn is there, and of the reply everything that was shown a second before."""
    moments = random.Random(8)
    seconds = [[moments.uniform(0.05, 2.5) for _ in range(3)] for _ in range(2)]

    def kill_repeatedly(conversation: int) -> float:
        store = tmp_path / f"{conversation}.db"
        kills = enumerate(seconds[conversation])
        try:
            return max(kill_in_mid_reply(store, number, moment) for number, moment in kills)
        finally:
            ensure_event_loop().close()  # jupyter_client opens a loop on each thread.

    with ThreadPoolExecutor(2) as threads:
        lost = list(threads.map(kill_repeatedly, range(2)))
    print(f"at most {max(lost):.2f} s of what was shown were lost")
