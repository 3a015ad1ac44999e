"""A panel in a real kernel: it streams beside other cells, stops at once, and loses nothing."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatnb import Conversation
from chatnb.store import Store
from tests.kernel.driver import Kernel, Message
from tests.kernel.panels import PanelInKernel, has_ended
from tests.loopback import LoopbackServer, endless

WIDGET = "application/vnd.jupyter.widget-view+json"
SLOW = "ScriptedChatModel([' '.join(map(str, range(3000)))], delay=0.005)"


@pytest.fixture(scope="module")
def shared() -> Iterator[Kernel]:
    """One kernel for tests that leave nothing behind that others would mind."""
    kernel = Kernel()
    kernel.run("import chatnb\nfrom chatnb import ChatPanel, ScriptedChatModel")
    yield kernel
    kernel.close()


def text_of(kernel: Kernel, code: str) -> str:
    return "".join(part["text"] for part in kernel.run(code).of("stream"))


def test_other_cells_run_while_a_reply_comes(any_kernel: Kernel) -> None:
    """A cell that computes without pause starts and ends while the reply grows."""
    any_kernel.run("from chatnb import ChatPanel")
    panel = PanelInKernel(any_kernel, f"panel = ChatPanel({SLOW})\npanel")
    panel.say({"kind": "send", "text": "Count"})
    panel.until(lambda browser: len(browser.items) == 2)
    lengths = list[int]()

    def watch(message: Message) -> None:
        panel.hear(message)
        lengths.append(len(panel.browser.items[1]["text"]))

    code = "import time\nend = time.time() + 1\nwhile time.time() < end: pass\nprint('computed')"
    ran = any_kernel.run(code, on_message=watch)
    assert ran.of("stream")[0]["text"] == "computed\n"
    assert len(set(lengths)) >= 8
    assert panel.browser.state["running"]
    panel.say({"kind": "stop"})
    panel.until(has_ended)


def test_stop_is_immediate(any_kernel: Kernel, loopback: LoopbackServer) -> None:
    """From the press to the end on the screen, and to the closed connection, far below a second;
    the partial is on disk."""
    loopback.plays(endless())
    code = (
        "from chatnb import ChatPanel\nfrom chatnb.chat_models import ChatOpenAI\n"
        f"chat = ChatOpenAI('m', api_key='sk-for-loopback', base_url={loopback.base_url!r})\n"
        "panel = ChatPanel(chat)\npanel"
    )
    panel = PanelInKernel(any_kernel, code)
    panel.say({"kind": "send", "text": "Go on and on"})
    panel.until(lambda browser: browser.items and len(browser.last["text"]) > 50)
    pressed = time.monotonic()
    panel.say({"kind": "stop"})
    panel.until(has_ended)
    seconds = time.monotonic() - pressed
    print(f"stop: {seconds * 1000:.0f} ms")
    assert seconds < 0.5
    assert loopback.exchanges[0].closed.wait(1)
    assert panel.browser.last["status"] == "stopped"
    shown = panel.browser.last["text"]
    assert text_of(any_kernel, "print(panel.messages[-1].text == " + repr(shown) + ")") == "True\n"


def test_two_panels_stream_while_a_third_cell_computes(shared: Kernel) -> None:
    """Neither waits for the other, nor for the cell."""
    panels = [PanelInKernel(shared, f"ChatPanel({SLOW})") for _ in range(2)]
    for panel in panels:
        panel.say({"kind": "send", "text": "Count"})
    grown = [set[int](), set[int]()]

    def watch(message: Message) -> bool:
        for panel, lengths in zip(panels, grown, strict=True):
            panel.hear(message)
            if len(panel.browser.items) == 2:
                lengths.add(len(panel.browser.last["text"]))
        return all(grown)

    shared.listen(watch)
    grown = [set[int](), set[int]()]
    shared.run("import time\ntime.sleep(1)", on_message=watch)
    assert all(len(lengths) >= 8 for lengths in grown)
    for panel in panels:
        panel.say({"kind": "stop"})
        panel.until(has_ended)


def test_deltas_come_at_most_every_50_ms(shared: Kernel) -> None:
    """However fast the model is, a second has at most 20 of them."""
    panel = PanelInKernel(shared, "ChatPanel(ScriptedChatModel([['word '] * 400], delay=0.002))")
    began = time.monotonic()
    panel.say({"kind": "send", "text": "Hi"})
    panel.until(has_ended)
    seconds = time.monotonic() - began
    deltas = [message for message in panel.browser.heard if message["kind"] == "delta"]
    assert 5 <= len(deltas) <= seconds * 20 + 1
    assert panel.browser.last["text"] == "word " * 400


def test_the_output_ends_as_a_transcript(shared: Kernel) -> None:
    """After each turn the cell's output is the whole transcript, with no module and no widget's
    type in it."""
    panel = PanelInKernel(shared, "ChatPanel('scripted:Some **bold** words.')")
    first = panel.shown.of("display_data")[0]
    assert first["data"]["text/plain"] == "ChatPanel: nothing has been said yet."
    updates = list[dict[str, Any]]()

    def enough(message: Message) -> bool:
        panel.hear(message)
        if message["msg_type"] == "update_display_data":
            updates.append(message["content"])
        return bool(updates)

    panel.say({"kind": "send", "text": "Hi"})
    shared.listen(enough)
    assert updates[0]["transient"] == first["transient"]
    bundle = updates[0]["data"]
    assert set(bundle) == {"text/plain", "text/markdown", "text/html"}
    assert bundle["text/markdown"].endswith("Some **bold** words.")
    assert "data-chatnb-place" in bundle["text/html"]
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
    """What was asked and not awaited is there in the next cell; awaiting works as well."""
    shared.run(f"panel = ChatPanel({SLOW.replace('3000', '50')})", watched=False)
    shared.run("panel.ask('Count');", watched=False)
    assert text_of(shared, "print(panel.messages[-1].text[-5:])") == "48 49\n"
    ran = shared.run("print((await panel.ask('Again')).text[-5:])", watched=False)
    assert ran.of("stream")[0]["text"] == "48 49\n"
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
    assert ran.of("stream")[0]["text"].startswith("The call was rejected: Nobody is there")


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
        code = f"panel = ChatPanel({SLOW})\nturn = panel.ask('Count')\nprint('asked')\n{waiting}"
        interrupted = list[float]()

        def on_message(message: Message, at: list[float] = interrupted) -> None:
            if message["content"].get("text") == "asked\n":
                time.sleep(0.3)
                at.append(time.monotonic())
                any_kernel.interrupt()

        ran = any_kernel.run(code, on_message=on_message)
        assert ran.reply["status"] == "error"
        assert time.monotonic() - interrupted[0] < 1
        code = "await panel.wait()\nprint(panel.messages[-1].response_metadata['finish_reason'])"
        assert text_of(any_kernel, code) == "stopped\n"


def test_vscode_gets_a_widget_of_its_own(shared: Kernel) -> None:
    """There a widget lives only in an output of its own type, beside the transcript."""
    shared.run("import os\nos.environ['VSCODE_PID'] = '1'")
    ran = shared.run("ChatPanel('scripted:Hi.')")
    shared.run("del os.environ['VSCODE_PID']")
    assert WIDGET in ran.of("display_data")[0]["data"]


def test_closing_leaves_the_transcript_alone(shared: Kernel) -> None:
    """The reply stops, and every comm is closed."""
    panel = PanelInKernel(shared, f"panel = ChatPanel({SLOW})\npanel")
    panel.say({"kind": "send", "text": "Count"})
    panel.until(lambda browser: browser.items and browser.last["text"])
    ran = shared.run("panel.close()")
    assert ran.reply["status"] == "ok"
    assert {content["comm_id"] for content in ran.of("comm_close")} >= {panel.view}
    bundle = ran.of("update_display_data")[-1]["data"]
    assert "*(stopped)*" in bundle["text/plain"]
    assert "data-chatnb-place" not in bundle["text/html"]


def test_what_no_browser_sends_is_ignored(shared: Kernel) -> None:
    """Nothing breaks, and the next question is answered."""
    panel = PanelInKernel(shared, "ChatPanel('scripted:Fine.')")
    odd: list[Any] = [None, 3, {"kind": "eval"}, {"kind": "send", "text": 3}, {"kind": "branch"}]
    for content in odd:
        panel.say(content)
    panel.say({"kind": "branch", "id": "no-such-id"})
    panel.say({"kind": "decide", "call": "no.0", "decision": "always"})
    panel.until(lambda browser: "Nothing has been said" in (browser.state["error"] or ""))
    panel.say({"kind": "send", "text": "Hi", "attachments": [{"name": "a.txt"}]}, [b"a text"])
    panel.until(lambda browser: has_ended(browser) and browser.state["error"] is None)
    assert panel.browser.last["text"] == "Fine."
    assert panel.browser.items[0]["attachments"][0]["name"] == "a.txt"


def test_every_request_is_answered(shared: Kernel) -> None:
    """Who hears nothing takes the kernel for dead: a state comes even where nothing changed."""
    panel = PanelInKernel(shared, "ChatPanel('scripted:Fine.')")
    for content in ({"kind": "stop"}, {"kind": "settings"}, {"kind": "decide", "call": "x"}):
        heard = len(panel.browser.heard)
        panel.say({"decision": "once", **content})
        panel.until(lambda browser, heard=heard: len(browser.heard) > heard)


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
    panel.say({"kind": "settings", "model": "scripted:Hello there.", "system": "Be brief."})
    panel.say({"kind": "send", "text": "Hi"})
    panel.until(has_ended)
    panel.say({"kind": "regenerate", "id": panel.browser.last["id"]})
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
    panel.say({"kind": "send", "text": "Count"})
    panel.until(lambda browser: browser.items and len(browser.last["text"]) > 500)
    kernel.shut_down()
    kept = Conversation("ended", store=Store(store)).path()[-1]
    assert (kept.status, kept.facts.get("error")) == ("stopped", None)
    assert kept.message.text.startswith(panel.browser.last["text"])


def test_a_killed_kernel_loses_less_than_a_second(store: Path) -> None:
    """Twenty times killed in mid-reply at a random moment: every finished turn is there, and of
    the reply everything that was shown a second before."""
    moments = random.Random(8)
    lost = list[float]()
    for number in range(20):
        kernel = kernel_on(store)
        panel = PanelInKernel(kernel, f"ChatPanel({SLOW}, name='killed')")
        panel.say({"kind": "settings", "model": f"scripted:Whole {number}."})
        panel.say({"kind": "send", "text": f"Question {number}"})
        told = f"Whole {number}."
        panel.until(lambda browser, told=told: has_ended(browser) and told == browser.last["text"])
        whole = [(item["role"], item["text"]) for item in panel.browser.items]
        panel.say({"kind": "settings", "model": "scripted"})
        panel.say({"kind": "send", "text": f"Count {number}"})
        count = len(whole) + 2
        panel.until(lambda browser, count=count: len(browser.items) == count)
        panel.grown.clear()
        until = time.monotonic() + moments.uniform(0.05, 2.5)
        panel.until(lambda browser, until=until: time.monotonic() > until)
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
        lost.append(killed - min(late) if late else 0.0)
    print(f"at most {max(lost):.2f} s of what was shown were lost")
