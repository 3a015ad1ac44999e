"""The work of a turn does not grow with its conversation: counted in rows, items and messages."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnb import AIMessage, Conversation, HumanMessage
from chatnb.conversations import paths
from chatnb.conversations.paths import NodePath
from chatnb.notebook.panel import path_view, transcript
from chatnb.notebook.panel.path_view import PathView, usage_line
from chatnb.notebook.panel.transcript import Transcript, panel_mimebundle
from chatnb.notebook.panel.updates import items_from_path
from chatnb.schema import BaseMessage, ToolMessage, to_messages
from chatnb.store import Node, Store, rows
from chatnb.store.rows import END_BELOW


def talk(store: Store, turns: int) -> Conversation:
    conversation = Conversation("long", store=store)
    for turn in range(turns):
        conversation.add(HumanMessage(f"question {turn}"))
        conversation.add(AIMessage(f"answer {turn}"))
    return conversation


class CountedRows:
    """Counts the statements that a store runs, and the rows that it reads."""

    def __init__(self, store: Store, patch: pytest.MonkeyPatch) -> None:
        self.statements = self.rows = 0
        read, post = store._database.read, store._database.post

        def counted_read(statement: str, *values: Any) -> list[Any]:
            rows = read(statement, *values)
            self.statements += 1
            self.rows += len(rows)
            return rows

        def counted_post(transaction: Any) -> Any:
            def traced(connection: sqlite3.Connection) -> Any:
                connection.set_trace_callback(self._count)
                try:
                    return transaction(connection)
                finally:
                    connection.set_trace_callback(None)

            return post(traced)

        patch.setattr(store._database, "read", counted_read)
        patch.setattr(store._database, "post", counted_post)

    def _count(self, statement: str) -> None:
        self.statements += not statement.startswith("--")


def test_a_turn_runs_as_many_statements_on_a_long_conversation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And reads as many rows: what is known is not read again."""
    counts = list[tuple[int, int]]()
    for turns in (5, 80):
        store = Store(tmp_path / f"{turns}.db")
        conversation = talk(store, turns)
        with monkeypatch.context() as patch:
            counted = CountedRows(store, patch)
            conversation.add(HumanMessage("one more"))
            assert len(conversation.request_messages("and?")) == 2 * turns + 2
            counts.append((counted.statements, counted.rows))
        store.close()
    assert counts[0] == counts[1]
    assert counts[1][1] < 10


def test_the_search_for_the_end_of_a_path_reads_new_rows_alone(tmp_path: Path) -> None:
    """SQLite finds what others have added by the row, without the conversation's index."""
    store = Store(tmp_path / "conversations.db")
    talk(store, 2)
    plans = list[str]()

    def explain(connection: sqlite3.Connection, now: float) -> None:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {END_BELOW}", (1, 1, None))
        plans.extend(detail for *_, detail in rows)

    store.write(explain)
    assert plans == ["SEARCH nodes USING INTEGER PRIMARY KEY (rowid>?)"]
    store.close()


def test_a_conversation_begins_without_reading_the_names_of_others() -> None:
    """SQLite takes a few steps more to begin the thousandth of a name than the tenth."""
    steps, store = list[int](), Store(":memory:")

    def begin(connection: sqlite3.Connection, now: float) -> str:
        counted = list[None]()
        connection.set_progress_handler(lambda: counted.append(None), 1)
        name = rows.begin(connection, now, "chat", "")
        connection.set_progress_handler(None, 0)
        steps.append(len(counted))
        return name

    assert [store.write(begin) for _ in range(1000)][-1] == "chat.1000"
    store.close()
    assert steps[999] < 6 * steps[9]


@given(st.lists(st.integers(0, 40)))
def test_a_conversation_begins_under_a_name_that_is_free(forgotten: list[int]) -> None:
    """The first numbers are given in turn, and later ones are of nobody, after any deletions."""
    store = Store(":memory:")
    names = [store.begin("chat") for _ in range(20)]
    assert names == ["chat", *(f"chat.{number}" for number in range(2, 21))]
    for index in forgotten:
        if index < len(names):
            store.forget(names.pop(index))
        names.append(store.begin("chat"))
    assert len(names) == len(set(names)) == len(store.summaries())
    store.close()


def test_a_panel_makes_the_last_items_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more message costs a few items and nodes, however many there are."""
    conversation, view = talk(Store(":memory:"), 60), PathView()
    view.changed_items(conversation.shared_path(), conversation.forks(), {})
    view.usage_line(conversation.shared_path())
    conversation.add(HumanMessage("one more"))
    made = list[int]()

    def counted(path: list[Node], *args: Any) -> list[Any]:
        made.append(len(path))
        return items_from_path(path, *args)

    monkeypatch.setattr(path_view, "items_from_path", counted)
    start, items = view.changed_items(conversation.shared_path(), conversation.forks(), {})
    assert (start, len(items)) == (119, 2)
    assert made == [2]


def test_what_is_kept_of_a_path_is_what_would_be_made(tmp_path: Path) -> None:
    """Through edits, branches, deletions, tool results and streams, view and request stay right."""
    conversation, view, kept = talk(Store(":memory:"), 4), PathView(), list[Any]()
    static = Transcript()

    def check() -> None:
        path, forks = conversation.shared_path(), conversation.forks()
        start, items = view.changed_items(path, forks, {})
        kept[start:] = items
        assert kept == items_from_path(path, forks, {})
        assert view.usage_line(path) == usage_line(path)
        assert static.mimebundle(path) == panel_mimebundle(path)
        assert conversation.messages_through(path[-1].id if path else None) == (
            paths.RequestMessages().through(path)
        )

    check()
    nodes = conversation.path()
    calls = [{"name": "f", "args": {}, "id": str(n), "type": "tool_call"} for n in range(2)]
    steps = [
        lambda: conversation.add(HumanMessage("edit"), parent=nodes[3].id),
        lambda: conversation.add(AIMessage("", tool_calls=calls)),
        lambda: conversation.add(ToolMessage("1", tool_call_id="1")),
        lambda: conversation.add(ToolMessage("0", tool_call_id="0")),
        lambda: conversation.select(nodes[4].id),
        lambda: conversation.add(AIMessage("again"), parent=nodes[2].id),
        lambda: conversation.delete(nodes[2].id),
        lambda: conversation.restore(nodes[2].id),
        lambda: conversation.end_at(None),
        lambda: conversation.add(HumanMessage("from the start")),
        lambda: conversation.begin_reply().finish(AIMessage("Hi")),
        lambda: conversation.select(nodes[7].id),
    ]
    for step in steps:
        step()
        check()


def nodes(count: int, start: int = 0) -> list[Node]:
    numbers = range(start, start + count)
    return [Node(n, str(n), None, HumanMessage(""), "done", 0.0, {}) for n in numbers]


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 9), st.booleans()), max_size=6),
    st.tuples(st.integers(-14, 14), st.integers(-14, 14), st.sampled_from([-2, -1, 1, 3])),
)
def test_paths_that_share_their_blocks_are_as_lists(
    steps: list[tuple[int, int, bool]], part: tuple[int, int, int]
) -> None:
    """Any number of tails and replaced nodes leave each path as the list that was written."""
    block, paths._BLOCK = paths._BLOCK, 3
    try:
        made, number = [(NodePath(), list[Node]())], 0
        for at, count, is_tail in steps:
            path, known = made[-1]
            at, number = min(at, len(known)), number + 10
            if is_tail or at == len(known):
                tail = nodes(count, number)
                made.append((path.with_tail(at, tail), [*known[:at], *tail]))
            else:
                [node] = nodes(1, number)
                made.append((path.with_node(at, node), [*known[:at], node, *known[at + 1 :]]))
        for path, known in made:
            assert (list(path), len(path), path[slice(*part)]) == (
                known,
                len(known),
                known[slice(*part)],
            )
            assert [path[i] for i in range(-len(known), len(known))] == known * 2
            with pytest.raises(IndexError):
                path[len(known)]
            for other, others in made:
                same = [a is b for a, b in zip(known, others, strict=False)]
                assert path.common_length(other) == [*same, False].index(False)
    finally:
        paths._BLOCK = block


def test_a_longer_path_copies_one_block() -> None:
    """The work of a message more does not grow with the path."""
    path = NodePath(nodes(1_000))
    longer = path.with_tail(1_000, nodes(1, 1_000))
    assert all(a is b for a, b in zip(path._blocks[:3], longer._blocks, strict=False))
    assert max(map(len, longer._blocks)) == paths._BLOCK


def test_items_of_a_path_are_made_in_one_pass() -> None:
    """The results of a tool are found without walking through the path again."""
    reads = Counter[int]()

    class CountedPath(list[Node]):
        def __iter__(self) -> Any:
            return (self[index] for index in range(len(self)))

        def __reversed__(self) -> Any:
            return (self[index] for index in reversed(range(len(self))))

        def __getitem__(self, index: Any) -> Any:
            reads[index] += 1
            return super().__getitem__(index)

    assert len(items_from_path(CountedPath(nodes(100)), {})) == 100
    assert max(reads.values()) <= 2


def test_the_static_form_of_a_panel_renders_new_messages_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A message that was shown, and has not changed, is not rendered again."""
    conversation, static, made = talk(Store(":memory:"), 30), Transcript(), list[str]()
    static.mimebundle(conversation.shared_path())
    conversation.add(HumanMessage("one more"))
    part = transcript._message_part
    monkeypatch.setattr(
        transcript, "_message_part", lambda node: made.append(node.id) or part(node)
    )
    path = conversation.shared_path()
    assert "one more" in str(static.mimebundle(path))
    assert made == [path[-1].id]


@pytest.mark.parametrize("change", ["none", "append", "replace", "remove"])
def test_messages_of_a_conversation_are_checked_once_changed(change: str) -> None:
    """A request takes them as they are; what a chat function puts among them is converted."""
    conversation = talk(Store(":memory:"), 2)
    messages: list[Any] = conversation.messages_through(conversation.tip)
    expected: list[BaseMessage] = list(messages)
    if change == "append":
        messages.append({"role": "user", "content": "more"})
        expected.append(HumanMessage("more"))
    elif change == "replace":
        messages[0] = ("human", "other")
        expected[0] = HumanMessage("other")
    elif change == "remove":
        del messages[0], expected[0]
    read = to_messages(messages)
    assert read == expected == to_messages(messages)
    assert type(read) is list
    assert read is not messages
