"""The outputs of %%chat cells as the kernel keeps them for a page that comes back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from chatnb.concurrency.portal import package_portal
from chatnb.markdown.safe_markdown import SafeMarkdown
from chatnb.notebook.cell.outputs import CellOutput, CellOutputs
from chatnb.notebook.cell.reply_widget import ReplyView
from chatnb.notebook.widgets import front_end
from chatnb.terminal import SafeText

TEXTS = [
    "",
    "Half",
    "Half <b>of",
    "Half <b>of\n\n```python\nx",
    "Half <b>of\n\n```python\nx\n```\n.",
]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> CellOutputs:
    page = CellOutputs()
    monkeypatch.setattr(page, "sent", [], raising=False)
    monkeypatch.setattr(page, "send", page.sent.append)  # type: ignore[attr-defined]
    return page


def begun(page: CellOutputs, text: list[str], retired: list[str]) -> CellOutput:
    view = ReplyView(lambda: None, model_name="m", stop_with="message")
    return CellOutput(page, view, ["m*"], lambda: text[-1], lambda: retired.append("view"))


def say(page: CellOutputs, message: dict[str, Any]) -> None:
    page._receive(page, message, [])  # pyright: ignore[reportPrivateUsage]
    package_portal.run(_nothing())


async def _nothing() -> None:
    """Let what was submitted before come first."""


def test_drafts_add_up_to_safe_markdown_that_is_closed(page: CellOutputs) -> None:
    """Each is the text so far as it is safe to save, no fence left open, and then the note; only
    what has changed is sent, and all of it to a page that asks."""
    text, shown, start = [""], "", 0
    output = begun(page, text, [])
    for text[0] in TEXTS:
        page.flush()
        draft = page.sent[-1]  # type: ignore[attr-defined]
        start = draft["start"]
        shown = shown[:start] + draft["text"]
        assert shown == SafeMarkdown(shown)
        assert shown.count("```") % 2 == 0
        assert shown.startswith(text[0].replace("<", "&lt;"))
        assert shown.endswith("*m\\* was replying when this was saved. `%chat resume` goes on.*")
    assert start > 0
    count = len(page.sent)  # type: ignore[attr-defined]
    page.flush()
    assert len(page.sent) == count  # type: ignore[attr-defined]
    say(page, {"type": "hello"})
    assert page.sent[-1] == {"type": "draft", "id": output.id, "start": 0, "text": shown}  # type: ignore[attr-defined]


def test_a_page_that_answers_late_shows_widgets_from_then_on(
    page: CellOutputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell shows text where the page did not answer in time, and the next one a widget."""
    kernel = SimpleNamespace(_allow_stdin=True, get_parent=lambda channel: {})
    monkeypatch.setattr(front_end, "current_kernel", lambda: kernel)
    monkeypatch.setattr(front_end, "_page_answers", False)
    assert front_end.current_view() == "text"
    say(page, {"type": "hello"})
    assert front_end.current_view() == "live"


def test_final_outputs_wait_for_the_page(page: CellOutputs) -> None:
    """The live view stays until a page tells that the outputs are there; replies whose page never
    comes back do not pile up."""
    retired = list[str]()
    output = begun(page, ["All"], retired)
    say(page, {"type": "delivered", "id": output.id})
    assert list(page.replies) == [output.id]
    data = {"text/markdown": SafeMarkdown("All"), "text/plain": SafeText("All")}
    output.finish([data], ValueError("odd"))  # type: ignore[list-item]
    assert page.replies[output.id]["finished"]
    say(page, {"type": "get_outputs", "id": output.id})
    shown, error = page.sent[-1]["outputs"]  # type: ignore[attr-defined]
    assert shown == {"output_type": "display_data", "metadata": {}, "data": data}
    assert (error["output_type"], error["traceback"]) == ("error", ["ValueError: odd"])
    assert retired == []
    say(page, {"type": "delivered", "id": output.id})
    assert (page.replies, retired) == ({}, ["view"])
    for _ in range(60):
        begun(page, ["All"], retired).finish([data])  # type: ignore[list-item]
    assert len(page.replies) == 50
