from __future__ import annotations

import os
import time
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient

from chatnb import Conversation, ScriptedChatModel
from chatnb.chat_models import BaseChatModel, ChatOpenAI
from chatnb.notebook import register
from chatnb.schema import AIMessage, BaseMessage
from tests.support.loopback import LoopbackServer, refusal, whole


class Recorder(BaseChatModel):
    """Replies with a count and keeps the texts that it was asked."""

    model_name = "recorder"

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def _generate(self, messages: list[BaseMessage], **_: object) -> AIMessage:
        self.asked.append([message.text for message in messages])
        return AIMessage(f"reply {len(self.asked)}")


class Notebook:
    """A shell that runs a notebook, from its first cell, as after a start of the kernel."""

    def __init__(self, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
        self.shell = shell
        self.model = Recorder()
        self._capsys = capsys
        self.restart()

    def restart(self) -> None:
        self.shell.magics_manager.registry.pop("ChatMagics", None)
        register(self.shell)
        self.shell.push({"recorder": self.model})

    def ask(self, prompt: str, options: str = "") -> None:
        assert self.shell.run_cell(f"%%chat -m recorder {options}\n{prompt}").success

    def run(self, line: str) -> str:
        self._capsys.readouterr()
        self.shell.run_cell(line)
        shown = self._capsys.readouterr()
        return shown.out + shown.err


@pytest.fixture
def notebook(
    bare_shell: InteractiveShell,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Notebook:
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/ada/analysis.ipynb")
    return Notebook(bare_shell, capsys)


def texts(name: str) -> list[str]:
    return [message.text for message in Conversation(name).messages]


def test_a_turn_is_on_disk_under_the_name_of_its_notebook(notebook: Notebook) -> None:
    """Prompt and reply are stored for other processes, with model and seconds."""
    notebook.ask("one", "-s 'Be brief.'")
    talk = Conversation("analysis")
    assert texts("analysis") == ["one", "reply 1"]
    assert talk.system == "Be brief."
    facts = talk.path()[1].facts
    assert facts["model"] == "recorder"
    assert facts["seconds"] >= 0


def test_two_notebooks_do_not_mix(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Notebooks of one file name in two folders have conversations of their own, but share `-c`."""
    notebook.ask("one")
    notebook.ask("shared", "-c ideas")
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/ben/analysis.ipynb")
    notebook.restart()
    notebook.ask("two")
    notebook.ask("more", "-c ideas")
    assert notebook.model.asked[2:] == [["two"], ["shared", "reply 2", "more"]]
    assert (texts("analysis"), texts("analysis.2")) == (["one", "reply 1"], ["two", "reply 3"])
    assert "no conversation before" in notebook.run("%chat resume")


def test_a_restart_starts_again_and_resume_continues_the_last(notebook: Notebook) -> None:
    """Run All after a restart sends the same messages; `%chat resume` continues."""
    for _ in range(2):
        notebook.ask("one")
        notebook.ask("two")
        notebook.restart()
    assert notebook.model.asked[:2] == [["one"], ["one", "reply 1", "two"]]
    assert notebook.model.asked[2:] == [["one"], ["one", "reply 3", "two"]]
    assert "analysis.2: 2 turns" in notebook.run("%chat resume")
    notebook.ask("three")
    assert notebook.model.asked[-1] == ["one", "reply 3", "two", "reply 4", "three"]


def test_vs_code_tells_the_notebook_in_a_variable(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be set after chatnb was loaded; a kernel that knows nothing says `session`."""
    monkeypatch.delenv("JPY_SESSION_NAME")
    notebook.shell.push({"__vsc_ipynb_file__": "/home/ada/code.ipynb"})
    notebook.ask("one")
    notebook.shell.push({"__vsc_ipynb_file__": ""})
    notebook.restart()
    notebook.ask("two")
    assert (texts("code"), texts("session")) == (["one", "reply 1"], ["two", "reply 2"])


def test_main_is_the_notebooks_own(notebook: Notebook) -> None:
    """`-c main` and no -c are one conversation, unless another one was resumed."""
    notebook.ask("idea", "-c ideas")
    notebook.ask("one")
    notebook.ask("two", "-c main")
    assert texts("analysis")[::2] == ["one", "two"]
    notebook.run("%chat resume ideas")
    notebook.ask("more")
    notebook.run("%chat resume main")
    notebook.ask("three")
    assert (texts("ideas")[::2], texts("analysis")[::2]) == (
        ["idea", "more"],
        ["one", "two", "three"],
    )


def test_new_keeps_what_was_said(notebook: Notebook) -> None:
    """The notebook's own conversation starts again as another; a named one is set aside."""
    notebook.ask("one", "-s Tersely")
    notebook.run("%chat new")
    notebook.ask("two")
    notebook.ask("idea", "-c ideas")
    assert "ideas.2" in notebook.run("%chat new ideas")
    notebook.ask("other")
    assert [asked[0] for asked in notebook.model.asked] == ["Tersely", "two", "idea", "other"]
    assert texts("analysis")[0] == "one"
    assert (texts("ideas")[0], texts("ideas.2")[0]) == ("other", "idea")


def test_a_failed_turn_keeps_its_partial_beside_the_path(notebook: Notebook) -> None:
    """The next question does not follow it, and what came of it is still there, marked."""
    notebook.shell.push({"breaks": ScriptedChatModel([["Half ", OSError("gone")]])})
    notebook.ask("one")
    assert not notebook.shell.run_cell("%%chat -m breaks\ntwo").success
    notebook.ask("two")
    assert notebook.model.asked[-1] == ["one", "reply 1", "two"]
    talk = Conversation("analysis")
    (failed,) = [node for node in talk.nodes() if node.status == "failed"]
    assert (failed.message.text, failed.facts["error"]) == ("Half ", "OSError: gone")
    assert failed.message.response_metadata["finish_reason"] == "failed"
    assert len(talk.branches(failed.parent or "")) == 2


def test_list_history_and_search_show_what_there_is(notebook: Notebook) -> None:
    """Aligned text in a terminal: which conversations, what was said, where the words are."""
    assert "No conversations yet." in notebook.run("%chat list")
    assert "main has no messages yet." in notebook.run("%chat history")
    notebook.ask("A name for a boat?", "-s 'Be brief.'")
    notebook.ask("And for a \x1b[31mcat?", "-c ideas")
    header, ideas, own = notebook.run("%chat list").splitlines()
    assert header.split() == ["Conversation", "Turns", "Last", "First", "message"]
    assert own.startswith("analysis (main, current)  1      ")
    assert own.endswith("  A name for a boat?")
    assert ideas.index("And for") == own.index("A name") == header.index("First")
    assert "\x1b[31m" not in ideas
    history = notebook.run("%chat history")
    assert history.split("\n\n")[:5] == [
        "**System**",
        "Be brief.",
        "**You**",
        "A name for a boat?",
        "**recorder**",
    ]
    assert "cat?" in notebook.run("%chat history ideas")
    header, found = notebook.run("%chat search BOA nam").splitlines()
    assert header.split() == ["Conversation", "Role", "When", "Message"]
    assert found.split()[:2] == ["analysis", "you"]
    assert found.endswith("A name for a boat?")
    assert "No message has these words." in notebook.run("%chat search zebra")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%chat history idaes", "No conversation is called idaes. Did you mean ideas?"),
        ("%chat resume nothing", "%chat list shows all of them"),
        ("%chat forget", "Usage: %chat forget NAME"),
        ("%chat forget idea", "Did you mean ideas?"),
        ("%chat search", "Usage: %chat search WORDS"),
        ("%chat list every", "Usage: %chat list"),
        ("%chat export ideas.pdf ideas", "writes FILE.md, FILE.ipynb or FILE.jsonl"),
        ("%chat export", "Usage: %chat export FILE [NAME]"),
        ("%chat export talk.md", "main has no messages yet"),
        ("%chat export nowhere/talk.md ideas", "cannot be written"),
        ("%chat import nowhere.jsonl", "cannot be imported"),
    ],
)
def test_bad_input_says_what_to_do_and_loses_nothing(
    notebook: Notebook, line: str, said: str
) -> None:
    """One line, without a traceback."""
    notebook.ask("idea", "-c ideas")
    shown = notebook.run(line)
    assert said in shown
    assert "Traceback" not in shown
    assert texts("ideas") == ["idea", "reply 1"]


def test_forget_removes_it(notebook: Notebook) -> None:
    """Also the conversation that cells continue: the next cell starts another."""
    notebook.ask("xyzzy")
    assert "analysis is forgotten." in notebook.run("%chat forget main")
    assert texts("analysis") == []
    notebook.ask("two")
    assert notebook.model.asked[-1] == ["two"]


def test_export_never_overwrites(notebook: Notebook, tmp_path: Path) -> None:
    """A file that is there, perhaps somebody's notebook, stays as it is."""
    file = tmp_path / "talk.md"
    file.write_text("precious")
    notebook.ask("one")
    assert "stays as it is" in notebook.run(f"%chat export {file}")
    assert file.read_text() == "precious"


def test_json_lines_bring_a_conversation_back_with_its_branches(
    notebook: Notebook, tmp_path: Path
) -> None:
    """Tree, settings, facts and the chosen path; what was deleted does not leave the machine."""
    notebook.ask("one", "-s 'Be brief.'")
    notebook.shell.push({"breaks": ScriptedChatModel([["Half", OSError("gone")]])})
    notebook.shell.run_cell("%%chat -m breaks\ntwo")
    notebook.ask("two")
    talk = Conversation("analysis")
    talk.delete(talk.add(AIMessage("xyzzy")).id)
    file = tmp_path / "talk.jsonl"
    notebook.run(f"%chat export {file}")
    assert "xyzzy" not in file.read_text()
    assert "%chat resume analysis.2" in notebook.run(f"%chat import {file}")
    assert "is the conversation copy" in notebook.run(f"%chat import {file} copy")
    for name in ("analysis.2", "copy"):
        back = Conversation(name)
        assert (back.messages, back.settings) == (talk.messages, talk.settings)
        assert [(n.message, n.status, n.facts, n.created) for n in back.nodes()] == [
            (n.message, n.status, n.facts, n.created) for n in talk.nodes()
        ]
        places = [len(back.branches(node.id)) for node in back.nodes()]
        assert places == [len(talk.branches(node.id)) for node in talk.nodes()]


ODD = '{"id": "b", "parent": %s, "message": {"type": "human", "data": {"content": "x"}}}'
NO_MESSAGES = [
    "{",
    "3",
    '{"role": "nobody", "content": "x"}',
    '{"message": {"type": "human"}}',
    ODD % '"z"',
    ODD % "[1]",
]


@pytest.mark.parametrize("line", NO_MESSAGES)
def test_lines_that_are_no_messages_are_refused_and_nothing_is_kept(
    notebook: Notebook, tmp_path: Path, line: str
) -> None:
    """The error names the line; not even the messages before it are taken in."""
    file = tmp_path / "talk.jsonl"
    file.write_text('{"role": "user", "content": "Hi"}\n' + line + "\n")
    shown = notebook.run(f"%chat import {file}")
    assert "cannot be imported" in shown
    assert " 2 " in shown
    assert "No conversations yet." in notebook.run("%chat list")


@pytest.mark.slow
def test_an_exported_notebook_shows_the_conversation_and_runs(
    notebook: Notebook, tmp_path: Path
) -> None:
    """It is valid, its cells are %%chat cells with the replies under them, and asks again."""
    notebook.ask("say *one*", "-s 'Be brief.'")
    notebook.ask("two")
    file = tmp_path / "talk.ipynb"
    notebook.run(f"%chat export {file}")
    written = nbformat.read(file, as_version=4)
    nbformat.validate(written)
    assert [cell.source for cell in written.cells] == [
        "# analysis",
        "%load_ext chatnb",
        "%%chat -s 'Be brief.'\nsay *one*",
        "%%chat\ntwo",
    ]
    assert written.cells[2].outputs[0].data == {
        "text/markdown": "reply 1",
        "text/plain": "reply 1",
    }
    for cell in written.cells[2:]:
        cell.source = cell.source.replace("%%chat", "%%chat -m scripted:Again.")
    NotebookClient(written, timeout=60).execute()
    assert written.cells[2].outputs[0].data["text/plain"] == "Again."


def test_markdown_has_all_that_was_said(notebook: Notebook, tmp_path: Path) -> None:
    """A heading, who spoke and what they said, in order."""
    notebook.ask("one")
    notebook.run(f"%chat export {tmp_path / 'talk.md'}")
    text = (tmp_path / "talk.md").read_text()
    assert text == "# analysis\n\n**You**\n\none\n\n**recorder**\n\nreply 1\n"


def test_no_key_is_on_disk(notebook: Notebook, loopback: LoopbackServer) -> None:
    """Not after a reply, nor after an error that repeats the key: every byte is looked at."""
    key = "sk-xyzzy-0123456789"
    chat = ChatOpenAI("m", api_key=key, base_url=loopback.base_url, max_retries=0)
    wrong = refusal("401 Unauthorized", f"Incorrect API key provided: {key}.")
    loopback.plays(whole("Hello."), wrong)
    notebook.shell.push({"keyed": chat})
    assert notebook.shell.run_cell("%%chat -m keyed\none").success
    assert not notebook.shell.run_cell("%%chat -m keyed\none").success
    folder = Path(os.environ["CHATNB_STORE"]).parent
    on_disk = b"".join(file.read_bytes() for file in folder.iterdir())
    assert b"Hello." in on_disk
    assert b"Incorrect API key" in on_disk
    assert b"xyzzy" not in on_disk


def test_unnamed_panels_are_listed_for_a_day(
    notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list does not fill with panels without a name; `all` shows them, and search finds them."""
    notebook.run("from chatnb import ChatPanel")
    for name in ("", "name='kept'"):
        notebook.run(f"_ = ChatPanel('scripted:Yes', {name}).ask('the heron').result()")
    assert "panel" in notebook.run("%chat list")
    tomorrow = time.time() + 90_000
    monkeypatch.setattr("time.time", lambda: tomorrow)
    listed = notebook.run("%chat list")
    assert "kept" in listed
    assert "And 1 unnamed panel: %chat list all." in listed
    assert "\npanel " in notebook.run("%chat list all")
    assert "\npanel " in notebook.run("%chat search heron")
