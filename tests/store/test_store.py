from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest

from chatnb import AIMessage, AIMessageChunk, Conversation, HumanMessage, SystemMessage
from chatnb.conversations import Draft
from chatnb.errors import ConfigurationError
from chatnb.schema import BaseMessage
from chatnb.schema.messages import ChatMessage, FunctionMessage, ToolMessage
from chatnb.schema.tool_calls import tool_call
from chatnb.store import Store, rows, shared_store, store_path

APPEND = """
import sys
from chatnb import AIMessage, Conversation, HumanMessage
name, who = sys.argv[1:]
talk = Conversation(name)
print("ready", flush=True)
sys.stdin.readline()
for turn in range(40):
    talk.request_messages("more")
    talk.add(HumanMessage(f"{who} asks {turn}"))
    draft = talk.begin_reply()
    draft.finish(AIMessage(f"{who} hears {turn}"))
"""


def in_processes(code: str, *arguments: tuple[str, ...]) -> None:
    """Run code in several processes, which wait for each other at `stdin`."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, *given],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for given in arguments
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda process: process.communicate("go\n"), started))
    assert [process.returncode for process in started] == [0] * len(started)


def everything(name: str) -> set[str]:
    """The text of all messages, on whatever branch."""
    changes = shared_store().changes(name)
    return {node.message.text for node in changes.nodes} if changes else set()


@pytest.mark.slow
def test_two_processes_that_append_at_once_lose_no_turn() -> None:
    """Each has all of its 40 turns in the tree, question above answer."""
    in_processes(APPEND, ("both", "Ada"), ("both", "Ben"))
    expected = {
        f"{who} {does} {n}"
        for who in ("Ada", "Ben")
        for does in ("asks", "hears")
        for n in range(40)
    }
    assert everything("both") == expected
    changes = shared_store().changes("both")
    assert changes is not None
    texts = {node.id: node.message.text for node in changes.nodes}
    for node in changes.nodes:
        if " hears " in node.message.text:
            assert texts[node.parent or ""] == node.message.text.replace("hears", "asks")


@pytest.mark.slow
def test_processes_that_make_the_file_at_once_all_get_it(tmp_path: Path) -> None:
    """The first process makes the tables; none fails."""
    code = """
import sys
from chatnb import HumanMessage
from chatnb.store import Store
print("ready", flush=True)
sys.stdin.readline()
Store(sys.argv[1]).add("all", HumanMessage(sys.argv[2]), parent=None)
"""
    path = str(tmp_path / "deep" / "new.db")
    in_processes(code, *((path, str(n)) for n in range(6)))
    store = Store(path)
    assert store.summaries()[0].turns == 6
    store.close()


def test_threads_of_a_process_append_at_once() -> None:
    """Also in memory, where all threads see the same conversations."""
    for store in (Store(":memory:"), shared_store()):

        def ask(who: int, store: Store = store) -> None:
            for turn in range(20):
                store.add("all", HumanMessage(f"{who} {turn}"), parent=None)

        threads = [threading.Thread(target=ask, args=(who,)) for who in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.summaries()[0].turns == 120


@pytest.mark.process
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
@pytest.mark.parametrize("path", [None, ":memory:"])
def test_a_fork_goes_on_with_the_same_file_and_with_a_copy_of_the_memory(
    path: str | None,
) -> None:
    """Parent and children write at once after the fork, and the parent's reply streams on."""
    store = Store(path) if path else shared_store()
    talk = Conversation("forked", store=store)
    talk.add(HumanMessage("before"))
    draft = talk.begin_reply()
    children = [_fork(store, draft, who) for who in range(3)]
    for turn in range(100):
        store.add("forked", HumanMessage(f"parent {turn}"), parent=None)
        draft.append(AIMessageChunk("word "))
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    draft.finish()
    changes = store.changes("forked")
    assert changes is not None
    writers = ["parent"] if path else ["parent", "0", "1", "2"]
    said = {f"{who} {turn}" for who in writers for turn in range(100)}
    assert {node.message.text for node in changes.nodes} == {"before", "word " * 100} | said


def _fork(store: Store, draft: Draft, who: int) -> int:
    """Start a child that writes; the number of its process."""
    child = os.fork()
    if child:
        return child
    try:
        draft.finish(AIMessage("not mine to end"))
        for turn in range(100):
            store.add("forked", HumanMessage(f"{who} {turn}"), parent=None)
        texts = {node.message.text for node in Conversation("forked", store=store).nodes()}
        os._exit(0 if f"{who} 99" in texts else 2)
    finally:
        os._exit(1)


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """A database of somebody else, or no database at all: the error says what to do."""
    foreign, text = tmp_path / "foreign.db", tmp_path / "notes.txt"
    with closing(sqlite3.connect(foreign)) as connection, connection:
        connection.execute("CREATE TABLE bills (amount)")
    connection.close()
    text.write_text("My notes. " * 200)
    for file in (foreign, text):
        before = file.read_bytes()
        with pytest.raises(ConfigurationError, match=r"CHATNB_STORE to another path"):
            Store(file)
        assert file.read_bytes() == before
    assert sorted(tmp_path.iterdir()) == [foreign, text]


def test_a_file_of_a_newer_chatnb_is_left_alone(tmp_path: Path) -> None:
    """An older chatnb must not write into tables that it does not know."""
    file = tmp_path / "newer.db"
    Store(file).close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = file.read_bytes()
    with pytest.raises(ConfigurationError, match=r"newer chatnb .* pip install -U chatnb"):
        Store(file)
    assert file.read_bytes() == before


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    """The path goes through a file: the error names it and the variable."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="CHATNB_STORE"):
        Store(tmp_path / "file" / "conversations.db")


@pytest.mark.skipif(sys.platform != "linux", reason="The data folder is named by XDG on Linux")
def test_a_data_folder_that_cannot_be_written_to_does_not_stop_conversations(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """They are kept in memory, and a warning says so."""
    (tmp_path / "file").write_text("")
    monkeypatch.delenv("CHATNB_STORE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="until this process ends"):
        Conversation("ideas").add(HumanMessage("one"))
    assert Conversation("ideas").messages == [HumanMessage("one")]


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a user's folders private itself")
@pytest.mark.parametrize("is_link", [False, True])
def test_files_that_others_could_read_become_private(tmp_path: Path, is_link: bool) -> None:
    """Those that a process left beside the store are, too: the newest messages are in one."""
    real = tmp_path / "own" / "conversations.db"
    first = Store(real)
    first.add("ideas", HumanMessage("private"), parent=None)
    path = tmp_path / "link.db" if is_link else real
    if is_link:
        path.symlink_to(real)
    files = list(real.parent.iterdir())
    assert len(files) == 3
    for file in files:
        file.chmod(0o644)
    second = Store(path)
    assert second.summaries()[0].name == "ideas"
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    second.close()
    first.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a user's folders private itself")
def test_nobody_else_on_the_machine_may_read_it(tmp_path: Path) -> None:
    """The file, and what SQLite puts beside it, belong to the user alone."""
    store = Store(tmp_path / "own" / "conversations.db")
    store.add("ideas", HumanMessage("private"), parent=None)
    files = list((tmp_path / "own").iterdir())
    assert len(files) == 3
    assert {file.stat().st_mode & 0o077 for file in files} == {0}
    store.close()


def test_where_conversations_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """CHATNB_STORE names a file or the memory; else it is the user's data folder."""
    monkeypatch.setenv("CHATNB_STORE", "~/talks.db")
    assert store_path() == str(Path.home() / "talks.db")
    monkeypatch.setenv("CHATNB_STORE", ":memory:")
    assert store_path() == ":memory:"
    assert Conversation("a").store is Conversation("b").store
    monkeypatch.delenv("CHATNB_STORE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert store_path() == str(tmp_path / "chatnb" / "conversations.db")


@pytest.mark.parametrize(
    "message",
    [
        HumanMessage("Hi", name="ada"),
        HumanMessage(
            [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "data:,"}},
            ]
        ),
        SystemMessage("Be brief."),
        AIMessage(
            "é \x00 \ud83d 日本",
            id="a1",
            tool_calls=[tool_call(name="f", args={"x": 1}, id="c")],
            usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3},
            response_metadata={"model_name": "m"},
        ),
        ToolMessage("4", tool_call_id="c", status="error", artifact={"rows": [1]}),
        FunctionMessage("4", name="f"),
        ChatMessage("Hm.", role="critic"),
        AIMessageChunk("piece"),
    ],
)
def test_every_kind_of_message_comes_back_as_it_was(message: BaseMessage) -> None:
    """Content, calls, usage and metadata; odd characters, too."""
    Conversation("kinds").add(message)
    (back,) = Conversation("kinds").messages
    assert type(back) is type(message)
    for field in fields(message):
        assert getattr(back, field.name) == getattr(message, field.name)


def test_what_json_cannot_hold_does_not_lose_the_message() -> None:
    """An artifact that is an object is kept as its repr; the caller's message stays as it is."""
    artifact = object()
    given = ToolMessage("4", tool_call_id="c", artifact=artifact)
    Conversation("kinds").add(given)
    (back,) = Conversation("kinds").messages
    assert isinstance(back, ToolMessage)
    assert (back.text, back.artifact) == ("4", repr(artifact))
    assert given.artifact is artifact


NOTHING = [
    "",
    " ",
    '"',
    "a OR",
    "NEAR(",
    "text:x",
    "*",
    "^",
    "(",
    "'",
    "\x00",
    "'; DROP TABLE nodes",
]


@pytest.mark.parametrize("words", [*NOTHING, "-boat", "boat;--", "\ud800", 'boat"', "AND boat"])
def test_any_words_are_a_search(words: str) -> None:
    """Words that mean something to SQLite mean only themselves, and signs count for nothing."""
    store = shared_store()
    store.add("ideas", HumanMessage("A name for a boat?"), parent=None)
    found = [found.snippet for found in store.search(words)]
    assert found == [] or words in ("-boat", "boat;--", "\ud800", 'boat"')
    assert store.summaries()[0].turns == 1


def test_search_finds_words_in_any_order_case_and_script() -> None:
    """Beginnings of words and words without accents count; the snippet shows them in place."""
    store = shared_store()
    texts = ["Naïve Bayes in numpy: np.argmax(x)", "東京の天気はどうですか", "100% sure"]
    for text in texts:
        store.add("ideas", HumanMessage(text), parent=None)
    for words, text in {
        "naive": texts[0],
        "NUM bay": texts[0],
        "np.argmax(": texts[0],
        "天気": texts[1],
        "100%": texts[2],
    }.items():
        (found,) = store.search(words)
        assert (found.conversation, found.role, found.snippet) == ("ideas", "human", text)
        assert found.marks
    begin, end = store.search("naive")[0].marks[0]
    assert texts[0][begin:end] == "Naïve"
    assert store.search("nothing") == []


def test_what_was_deleted_is_not_found() -> None:
    """Neither a message that was hidden nor what followed it; restored they are found again."""
    talk = Conversation("ideas")
    asked = talk.add(HumanMessage("boat"))
    talk.add(AIMessage("boats float"))
    talk.delete(asked.id)
    assert shared_store().search("boat") == []
    talk.restore(asked.id)
    assert len(shared_store().search("boat")) == 2


def bytes_on_disk() -> bytes:
    folder = Path(os.environ["CHATNB_STORE"]).parent
    return b"".join(file.read_bytes() for file in folder.iterdir())


def test_forget_leaves_no_byte_of_what_was_said() -> None:
    """Not in the file, nor in what SQLite keeps beside it and for its search."""
    talk = Conversation("secret")
    talk.system = "xyzzysystem"
    talk.add(HumanMessage("xyzzyhuman"))
    draft = talk.begin_reply()
    draft.append(AIMessageChunk("xyzzypiece"))
    draft.finish()
    Conversation("other").add(HumanMessage("stays"))
    assert bytes_on_disk().count(b"xyzzy") >= 3
    talk.forget()
    assert b"xyzzy" not in bytes_on_disk()
    assert Conversation("secret").messages == talk.messages == []
    assert Conversation("other").messages == [HumanMessage("stays")]
    talk.add(HumanMessage("again"))
    assert Conversation("secret").messages == [HumanMessage("again")]


def test_memory_forgets_too() -> None:
    """A store in memory has no log to empty."""
    store = Store(":memory:")
    store.add("secret", HumanMessage("xyzzy"), parent=None)
    assert store.forget("secret")
    assert (store.summaries(), store.search("xyzzy")) == ([], [])


def test_a_reply_whose_conversation_is_forgotten_meanwhile_writes_nothing() -> None:
    """Forgotten is forgotten, also for a reply on its way; the reply itself does not fail."""
    talk = Conversation("ideas")
    talk.add(HumanMessage("one"))
    draft = talk.begin_reply()
    Conversation("ideas").forget()
    draft.append(AIMessageChunk("xyzzy"))
    draft.finish()
    assert talk.messages == []
    assert b"xyzzy" not in bytes_on_disk()


def test_a_store_in_use_does_not_stop_replies(tmp_path: Path) -> None:
    """While another program holds the file a reply goes on, and is written once it lets go."""
    store = Store(tmp_path / "held.db")
    talk = Conversation("ideas", store=store)
    talk.add(HumanMessage("one"))
    draft = talk.begin_reply()
    other = sqlite3.connect(tmp_path / "held.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for _ in range(1000):
        draft.append(AIMessageChunk("word "))
    other.rollback()
    other.close()
    draft.finish()
    assert talk.messages[-1].text == "word " * 1000
    store.close()


@pytest.mark.thorough
def test_any_number_of_conversations_may_be_forgotten(tmp_path: Path) -> None:
    """A thousand deleted ones leave the store and its search as good as new."""
    store = Store(tmp_path / "many.db")
    for number in range(1_300):
        if number < 250:
            store.add("kept", HumanMessage(f"heron {number} {'bird ' * 20}"), parent=None)
        store.add("gone", HumanMessage(f"egret {number}"), parent=None)
        store.write(rows.delete, "gone")
    assert len(store.search("heron", 300)) == 250
    assert store.search("egret") == []
