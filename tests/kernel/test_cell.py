from __future__ import annotations

import json
from typing import Any

import pytest

from chatnb.errors.documentation import see_section
from tests.kernel.driver import Kernel, Message, Ran
from tests.support.loopback import LoopbackServer, endless, refusal

pytestmark = pytest.mark.slow

WIDGET = "application/vnd.jupyter.widget-view+json"


def comm_of(message: Message) -> str | None:
    """The id of the reply view that a display shows, if it shows one."""
    return message["content"].get("data", {}).get(WIDGET, {}).get("model_id")


def test_a_reply_ends_as_plain_markdown_and_leaves_no_widget(any_kernel: Kernel) -> None:
    """While it streams the reply is a widget; what stays is text, and every comm of it is closed
    once the page has that."""
    ran = any_kernel.run("%%chat -m 'scripted:Some **bold** words.' -o kept\nHi")
    assert ran.reply["status"] == "ok"
    assert WIDGET in ran.of("display_data")[0]["data"] or ran.outputs[0] != {}
    assert ran.outputs[0] == {
        "text/markdown": "Some **bold** words.",
        "text/plain": "Some **bold** words.",
    }
    assert ran.outputs[1]["text/plain"].startswith("scripted · ")
    assert ran.of("comm_open")
    assert any_kernel.deliver(ran) == set()
    assert ran.streamed == "Some **bold** words."
    shown = any_kernel.run("print(repr(kept), repr(_reply))").printed
    assert shown.count("AIMessage(content='Some **bold** words.')") == 2


def test_deltas_are_numbered_without_a_gap(any_kernel: Kernel) -> None:
    """The browser can tell from the numbers whether it has missed anything."""
    any_kernel.run("slow = ScriptedChatModel(['word ' * 50], delay=0.01)")
    ran = any_kernel.run("%%chat -m slow\nHi")
    contents = [m["data"].get("content", {}) for m in ran.of("comm_msg")]
    numbers = [c["seq"] for c in contents if c.get("type") == "delta"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 5
    assert ran.streamed == "word " * 50


def test_a_program_that_runs_the_notebook_gets_no_widget(kernel: Kernel) -> None:
    """nbclient and its like cannot be asked for input; they get the reply and nothing else."""
    ran = kernel.run("%%chat -m scripted:Hello.\nHi", watched=False)
    assert ran.of("comm_open") == []
    assert [set(output) for output in ran.outputs] == [{"text/markdown", "text/plain"}] * 2


@pytest.mark.parametrize("watched", [True, False])
def test_reasoning_is_folded_above_the_reply(kernel: Kernel, *, watched: bool) -> None:
    """In an output of its own: the reply's stays plain Markdown."""
    thinks = "AIMessageChunk('', additional_kwargs={'reasoning_content': 'Let me think.'})"
    kernel.run("from chatnb.schema import AIMessageChunk")
    kernel.run(f"thinker = ScriptedChatModel([[{thinks}, 'So.']])")
    thoughts, reply, footer = kernel.run("%%chat -m thinker\nHi", watched=watched).outputs
    assert "<details><summary" in thoughts["text/html"]
    assert "Let me think." in thoughts["text/html"]
    assert reply == {"text/markdown": "So.", "text/plain": "So."}
    assert "Let me think." not in footer["text/markdown"]


def test_ask_again_puts_another_answer_beside_the_first(kernel: Kernel) -> None:
    """It answers the prompt that the cell has sent, once, though others followed; the conversation
    goes on from the one that is selected. A cell that is run by hand is a new turn at the end."""
    kernel.run("%chat new again")
    kernel.run("from chatnb import Conversation; many = ScriptedChatModel(list('abcdef'))")
    ran = kernel.run("%%chat -c again -m many\nOne?", cell_id="one")
    (page, _) = next(
        (content["comm_id"], content)
        for content in ran.of("comm_msg")
        if "replies" in content["data"].get("state", {})
    )
    kernel.run("%%chat -c again -m many\nTwo?", cell_id="two")
    kernel.tell(page, {"type": "ask_again", "cell_id": "one"})
    notice = kernel.run("%%chat -c again -m many\nOne?", cell_id="one").outputs[-1]["text/plain"]
    assert "Another answer beside the one before" in notice
    assert "1 later turn" in notice
    texts = "print([node.message.text for node in Conversation('again').path()])"
    assert kernel.run(texts).printed.strip() == "['One?', 'c']"
    versions = "c = Conversation('again'); print(len(c.branches(c.path()[1].id)))"
    assert kernel.run(versions).printed.strip() == "2"
    for index, answer in ((1, "a"), (2, "c")):
        kernel.tell(page, {"type": "select_answer", "cell_id": "one", "index": index})
        selected = (
            "import time\n"
            "def last(): return Conversation('again').path()[1].message.text\n"
            f"while last() != {answer!r}: time.sleep(0.01)\n"
            "print(get_ipython().magics_manager.registry['ChatMagics'].session.cell_outputs.answers)"
        )
        place = {"one": {"index": index, "count": 2}}
        assert kernel.run(selected).printed.strip() == str(place)
    kernel.run("%%chat -c again -m many\nOne?", cell_id="one")
    assert kernel.run(texts).printed.strip() == "['One?', 'c', 'One?', 'd']"
    kernel.tell(page, {"type": "ask_again", "cell_id": "one"})
    kernel.run("from chatnb.errors import ServerError")
    kernel.run("broken = ScriptedChatModel([[ServerError('No.')]])")
    failed = kernel.run("%%chat -c again -m broken\nOne?", cell_id="one")
    assert failed.reply["ename"] == "ServerError"
    assert kernel.run(texts).printed.strip() == "['One?', 'c', 'One?', 'd']"


def test_log_shows_the_tree_under_the_reply(any_kernel: Kernel) -> None:
    """The facts stay with the reply and the tree comes last, whoever watches."""
    for watched in (True, False):
        ran = any_kernel.run("%%chat -m 'scripted:Some words.' --log\nHi", watched=watched)
        reply, facts, tree = ran.outputs
        assert reply["text/markdown"] == "Some words."
        assert facts["text/plain"].startswith("scripted · ")
        assert tree["text/plain"].startswith("ScriptedChatModel · llm · ")
        assert set(tree) == {"text/plain", "text/html"}


def stop_at_first_words(kernel: Kernel, server: LoopbackServer, stop: Any) -> Ran:
    """Run an endless reply and stop it once it streams."""
    server.plays(endless())
    kernel.run(
        "from chatnb.chat_models import ChatOpenAI\n"
        f"endless = ChatOpenAI('m', api_key='sk-for-loopback', base_url={server.base_url!r})\n"
        "%chat new"
    )
    views = list[str]()

    def watch(message: Message) -> None:
        views.extend(filter(None, [comm_of(message)]))
        content = message["content"].get("data", {}).get("content")
        if isinstance(content, dict) and content.get("seq") == 4:
            stop(views[0])

    return kernel.run("%%chat -m endless -o kept\nGo on and on.", on_message=watch)


def assert_partial_is_kept(kernel: Kernel, server: LoopbackServer, ran: Ran) -> None:
    assert ran.outputs[0]["text/markdown"].startswith("word word")
    assert ran.outputs[1]["text/plain"].startswith("Stopped · ")
    assert server.exchanges[0].closed.wait(60)
    kept = kernel.run("print(kept.content[:9], kept.response_metadata['finish_reason'])")
    assert kept.printed == "word word stopped\n"
    talk = "get_ipython().magics_manager.registry['ChatMagics'].session.conversations['main']"
    assert kernel.run(f"print(len({talk}.messages))").printed == "2\n"


def test_an_interrupt_stops_the_reply_and_the_queue(
    any_kernel: Kernel, loopback: LoopbackServer
) -> None:
    """The kernel's interrupt keeps the partial, hangs up on an endless reply and fails the cell
    in one line, so that Run All stops too."""
    ran = stop_at_first_words(any_kernel, loopback, lambda _: any_kernel.interrupt())
    assert ran.reply["status"] == "error"
    assert [len(e["traceback"]) for e in ran.of("error")] == [1]
    assert_partial_is_kept(any_kernel, loopback, ran)


def test_the_stop_button_stops_the_reply(any_kernel: Kernel, loopback: LoopbackServer) -> None:
    """Stop goes the way that the view was told: a message where the kernel hears it, otherwise
    an interrupt; either way the reply ends, the partial stays and the connection is closed."""
    told = list[str]()

    def press(view: str) -> None:
        if told[0] == "message":
            any_kernel.tell(view, {"type": "stop"})
        else:
            any_kernel.interrupt()

    probe = any_kernel.run("%%chat -m scripted:Hello.\nHi")
    told += [
        c["data"]["state"]["stop_with"]
        for c in probe.of("comm_open")
        if "stop_with" in c["data"]["state"]
    ]
    ran = stop_at_first_words(any_kernel, loopback, press)
    assert ran.reply["status"] == ("ok" if told[0] == "message" else "error")
    assert_partial_is_kept(any_kernel, loopback, ran)


def test_the_cell_after_a_stop_works(any_kernel: Kernel, loopback: LoopbackServer) -> None:
    """A stop leaves the kernel fit for the next reply."""
    stop_at_first_words(any_kernel, loopback, lambda _: any_kernel.interrupt())
    ran = any_kernel.run("%%chat -m scripted:Fine.\nHow are you?")
    assert ran.outputs[0]["text/plain"] == "Fine."


def test_an_error_of_the_provider_fails_the_cell_in_one_line(
    any_kernel: Kernel, loopback: LoopbackServer
) -> None:
    """The cell fails with what happened and where to read on, and no page of traceback."""
    loopback.plays(refusal("401 Unauthorized", "Incorrect API key."))
    any_kernel.run(
        "from chatnb.chat_models import ChatOpenAI\n"
        f"refused = ChatOpenAI('m', api_key='sk-for-loopback', base_url={loopback.base_url!r})"
    )
    ran = any_kernel.run("%%chat -m refused\nHi")
    assert ran.reply["status"] == "error"
    assert ran.reply["ename"] == "AuthenticationError"
    (error,) = ran.of("error")
    assert error["traceback"] == [
        "AuthenticationError: Incorrect API key. Check the API key (OPENAI_API_KEY).",
        see_section("providers"),
    ]
    assert ran.outputs[0]["text/plain"].startswith("Nothing arrived · ")


def test_the_partial_stays_above_an_error(any_kernel: Kernel) -> None:
    """The text before the provider failed stays in the cell and in `_reply`."""
    any_kernel.run(
        "from chatnb.errors import ServerError\n"
        "breaks = ScriptedChatModel([['Half a ', 'reply', ServerError('Overloaded.')]])"
    )
    ran = any_kernel.run("%%chat -m breaks\nHi")
    assert ran.reply["status"] == "error"
    assert ran.outputs[0]["text/markdown"] == "Half a reply"
    assert any_kernel.run("print(_reply.content)").printed == "Half a reply\n"


def test_a_reply_costs_bytes_in_proportion_to_its_text(kernel: Kernel) -> None:
    """2,000 chunks, of 12 KB, put at most 80 KB on IOPub, to the view and as drafts for the saved
    file, and 20,000 chunks at most ten times that; the code of the view and of the page's widget,
    with the Markdown parser and tool calls, is at most 150 KB, and that of a later reply at most
    4 KB."""
    sizes, code = {}, {}
    for chunks in (2_000, 20_000):
        kernel.run(f"many = ScriptedChatModel([['word! '] * {chunks}])\n%chat new")
        ran = kernel.run("%%chat -m many\nHi", timeout=120)
        assert ran.streamed == "word! " * chunks
        states = [content["data"]["state"] for content in ran.of("comm_open")]
        names = ("_esm", "_css", "reply_code")
        sources = [state.get(name, "") for state in states for name in names]
        code[chunks] = len(json.dumps(sources))
        sizes[chunks] = ran.iopub_bytes - code[chunks]
    print(f"bytes on IOPub: {sizes}, of code: {code}")
    assert sizes[2_000] <= 80_000
    assert sizes[20_000] <= 10 * 80_000
    assert code[2_000] <= 150_000
    assert code[20_000] <= 4_000


def test_the_code_of_the_view_is_sent_once(kernel: Kernel) -> None:
    """All replies of a kernel, compared ones too, take the code from the page's widget, and a
    short one costs less than 20 KB; a page that does not have it asks while the cell runs."""
    first = kernel.run("%%chat -m scripted:One.\nHi")
    second = kernel.run("%%chat -m scripted:Two.\nHi")
    compared = kernel.run("%%chat --compare scripted:Three.,scripted:Four.\nHi")
    assert 100_000 < first.iopub_bytes < 200_000  # Once: it is more than 100 KB.
    assert second.iopub_bytes < 20_000
    page, code = next(
        (content["comm_id"], content["data"]["state"]["reply_code"])
        for content in first.of("comm_open")
        if "reply_code" in content["data"]["state"]
    )
    views = [state for ran in (first, second, compared) for state in reply_views(ran)]
    assert [view["code_model"] for view in views] == [page] * 3
    assert code["esm"] not in [view["_esm"] for view in views]

    answers = list[Any]()

    def watch(message: Message) -> None:
        content = message["content"].get("data", {}).get("content") or {}
        if content.get("seq") == 1:
            kernel.tell(message["content"]["comm_id"], {"type": "get_code"})
        if content.get("type") == "code":
            answers.append(content)
            kernel.interrupt()

    kernel.run("%chat new\nendless = ScriptedChatModel(['word ' * 10_000], delay=0.02)")
    ran = kernel.run("%%chat -m endless\nHi", on_message=watch)
    assert answers == [code]
    assert ran.reply["ename"] == "ReplyInterrupted"


def test_replies_go_on_after_all_widgets_were_closed(kernel: Kernel) -> None:
    """`Widget.close_all()` of ipywidgets closes the page's own widget, too: the next reply opens
    another, which has the code of its view and delivers its outputs."""
    kernel.run("%%chat -m scripted:One.\nHi")
    kernel.run("import ipywidgets\nipywidgets.Widget.close_all()")
    ran = kernel.run("%%chat -m scripted:Two.\nHi")
    opened = {content["comm_id"]: content["data"]["state"] for content in ran.of("comm_open")}
    [page] = [id for id, state in opened.items() if "reply_code" in state]
    assert [view["code_model"] for view in reply_views(ran)] == [page]
    assert ran.streamed == "Two."
    assert ran.outputs[0]["text/plain"] == "Two."
    assert kernel.deliver(ran) == set()


@pytest.mark.parametrize(
    ("cell_id", "setup"),
    [("vscode-notebook-cell:/a.ipynb", ""), ("", ""), ("cell", "%autoawait off")],
)
def test_a_reply_brings_its_code_where_pages_may_lack_it(cell_id: str, setup: str) -> None:
    """So it does in VS Code, in a front end that tells no cell, and in a kernel that could not
    hear the page ask for it; the page's widget has it only where others take it."""
    fresh = Kernel(forked=True)
    try:
        fresh.run(f"{setup}\n%load_ext chatnb", cell_id=cell_id)
        for _ in range(2):
            ran = fresh.run("%%chat -m scripted:Hi.\nHi", cell_id=cell_id)
            fresh.deliver(ran)
            [view] = reply_views(ran)
            assert len(view["_esm"]) > 50_000
            assert view["_css"]
            assert view["code_model"] == ""
            pages = [content["data"]["state"].get("reply_code") for content in ran.of("comm_open")]
            assert pages == [None] * len(pages)
    finally:
        fresh.close()


def reply_views(ran: Ran) -> list[dict[str, Any]]:
    """The states of the reply views that a cell opened."""
    states = [content["data"]["state"] for content in ran.of("comm_open")]
    return [state for state in states if "code_model" in state]


def test_a_front_end_that_does_not_answer_gets_text() -> None:
    """jupyter console tells no cell and takes no updates: the first reply is printed when nobody
    has answered for a second, later ones stream as text, until a page says that it is there."""
    unknown = Kernel(forked=True)
    unknown.run("%load_ext chatnb\nfrom chatnb import ScriptedChatModel", cell_id="")
    unknown.run("brief = ScriptedChatModel(['Hello there.'])", cell_id="")
    try:
        first = unknown.run("%%chat -m brief\nHi", cell_id="")
        assert first.printed == "Hello there.\n"
        assert [o["text/plain"] for o in first.outputs if "scripted" in o["text/plain"]]
        again = unknown.run("%%chat -m brief\nHi", cell_id="")
        assert again.printed.startswith("Hello there.\n")
        assert again.of("comm_open") == []
        page = next(c["comm_id"] for c in first.of("comm_open") if "replies" in c["data"]["state"])
        unknown.tell(page, {"type": "hello"})
        unknown.run("pass", cell_id="")
        assert unknown.run("%%chat -m brief\nHi", cell_id="").printed == ""
    finally:
        unknown.close()


def test_the_view_of_cells_can_be_said(kernel: Kernel) -> None:
    """`%chat config view=` holds over what the front end tells, until reset."""
    kernel.run("brief = ScriptedChatModel(['Hello there.'])")
    kernel.run("%chat config view=text")
    ran = kernel.run("%%chat -m brief\nHi")
    assert ran.printed.startswith("Hello there.\n")
    kernel.run("%chat config view=static")
    ran = kernel.run("%%chat -m brief\nHi")
    assert [len(ran.of(kind)) for kind in ("display_data", "comm_open")] == [2, 0]
    kernel.run("%chat config reset")
    assert kernel.run("%%chat -m brief\nHi").of("comm_open")


def test_a_slow_reply_sends_no_more_messages_than_eyes_can_follow(kernel: Kernel) -> None:
    """Chunks that come faster than every 50 ms travel together: each delta but the first carries
    all that came since the one before."""
    kernel.run("paced = ScriptedChatModel([['word! '] * 300], delay=0.005)")
    ran = kernel.run("%%chat -m paced\nHi")
    seconds = float(ran.outputs[1]["text/plain"].split(" · ")[1].removesuffix(" s"))
    contents = [m["data"].get("content", {}) for m in ran.of("comm_msg")]
    deltas = [c for c in contents if c.get("type") == "delta"]
    assert 10 <= len(deltas) <= (seconds + 0.1) / 0.05 + 2


def test_a_browser_that_missed_a_delta_gets_the_whole_text(kernel: Kernel) -> None:
    """A resync while the reply streams is answered with a snapshot of everything so far."""
    kernel.run("slow = ScriptedChatModel(['word ' * 40], delay=0.02)")
    views, snapshots = list[str](), list[dict[str, Any]]()
    asked = list[int]()

    def watch(message: Message) -> None:
        views.extend(filter(None, [comm_of(message)]))
        sent = message["content"].get("data", {})
        if message["msg_type"] == "comm_msg" and sent.get("method") == "update":
            snapshots.extend(filter(None, [sent["state"].get("snapshot")]))
        content = sent.get("content")
        if isinstance(content, dict) and content.get("seq") == 3:
            asked.append(len(snapshots))
            kernel.tell(views[0], {"type": "resync"})

    kernel.run("%%chat -m slow\nHi", on_message=watch)
    answer = snapshots[asked[0] :][0]
    assert answer["seq"] >= 3
    assert answer["text"] == ("word " * 40)[: len(answer["text"])]


def test_hostile_messages_of_the_browser_do_nothing(kernel: Kernel) -> None:
    """The reply continues to its end, whatever a client sends to the widget."""
    kernel.run("slow = ScriptedChatModel(['word ' * 30], delay=0.02)")
    views, sent = list[str](), list[bool]()

    def watch(message: Message) -> None:
        views.extend(filter(None, [comm_of(message)]))
        if views and not sent:
            sent.append(True)
            for content in (None, 3, "stop", ["stop"], {"type": {"a": 1}}, {"type": "nonsense"}):
                kernel.tell(views[0], content)  # type: ignore[arg-type]

    ran = kernel.run("%%chat -m slow\nHi", on_message=watch)
    assert ran.reply["status"] == "ok"
    assert ran.outputs[0]["text/plain"] == "word " * 30
