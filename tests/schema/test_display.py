from __future__ import annotations

from IPython.core.interactiveshell import InteractiveShell

from chatnb.schema import AIMessage, HumanMessage, ToolCall


def test_a_message_shows_itself_as_markdown_and_keeps_its_repr(
    bare_shell: InteractiveShell,
) -> None:
    """A notebook shows the text rendered; as plain text the message is its repr."""
    message = AIMessage("Some **bold** words.")
    bundle, _ = bare_shell.display_formatter.format(message)  # type: ignore[union-attr]
    assert bundle["text/markdown"] == "Some **bold** words."
    assert bundle["text/plain"] == repr(message)


def test_a_list_of_messages_shows_their_reprs(bare_shell: InteractiveShell) -> None:
    """Inside a list a message is its repr, as on the page."""
    bundle, _ = bare_shell.display_formatter.format([HumanMessage("Hi")])  # type: ignore[union-attr]
    assert bundle == {"text/plain": "[HumanMessage(content='Hi')]"}


def test_a_hostile_message_does_not_act(bare_shell: InteractiveShell) -> None:
    """Active HTML in a message is displayed as text."""
    message = AIMessage("<img src=x onerror=alert(1)> ![i](https://tracker.test/i.png)")
    bundle, _ = bare_shell.display_formatter.format(message)  # type: ignore[union-attr]
    assert "<img" not in bundle["text/markdown"]
    assert "![" not in bundle["text/markdown"]


def test_parts_and_tool_calls_are_named(bare_shell: InteractiveShell) -> None:
    """Parts that are not text are named, so that nothing is missing from the display."""
    call = ToolCall(name="add", args={"a": 1}, id="c1", type="tool_call")
    parts = [{"type": "text", "text": "See:"}, {"type": "image_url", "image_url": {"url": "u"}}]
    bundle, _ = bare_shell.display_formatter.format(AIMessage(parts, tool_calls=[call]))  # type: ignore[union-attr, arg-type]
    assert bundle["text/markdown"] == 'See:\n\n*[image]*\n\n```\nadd({"a": 1})\n```'
