"""Cells whose replies stream into a page: what it gets meanwhile, and what stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from chatnb.chat_models import ScriptedChatModel
from chatnb.errors import ServerError
from chatnb.notebook.widgets import front_end
from chatnb.schema import AIMessage
from tests.support.live_cells import WIDGET_VIEW, Page, until


@pytest.fixture(params=["awaiting", "blocking"])
def page(
    request: pytest.FixtureRequest, bare_shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> Page:
    monkeypatch.setattr(front_end, "_page_answers", True)
    return Page(bare_shell, monkeypatch, awaits=request.param == "awaiting")


def test_the_reply_takes_the_place_of_its_view(page: Page) -> None:
    """The view is told in a file that is saved meanwhile, and gone afterwards."""
    page.shell.push({"oracle": ScriptedChatModel(["**Yes** <b>."], model_name="or*acle")})
    result = page.run("%%chat -m oracle\nHi")
    assert result.success
    view, reply, footer = page.outputs
    assert view.data["text/plain"] == "or*acle is replying."
    assert view.data[WIDGET_VIEW]["model_id"] == page.view_id
    assert not view.replaces
    assert reply.data == {"text/markdown": "**Yes** &lt;b>.", "text/plain": "**Yes** <b>."}
    assert (reply.id, reply.replaces) == (view.id, True)
    assert footer.data["text/markdown"].startswith(r"_*or\*acle · ")
    assert (footer.id, footer.replaces) == ("", False)
    assert "".join(delta["text"] for delta in page.told(page.view_id, "delta")) == "**Yes** <b>."
    assert page.states(page.view_id, "phase") == ["waiting", "streaming"]
    (known,) = page.session.cell_outputs.replies.values()
    assert known == {
        "cell_id": "c1",
        "view_id": page.view_id,
        "note": r"*or\*acle was replying when this was saved. `%chat resume` goes on.*",
        "finished": True,
    }


def test_a_page_gets_final_outputs_that_it_missed(page: Page) -> None:
    """Until it says that it has them, with the number of the cell."""
    page.shell.push({"oracle": ScriptedChatModel(["Yes.", ServerError("Overloaded.")])})
    page.run("1 + 1")
    page.run("%%chat -m oracle\nHi")
    view_id = page.view_id
    published = [output.data for output in page.outputs[1:]]
    (id,) = page.session.cell_outputs.replies
    page.say(page.own_id, {"type": "get_outputs", "id": "another"})
    page.say(page.own_id, {"type": "get_outputs", "id": id})
    (sent,) = page.told(page.own_id, "outputs")
    assert sent == {
        "type": "outputs",
        "id": id,
        "outputs": [
            {"output_type": "display_data", "metadata": {}, "data": data} for data in published
        ],
        "execution_count": page.shell.execution_count - 1,
    }
    assert not [
        data for id, data in page.messages if id == view_id and data["type"] == "comm_close"
    ]
    page.say(page.own_id, {"type": "delivered", "id": id})
    assert page.session.cell_outputs.replies == {}
    assert [data for id, data in page.messages if id == view_id and data["type"] == "comm_close"]
    page.say(page.own_id, {"type": "delivered", "id": id})
    result = page.run("%%chat -m oracle\nHi")
    assert isinstance(result.error_in_exec, ServerError)
    (id,) = page.session.cell_outputs.replies
    page.say(page.own_id, {"type": "get_outputs", "id": id})
    error = page.told(page.own_id, "outputs")[-1]["outputs"][-1]
    assert error["output_type"] == "error"
    assert (error["ename"], error["evalue"]) == ("ServerError", "ServerError: Overloaded.")
    assert error["traceback"][0] == "ServerError: Overloaded."


def test_a_page_stops_a_reply(page: Page) -> None:
    """Its text stays, and the footer says how it ended."""

    async def chat(messages: list[Any]) -> AsyncIterator[str]:
        yield "Half"
        await asyncio.sleep(0)
        page.post(page.view_id, {"type": "stop"})
        await asyncio.sleep(30)
        yield " and half."

    page.shell.push({"talk": chat})
    assert page.run("%%chat -m talk\nHi").success
    _, reply, footer = page.outputs
    assert reply.data["text/plain"] == "Half"
    assert footer.data["text/plain"].startswith("Stopped · ")


def test_a_page_asks_for_the_text_and_for_the_code_of_the_view(page: Page) -> None:
    """In the middle of a reply; unknown messages are passed over."""
    found: list[Any] = []

    def ask() -> None:
        for content in ({"type": "resync"}, {"type": "get_code"}, {"type": "other"}, None, []):
            page.say(page.view_id, content)
        found.extend(page.states(page.view_id, "snapshot"))

    async def chat(messages: list[Any]) -> AsyncIterator[str]:
        yield "Half"
        while not page.told(page.view_id, "delta"):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await asyncio.get_running_loop().run_in_executor(None, ask)
        yield " and half."

    page.shell.push({"talk": chat})
    page.run("%%chat -m talk\nHi")
    snapshot = found[-1]
    assert (snapshot["seq"], snapshot["text"]) == (1, "Half")
    assert 0 <= snapshot["seconds"] < 60
    (code,) = page.told(page.view_id, "code")
    assert set(code) == {"type", "esm", "css"}
    assert "export" in code["esm"]
    assert len(code["css"]) > 100


def test_compared_replies_take_the_place_of_their_view(page: Page) -> None:
    """A column for each, of which one fails; the variable has both."""
    broken = ScriptedChatModel([["Half `a`", ServerError("Overloaded.")]])
    page.shell.push({"one": ScriptedChatModel(["First."]), "two": broken})
    result = page.run("%%chat --compare one,two -o both\nHi")
    assert result.success
    view, columns = page.outputs
    assert view.data["text/plain"] == "one, two are replying."
    assert (columns.id, columns.replaces) == (view.id, True)
    assert columns.data["text/plain"].startswith("one\nFirst.\n")
    deltas = {
        column: "".join(
            d["text"] for d in page.told(page.view_id, "delta") if d["column"] == column
        )
        for column in (0, 1)
    }
    assert deltas == {0: "First.", 1: "Half `a`"}
    last = page.states(page.view_id, "columns")[-1]
    assert [(c["model_name"], c["phase"]) for c in last] == [("one", "done"), ("two", "failed")]
    assert page.states(page.view_id, "grid_columns")[0]
    texts = [snapshot["text"] for snapshot in page.states(page.view_id, "snapshots")[-1]]
    assert texts[0] == "First."
    assert texts[1].startswith("Half `a`\n\n")
    assert {name: m.text for name, m in page.shell.user_ns["both"].items()} == {
        "one": "First.",
        "two": "Half `a`",
    }
    assert page.shell.user_ns["_reply"] == page.shell.user_ns["both"]
    (known,) = page.session.cell_outputs.replies.values()
    assert known["note"] == "*one, two were replying when this was saved. `%chat resume` goes on.*"
    assert page.session.conversations["main"].messages == []


def test_a_page_stops_compared_replies_and_asks_for_their_texts(page: Page) -> None:
    """All of them; drafts have their names as titles, and close their fences."""

    async def chat(messages: list[Any]) -> AsyncIterator[str]:
        yield "```\na"
        await asyncio.sleep(30)
        yield "b"

    async def acting(messages: list[Any]) -> AsyncIterator[str]:
        yield "Half"
        while len(page.told(page.view_id, "delta")) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await asyncio.get_running_loop().run_in_executor(None, act)
        await asyncio.sleep(30)
        yield "never"

    drafts: list[str] = []

    def act() -> None:
        page.say(page.view_id, {"type": "resync"})
        page.say(page.own_id, {"type": "hello"})
        drafts.append(page.told(page.own_id, "draft")[-1]["text"])
        page.say(page.view_id, {"type": "stop"})

    page.shell.push({"t_1": chat, "t_2": acting})
    page.run("%%chat --compare t_1,t_2\nHi")
    snapshots = page.states(page.view_id, "snapshots")[-2:]
    assert [snapshot["text"] for snapshot in snapshots[0]] == ["```\na", "Half"]
    assert drafts == [
        "#### t\\_1\n\n```\na\n```\n\n#### t\\_2\n\nHalf\n\n"
        "*t\\_1, t\\_2 were replying when this was saved. `%chat resume` goes on.*"
    ]
    messages = page.shell.user_ns["_reply"]
    assert {name: message.text for name, message in messages.items()} == {
        "t_1": "```\na",
        "t_2": "Half",
    }


def test_a_cell_that_is_asked_again_keeps_its_answers(page: Page) -> None:
    """The conversation goes on from the one that is shown."""
    page.shell.push({"talk": ScriptedChatModel(["One.", "Two.", "Three.", "Four."])})
    page.run("%%chat -m talk\nHi")
    page.say(page.own_id, {"type": "ask_again", "cell_id": "c1"})
    page.run("%%chat -m talk\nHi")
    notice = "Another answer beside the one before: the arrows show both, as in a panel."
    assert page.outputs[-1].data["text/plain"].endswith(notice)
    own = page.session.cell_outputs
    assert own.answers == {"c1": {"index": 2, "count": 2}}
    conversation = page.session.conversations["main"]
    assert [message.text for message in conversation.messages] == ["Hi", "Two."]
    page.say(page.own_id, {"type": "select_answer", "cell_id": "c1", "index": 1})
    (shown,) = page.told(page.own_id, "answer")
    assert shown["cell_id"] == "c1"
    assert shown["outputs"][0]["data"]["text/plain"] == "One."
    assert own.answers == {"c1": {"index": 1, "count": 2}}
    until(lambda: [message.text for message in conversation.messages] == ["Hi", "One."])
    page.say(page.own_id, {"type": "select_answer", "cell_id": "c1", "index": 3})
    assert len(page.told(page.own_id, "answer")) == 1
    page.run("%%chat -m talk\nAnd?", "c2")
    texts = [message.text for message in conversation.messages]
    assert texts == ["Hi", "One.", "And?", "Three."]
    page.say(page.own_id, {"type": "ask_again", "cell_id": "c1"})
    page.run("%%chat -m talk\nHi")
    assert (
        page.outputs[-1].data["text/plain"].endswith(f"{notice} 1 later turn stay with that one.")
    )
    assert [message.text for message in conversation.messages] == ["Hi", "Four."]


def test_only_the_cell_that_was_asked_again_answers_again(page: Page) -> None:
    """And only once; another prompt is a new turn."""
    page.shell.push({"talk": ScriptedChatModel(["One.", "Two.", "Three.", "Four."])})
    page.run("%%chat -m talk\nHi")
    page.say(page.own_id, {"type": "ask_again", "cell_id": "c2"})
    page.run("%%chat -m talk\nHi")
    page.run("%%chat -m talk\nHi", "c2")
    page.say(page.own_id, {"type": "ask_again", "cell_id": "c1"})
    page.run("%%chat -m talk\nHo")
    conversation = page.session.conversations["main"]
    assert [message.text for message in conversation.messages] == [
        "Hi", "One.", "Hi", "Two.", "Hi", "Three.", "Ho", "Four."
    ]  # fmt: skip
    assert page.session.cell_outputs.answers == {}


def test_a_log_follows_the_footer(page: Page) -> None:
    """The place of the footer is kept while the reply streams."""
    page.shell.push({"talk": ScriptedChatModel(["Yes."])})
    page.run("%%chat -m talk --log\nHi")
    view, kept, tree, ended, reply, footer = page.outputs
    assert kept.data == {"text/plain": "", "text/markdown": ""}
    assert "data-chatnb-mount" in tree.data["text/html"]
    assert (ended.id, ended.replaces) == (tree.id, True)
    assert (reply.id, footer.id) == (view.id, kept.id)
    assert reply.replaces
    assert footer.replaces
    assert footer.data["text/plain"].startswith("scripted · ")


def test_code_goes_into_a_cell_below(page: Page) -> None:
    """As the next input of the page, and not of a reply that was stopped."""
    fenced = "So:\n\n```python\nprint(1)\n```\n"
    page.shell.push({"talk": ScriptedChatModel([fenced, "No code."])})
    given: list[tuple[str, bool]] = []
    page.shell.set_next_input = lambda text, replace=False: given.append((text, replace))  # type: ignore[method-assign]
    page.run("%%chat -m talk --code\nHi")
    assert given == [("print(1)", False)]
    page.run("%%chat -m talk --code\nHi")
    assert len(given) == 1
    assert "code" in page.outputs[-1].data["text/plain"].partition(" · ")[2]


@pytest.mark.parametrize("decision", ["accepted", "inserted", "rejected"])
def test_a_fix_is_proposed_with_buttons(page: Page, decision: str) -> None:
    """Its output has the decision, once; other messages decide nothing."""
    page.shell.push({"talk": ScriptedChatModel(["Typo.\n\n```python\nprint(1)\n```\n"])})
    page.run("%chat use talk")
    page.run("prin(1)")
    page.run("%chat fix", "c2")
    proposal = page.outputs[-1]
    assert "data-chatnb-mount" in proposal.data["text/html"]
    model_id = next(
        id for id, data in page.messages if data.get("state", {}).get("new_source") == "print(1)"
    )
    assert page.states(model_id, "old_source") == ["prin(1)"]
    decided = page.states(model_id, "decided")[0]
    count = len(page.outputs)
    for content in ({"type": "decide", "decision": "other"}, {"type": "other"}, None):
        page.say(model_id, content)
    assert len(page.outputs) == count
    page.say(model_id, {"type": "decide", "decision": decision})
    page.say(model_id, {"type": "decide", "decision": "rejected"})
    (last,) = page.outputs[count:]
    assert (last.id, last.replaces) == (proposal.id, True)
    assert last.data == decided[decision]
    assert len({str(shown) for shown in decided.values()}) == 3


def test_the_first_error_says_what_explains_it(page: Page) -> None:
    """Once; an error of chatnb or of a command says itself what to do."""
    page.run("%%chat --nonsense\nHi")
    assert page.outputs == []
    assert page.run("1 / 0").error_in_exec is not None
    (told,) = page.outputs
    assert told.data["text/plain"] == (
        "%chat explain says what went wrong; %chat fix proposes a corrected cell."
    )
    page.run("1 / 0")
    assert page.outputs == []


def test_a_front_end_that_never_answers_gets_text(
    bare_shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """jupyter console, whose output cannot be replaced: the reply is printed, and so are later
    ones, until a page says that it is there."""
    monkeypatch.setattr(front_end, "_page_answers", True)
    page = Page(bare_shell, monkeypatch)
    page.shell.push({"talk": ScriptedChatModel(["One.", "Two.", "Three."])})
    with capture_output(display=False) as captured:
        page.run("%%chat -m talk\nHi", "")
    assert captured.stdout == "One.\n"
    *_, footer = page.outputs
    assert (footer.id, footer.replaces) == ("", False)
    assert front_end.current_view() == "text"
    page.post(page.own_id, {"type": "hello"})
    assert front_end.current_view() == "live"
    with capture_output(display=False) as captured:
        page.run("%%chat -m talk\nHi", "")
    assert captured.stdout == ""
    assert [output.data.get("text/plain") for output in page.outputs][:2] == [
        "scripted is replying.",
        "Two.",
    ]


def test_a_page_may_answer_while_the_first_reply_streams(page: Page) -> None:
    """The reply takes the place of its view then."""

    async def chat(messages: list[Any]) -> AsyncIterator[str]:
        yield "Half"
        page.post(page.own_id, {"type": "hello"})
        yield " and half."

    page.shell.push({"talk": chat})
    with capture_output(display=False) as captured:
        page.run("%%chat -m talk\nHi", "")
    assert captured.stdout == ""
    assert page.outputs[1].replaces
    assert page.outputs[1].data["text/plain"] == "Half and half."


def test_a_page_is_asked_about_calls_until_it_always_allows_them(
    bare_shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A click on the call decides; the conversation keeps what is always allowed."""
    page = Page(bare_shell, monkeypatch)
    asked: list[str] = []

    def look(at: str) -> str:
        """Look."""
        return f"Seen {at}."

    def click(decision: str) -> Callable[[Any], None]:
        def on_calls(item: Any) -> None:
            if item["state"] == "asking" and decision not in asked:
                asked.append(decision)
                page.post(
                    page.view_id, {"type": "decide", "call": item["id"], "decision": decision}
                )

        return on_calls

    def call(at: str) -> AIMessage:
        return AIMessage("", tool_calls=[{"name": "look", "args": {"at": at}, "id": at}])

    page.shell.push({"look": look})
    for decision, result in (
        ("once", "Seen a."),
        ("always", "Seen a."),
        ("none", "Seen a."),
        ("reject", "The call was rejected by the user."),
    ):
        conversation = "new" if decision == "reject" else "kept"
        page.shell.push({"talk": ScriptedChatModel([call("a"), "Done."])})
        page.on_calls = click(decision)
        page.run(f"%%chat -m talk --tools look -c {conversation}\nHi")
        results = [m for m in page.session.conversations[conversation].messages if m.type == "tool"]
        assert results[-1].text == result
    assert asked == ["once", "always", "reject"]
    shown = page.outputs[-1].data["text/plain"]
    assert shown.startswith('look(at="a"): rejected by the user.\n')
