"""The files that go along with a message of the chat panel, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chat_panel_page import ChatPanelPage, chat_panel_page

pytestmark = pytest.mark.browser

DROP = """
const data = new DataTransfer();
for (const [name, type, text] of given) data.items.add(new File([text], name, { type }));
const at = document.querySelector(".chatnb-panel");
const fire = (kind) => at.dispatchEvent(new DragEvent(kind,
    { dataTransfer: data, bubbles: true, cancelable: true }));
fire("dragenter");
return [fire("dragover"), fire("drop")];
"""
PASTE = """
const clipboardData = new DataTransfer();
for (const [name, type, text] of given) {
    if (name) clipboardData.items.add(new File([text], name, { type }));
    else clipboardData.setData(type, text);
}
document.activeElement.dispatchEvent(
    new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
"""


@pytest.fixture
def panel(browser: Browser) -> Iterator[ChatPanelPage]:
    with chat_panel_page(browser) as page:
        yield page


def file_names(panel: ChatPanelPage) -> list[str]:
    return panel.page.locator(".chatnb-panel-composer .chatnb-panel-file-name").all_inner_texts()


def test_files_are_dropped_pasted_and_picked(panel: ChatPanelPage) -> None:
    """Each way to attach a file ends in the same row, and Send sends the bytes of all."""
    panel.open()
    assert panel.run(DROP, [["a.csv", "text/csv", "1,2"]]) == [False, False]
    panel.field.focus()
    panel.run(PASTE, [["b.png", "image/png", "pixels"]])
    given: Any = {"name": "c.py", "mimeType": "", "buffer": b"x = 1"}
    panel.page.locator("input[type=file]").set_input_files([given])
    assert file_names(panel) == ["a.csv", "b.png", "c.py"]
    expect(panel.page.locator(".chatnb-panel-composer img")).to_have_count(1)
    panel.button("Remove b.png").click()
    assert panel.focused() == "Message"
    panel.ask("These")
    panel.page.wait_for_function("model.of('send').length === 1")
    (sent,) = panel.sent("send")
    assert sent["buffers"] == ["1,2", "x = 1"]
    assert sent["attachments"] == [
        {"name": "a.csv", "mime": "text/csv"},
        {"name": "c.py", "mime": "text/plain"},
    ]
    panel.arrive("These")
    assert file_names(panel) == []


def test_what_may_not_be_attached_is_said(panel: ChatPanelPage) -> None:
    """Too large, too much together or of a kind that cannot be sent: each is said, with the limit,
    and neither the text nor the other files are lost."""
    panel.open()
    panel.field.fill("Look")
    expect(panel.button("Attach files")).to_have_attribute(
        "title", "Attach files: PNG, text, 100 KB each, 150 KB in all"
    )
    panel.run(DROP, [["a.txt", "text/plain", "a" * 90_000], ["f.mp4", "video/mp4", "v"]])
    expect(panel.page.get_by_text("f.mp4 is neither text nor")).to_be_visible()
    panel.run(DROP, [["big.txt", "text/plain", "a" * 103_000]])
    expect(panel.page.get_by_text("big.txt has 101 KB; a file may have 100 KB.")).to_be_visible()
    panel.run(DROP, [["more.txt", "text/plain", "a" * 70_000]])
    expect(panel.page.get_by_text("With more.txt the files would have 156 KB")).to_be_visible()
    assert file_names(panel) == ["a.txt"]
    expect(panel.field).to_have_value("Look")


def test_limits_are_in_the_unit_of_sizes_and_name_each_sort_of_file_once(
    panel: ChatPanelPage,
) -> None:
    """The empty panel, the button and the line below the files give one limit in the same number,
    and a sort of file that has several MIME types one name."""
    types = ["image/webp", "audio/wav", "audio/x-wav", "audio/mp3", "audio/mpeg", "text/*"]
    limits = {"attachment_bytes": 5 * 2**20, "attachments_bytes": 20 * 2**20, "types": types}
    panel.open(limits=limits)
    told = "WebP, WAV, MP3, text, 5 MB each, 20 MB in all"
    expect(panel.log).to_contain_text(f"Drop or paste files: {told}")
    expect(panel.button("Attach files")).to_have_attribute("title", f"Attach files: {told}")
    panel.run(DROP, [["a.txt", "text/plain", "a" * 2048]])
    expect(panel.page.get_by_text("2 KB of 20 MB")).to_be_visible()


def test_a_pasted_table_is_text(panel: ChatPanelPage) -> None:
    """A paste with text and a picture, as from a spreadsheet, is pasted as text."""
    panel.open()
    panel.field.focus()
    panel.run(PASTE, [["", "text/plain", "1\t2"], ["image.png", "image/png", "pixels"]])
    assert file_names(panel) == []
