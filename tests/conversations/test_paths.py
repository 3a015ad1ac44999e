"""Paths through the tree of a conversation, and the messages of requests."""

from __future__ import annotations

from typing import Any

import pytest

from chatnb import AIMessage, Conversation, HumanMessage
from chatnb.conversations.paths import MessageTree, NodePath, RequestMessages
from chatnb.schema import BaseMessage, ToolMessage
from chatnb.schema.tool_calls import tool_call
from chatnb.store import Node, Store

NOT_RUN = "This call was not run: the reply was stopped."


def node(number: int, parent: int | None = None, **fields: Any) -> Node:
    given: dict[str, Any] = {"message": HumanMessage(f"{number}"), "status": "done", **fields}
    above = None if parent is None else str(parent)
    return Node(number, str(number), above, created=0.0, facts={}, **given)


def reply(text: str, *ids: str | None) -> AIMessage:
    return AIMessage(text, tool_calls=[tool_call(name="f", args={}, id=id) for id in ids])


def path_of(*messages: BaseMessage) -> NodePath:
    return NodePath(
        node(number, number - 1 or None, message=message)
        for number, message in enumerate(messages, 1)
    )


def written(messages: list[BaseMessage]) -> list[tuple[str, str]]:
    """The messages of a request in short; a call that was not run is "!"."""
    return [
        (message.type, "!" if message.text == NOT_RUN else message.text) for message in messages
    ]


one, two = HumanMessage("one"), HumanMessage("two")
PATHS: list[tuple[list[BaseMessage], list[tuple[str, str]]]] = [
    ([], []),
    ([AIMessage("Hi"), one], [("ai", "Hi"), ("human", "one")]),
    ([one, AIMessage(""), two], [("human", "one"), ("human", "two")]),
    (
        [one, reply("", "a", "b"), ToolMessage("A", tool_call_id="a")],
        [("human", "one"), ("ai", ""), ("tool", "!"), ("tool", "A")],
    ),
    (
        [one, reply("x", None), two],
        [("human", "one"), ("ai", "x"), ("tool", "!"), ("human", "two")],
    ),
    (
        [one, reply("", "a"), two, AIMessage("2"), ToolMessage("late", tool_call_id="a")],
        [("human", "one"), ("ai", ""), ("human", "two"), ("ai", "2"), ("tool", "late")],
    ),
    (
        [
            one,
            reply("", "a"),
            ToolMessage("A", tool_call_id="a"),
            AIMessage("1"),
            two,
            reply("", "a"),
        ],
        [
            *(("human", "one"), ("ai", ""), ("tool", "A"), ("ai", "1")),
            *(("human", "two"), ("ai", ""), ("tool", "!")),
        ],
    ),
]


@pytest.mark.parametrize(("messages", "sent"), PATHS)
def test_each_call_has_a_result_and_no_reply_is_empty(
    messages: list[BaseMessage], sent: list[tuple[str, str]]
) -> None:
    """The same whether the path came at once, grew, or was another before."""
    assert written(RequestMessages().through(path_of(*messages))) == sent
    request = RequestMessages()
    for count in range(len(messages) + 1):
        request.through(path_of(*messages[:count]))
    assert written(request.through(path_of(*messages))) == sent
    for others, _ in PATHS:
        request.through(path_of(*others))
        assert written(request.through(path_of(*messages))) == sent


def test_results_of_calls_that_were_not_run_are_errors() -> None:
    """With the ids of their calls."""
    path = path_of(one, reply("", "a", None))
    results = RequestMessages().through(path)[2:]
    assert results == [
        ToolMessage(NOT_RUN, tool_call_id="a", status="error"),
        ToolMessage(NOT_RUN, tool_call_id="", status="error"),
    ]


def test_a_path_has_positions_like_a_list() -> None:
    """And says how long it is where there is none."""
    path = NodePath(node(number) for number in range(600))
    assert (len(path), path[0].number, path[-1].number, path[599].number) == (600, 0, 599, 599)
    assert [each.number for each in path[255:258]] == [255, 256, 257]
    assert path[3:3] == path[5:3] == path[600:] == []
    for at in (600, -601):
        with pytest.raises(IndexError, match=f"no message {at} in a path of 600"):
            path[at]
    assert NodePath().common_length(path) == path.common_length(NodePath()) == 0
    assert path.common_length(path.with_tail(300, [])) == 300
    assert path.common_length(path.with_node(300, node(7))) == 300
    assert list(path.with_tail(256, [node(7)]))[255:] == [path[255], node(7)]


def tree(*nodes: Node) -> MessageTree:
    made = MessageTree()
    made.update(nodes)
    return made


def test_a_tree_knows_its_branches() -> None:
    """Children in the order of their creation, also once some have been hidden."""
    made = tree(node(1), node(2, 1), node(3, 1), node(4, 3), node(5))
    assert made.branches("2") == made.branches("3") == ["2", "3"]
    assert made.branches("4") == ["4"]
    assert made.forks() == {"1": ["1", "5"], "5": ["1", "5"], "2": ["2", "3"], "3": ["2", "3"]}
    made.update([node(6, 3)])
    assert made.forks()["6"] == ["4", "6"]
    made.update([node(2, 1, hidden=True)])
    assert (made.branches("3"), made.newest) == (["3"], 6)
    assert made.forks().keys() == {"1", "5", "4", "6"}
    made.update([node(2, 1)])
    assert made.branches("3") == ["2", "3"]


def test_a_tree_finds_the_ends_of_paths() -> None:
    """The newest below a message, from a row on; the nearest that is not hidden; a settled one."""
    made = tree(node(1), node(2, 1), node(3, 2), node(4, 1), node(5, 4, hidden=True), node(6, 5))
    assert [made.newest_below(id) for id in ("1", "2", "3", None)] == ["4", "3", "3", "4"]
    assert made.newest_below("2", after=2) == "3"
    assert made.newest_below("2", after=3) == "2"
    assert [made.nearest(id) for id in ("5", "4", "9", None)] == ["4", "4", None, None]
    assert [each.id for each in made.path_to("3")] == ["1", "2", "3"]
    assert [each.id for each in made.path_to("4")] == ["1", "4"]
    assert list(made.path_to(None)) == list(made.path_to("9")) == []
    assert made.is_on_path("1", "4")
    assert not made.is_on_path("2", "4")
    streaming: Any = {"status": "streaming", "message": AIMessage("")}
    made = tree(node(1), node(2, 1, message=AIMessage("1")), node(3, 2), node(4, 3, **streaming))
    assert [made.settled(leaf) for leaf in ("4", "3", "9", None)] == ["2", "3", None, None]
    assert tree(node(1, **streaming)).settled("1") is None


@pytest.mark.parametrize("nodes", [[node(2, 2)], [node(1, 2), node(2)]])
def test_a_message_follows_an_earlier_one(nodes: list[Node]) -> None:
    """A path through others would not end."""
    with pytest.raises(ValueError, match=f"the message {nodes[0].id} follows a later one"):
        tree(*nodes)


def test_a_message_that_changes_is_the_new_one_on_the_path() -> None:
    """In the same place, and without a walk through the tree."""
    made = tree(node(1), node(2, 1), node(3, 2))
    before = made.path_to("3")
    changed = node(2, 1, message=AIMessage("new"))
    made.update([changed])
    assert list(made.path_to("3")) == [before[0], changed, before[2]]
    assert made.path_to("3") is made.path_to("3")
    assert made.nodes == {"1": before[0], "2": changed, "3": before[2]}
    assert made.newest == 3


def test_the_version_of_a_conversation_grows_with_what_is_read() -> None:
    """A change by another object is one once it has been read."""
    store = Store(":memory:")
    here, there = Conversation("a", store=store), Conversation("a", store=store)
    before = here.version
    there.add(HumanMessage("one"))
    assert here.version == before
    here.refresh()
    assert here.version > before
