"""Conversations as notebooks and as Markdown, whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatnb import AIMessage, Conversation, HumanMessage
from chatnb.conversations import to_ipynb
from chatnb.conversations.markdown import node_markdown
from chatnb.schema import BaseMessage, ChatMessage, ToolMessage
from chatnb.schema.messages import FunctionMessage
from chatnb.schema.tool_calls import tool_call
from chatnb.store import Node, Store

SECRET = "sk-ant-api03-" + "aB3dE5" * 8


@pytest.fixture
def talk() -> Conversation:
    """A conversation with messages of all kinds."""
    ids = iter(letter * 70 for letter in "abcdefghijklm")
    talk = Conversation("my *ideas*", store=Store(":memory:", new_id=ids.__next__))
    talk.system = "Be brief.\nIt's late."
    talk.add(AIMessage("Welcome."))
    talk.add(HumanMessage("One\ntwo"))
    talk.add(AIMessage("I **say**\nx"), facts={"model": "openai:m"}, status="stopped")
    talk.add(AIMessage("", tool_calls=[tool_call(name="f", args={"a": 1}, id="c")]))
    talk.add(ToolMessage("4", tool_call_id="c"))
    talk.add(AIMessage("It is 4."))
    talk.add(HumanMessage([{"type": "text", "text": "Look"}]))
    talk.add(AIMessage("I see."))
    talk.add(ChatMessage("Hm.", role="critic"))
    talk.add(FunctionMessage("7", name="g"))
    talk.add(HumanMessage(f"my key {SECRET}"))
    talk.add(AIMessage("half"), status="failed")
    return talk


def shown(cell: dict[str, Any]) -> tuple[Any, ...]:
    """The beginning of a cell's id, its type, source and outputs."""
    outputs = [
        ("".join(o["data"]["text/plain"]), o["output_type"]) for o in cell.get("outputs", ())
    ]
    return cell["id"][:4], cell["cell_type"], "".join(cell["source"]), outputs


def test_a_notebook_has_a_cell_for_each_question(talk: Conversation) -> None:
    """Replies are its outputs; what is no text that a cell can ask is Markdown, with its reply."""
    notebook = json.loads(to_ipynb(talk))
    call = '```\nf({"a": 1})\n```'
    said = [(text, "display_data") for text in ("I **say**\nx", call, "It is 4.")]
    assert [shown(cell) for cell in notebook["cells"]] == [
        ("titl", "markdown", r"# my \*ideas\*", []),
        ("load", "code", "%load_ext chatnb", []),
        ("aaaa", "markdown", "**Model**\n\nWelcome.", []),
        ("bbbb", "code", "%%chat -s 'Be brief. It'\"'\"'s late.'\nOne\ntwo", said),
        ("eeee", "markdown", "**Tool**\n\n4", []),
        ("gggg", "markdown", "**You**\n\nLook", []),
        ("hhhh", "markdown", "**Model**\n\nI see.", []),
        ("iiii", "markdown", "**critic**\n\nHm.", []),
        ("jjjj", "markdown", "**Function**\n\n7", []),
        ("kkkk", "code", "%%chat\nmy key ***", [("half", "display_data")]),
    ]
    assert all(len(cell["id"]) <= 64 for cell in notebook["cells"])
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    code = notebook["cells"][3]
    assert code["outputs"][0]["data"]["text/markdown"] == ["I **say**\n", "x"]
    assert (code["metadata"], code["execution_count"]) == ({}, None)
    assert to_ipynb(talk).isascii()
    assert to_ipynb(talk).endswith("}\n")


def test_markdown_has_each_message_after_its_speaker(talk: Conversation) -> None:
    """With the model's name and the way in which a reply ended, if that is not well."""
    talk.delete(talk.path()[-1].id)
    assert talk.to_markdown() == "\n\n".join(
        [
            r"# my \*ideas\*",
            "**System**",
            "Be brief.\nIt's late.",
            "**Model**",
            "Welcome.",
            "**You**",
            "One\ntwo",
            "**openai:m** *(stopped)*",
            "I **say**\nx",
            "**Model**",
            '```\nf({"a": 1})\n```',
            "**Tool**",
            "4",
            "**Model**",
            "It is 4.",
            "**You**",
            "Look",
            "**Model**",
            "I see.",
            "**critic**",
            "Hm.",
            "**Function**",
            "7",
            "**You**",
            "my key ***\n",
        ]
    )


@pytest.mark.parametrize(
    ("message", "status", "facts", "text"),
    [
        (AIMessage("Hi"), "streaming", {}, "**Model** *(still replying)*\n\nHi"),
        (AIMessage("Hi"), "failed", {"model": "a:b"}, "**a:b** *(broke off)*\n\nHi"),
        (AIMessage(""), "done", {"model": " a \n b"}, "**a b**"),
        (HumanMessage("Hi"), "done", {"model": "a:b"}, "**You**\n\nHi"),
        (HumanMessage(SECRET), "done", {}, "**You**\n\n***"),
    ],
)
def test_a_message_is_written_after_its_speaker(
    message: BaseMessage, status: Any, facts: dict[str, Any], text: str
) -> None:
    """A user is never called by the model's name, and secrets are hidden."""
    assert node_markdown(Node(1, "a", None, message, status, 0.0, facts)) == text


def test_reasoning_can_be_left_out() -> None:
    """It is told by default."""
    reply = AIMessage("42", additional_kwargs={"reasoning_content": "Hm."})
    node = Node(1, "a", None, reply, "done", 0.0, {})
    assert "Hm." in node_markdown(node)
    assert node_markdown(node, reasoning=False) == "**Model**\n\n42"
