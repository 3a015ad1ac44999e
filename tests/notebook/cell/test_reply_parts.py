"""Pictures, sounds, sources and calls of the provider's tools in cells, panels and saved files."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import chatnb
from chatnb import Conversation, ScriptedChatModel
from chatnb.conversations.ipynb import to_ipynb
from chatnb.notebook import register
from chatnb.notebook.panel.transcript import panel_mimebundle
from chatnb.notebook.panel.updates import items_from_path
from chatnb.notebook.widgets.front_end import choose_view
from chatnb.schema import AIMessage, HumanMessage
from chatnb.schema.content.outputs import MAX_MEDIA_BYTES
from chatnb.schema.message_types import message_markdown
from chatnb.store import Store

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(16)).decode()
WAV = base64.b64encode(b"RIFF\0\0\0\0WAVEfmt ").decode()
LINK = "[The &#91;first\\] page](https://example.org/a%28b%29)"


def image(data: str, mime: str = "image/png") -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:{mime};base64,{data}"}}


def reply() -> AIMessage:
    note = {"type": "url_citation", "url": "https://example.org/a(b)", "title": "The [first] page"}
    items = [
        {
            "type": "code_interpreter_call",
            "id": "ci_1",
            "status": "completed",
            "code": "print(6 * 7)",
            "outputs": [{"type": "logs", "logs": "42\n"}],
        },
        {"type": "message", "content": [{"type": "output_text", "annotations": [note]}]},
        {"type": "image_generation_call", "id": "ig_1", "result": PNG},
    ]
    kwargs = {"output_items": items, "audio": {"data": WAV, "transcript": "Hello."}}
    return AIMessage("Here it is.", additional_kwargs=kwargs)


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> Iterator[InteractiveShell]:
    register(bare_shell)
    choose_view("static")
    yield bare_shell
    choose_view(None)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The outputs of cells."""
    found = list[Any]()
    monkeypatch.setattr(
        "IPython.display.publish_display_data", lambda data, *_, **__: found.append(data)
    )
    return found


def ask(shell: InteractiveShell, message: AIMessage) -> None:
    """Run a cell that is replied to with a message."""
    shell.push({"said": ScriptedChatModel([message])})
    assert shell.run_cell("%%chat -m said\nHi").success


def test_cells_show_all_parts(shell: InteractiveShell, shown: list[Any]) -> None:
    """A picture is a picture of the notebook's own, a sound can be played, sources are links under
    the text, and the calls are folded in the footer."""
    ask(shell, reply())
    text, picture, sound, footer = shown
    assert text["text/markdown"].startswith("Here it is.\n\n**Sources**\n\n1. ")
    assert "](https://example.org/a%28b%29)" in text["text/markdown"]
    assert "Not shown here" not in text["text/markdown"]
    assert picture["image/png"] == PNG
    assert sound["text/html"] == f'<audio controls src="data:audio/wav;base64,{WAV}"></audio>'
    assert "code_interpreter() → 42" in footer["text/plain"]
    assert "print(6 * 7)" in footer["text/html"]


def test_terminals_name_what_they_cannot_show(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text is followed by names and addresses."""
    choose_view("text")
    capsys.readouterr()
    ask(shell, reply())
    printed = capsys.readouterr().out
    assert "[image, image/png, 0.0 KB]" in printed
    assert "https://example.org/a%28b%29" in printed
    assert "code_interpreter() → 42" in printed


def test_a_spoken_reply_is_read(shell: InteractiveShell, shown: list[Any]) -> None:
    """The transcript stands where the text would, and no footer calls the reply empty."""
    message = AIMessage("", additional_kwargs={"audio": {"data": WAV, "transcript": "Hello."}})
    ask(shell, message)
    text, sound, footer = shown
    assert text["text/markdown"] == "Hello."
    assert "audio/wav" in sound["text/html"]
    assert "empty" not in footer["text/plain"]


@pytest.mark.parametrize(
    "part",
    [
        image(base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(MAX_MEDIA_BYTES)).decode()),
        image("PHN2Zz48c2NyaXB0Pg==", "image/svg+xml"),
        image('"><script>alert(1)</script>'),
    ],
    ids=["too large", "svg", "no base64"],
)
def test_what_is_too_large_or_not_safe_is_named(
    shell: InteractiveShell, shown: list[Any], part: dict[str, Any]
) -> None:
    """The file stays small and inert, and says where the rest is."""
    message = AIMessage("Here.", additional_kwargs={"images": [image(PNG), part]})
    ask(shell, message)
    text, picture, _ = shown
    assert picture["image/png"] == PNG
    assert "*[image" in text["text/markdown"]
    assert "content_blocks" in text["text/markdown"]
    assert "<script" not in json.dumps([text, picture])


def test_a_picture_elsewhere_is_a_link(shell: InteractiveShell, shown: list[Any]) -> None:
    """Nothing is fetched from an address that a model wrote."""
    url = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    ask(shell, AIMessage("Here.", additional_kwargs={"images": [url]}))
    text, _ = shown
    assert "[image](https://example.org/a.png)" in text["text/markdown"]
    assert "![" not in text["text/markdown"]


@pytest.mark.parametrize("form", ["cell", "ask", "compare"])
def test_replies_beside_each_other_show_all_parts(
    shell: InteractiveShell, shown: list[Any], form: str
) -> None:
    """Columns and single replies show pictures and sounds in HTML, and name them in text."""
    model = ScriptedChatModel([reply(), reply()])
    match form:
        case "cell":
            shell.push({"one": model, "two": ScriptedChatModel(["Hi."])})
            assert shell.run_cell("%%chat --compare one,two\nHi").success
            bundle = shown[-1]
        case "ask":
            widget = chatnb.ask("Hi", model)
            widget.result(30)
            bundle = widget.static_mimebundle()
        case _:
            widget = chatnb.compare("Hi", {"one": model, "two": "scripted:Hi."})
            widget.result(30)
            bundle = widget.static_mimebundle()
    html = bundle["text/html"]
    assert f'src="data:image/png;base64,{PNG}"' in html
    assert "<audio controls" in html
    assert 'href="https://example.org/a%28b%29"' in html
    assert "[image" not in html
    for text in (bundle["text/markdown"], bundle["text/plain"]):
        assert "*[image, image/png, 0.0 KB]*" in text
        assert "https://example.org/a%28b%29" in text


@pytest.fixture
def conversation() -> Conversation:
    made = Conversation("parts", store=Store(":memory:"))
    made.add(HumanMessage("Draw."))
    made.add(reply())
    return made


def test_panels_show_all_parts(conversation: Conversation) -> None:
    """The item has the media, the links in its text, and the calls; the file has them, too."""
    path = conversation.path()
    item = items_from_path(path, {})[1]
    assert [(file["mime"], file.get("data")) for file in item["attachments"]] == [
        ("image/png", PNG),
        ("audio/wav", WAV),
    ]
    assert item["text"].endswith(f"1. {LINK}")
    (call,) = item["tool_calls"]
    assert (call["name"], call["state"], call["result"]) == ("code_interpreter", "done", "42")
    html = panel_mimebundle(path).get("text/html", "")
    assert f'src="data:image/png;base64,{PNG}"' in html
    assert "<audio controls" in html
    assert 'href="https://example.org/a%28b%29"' in html


def test_while_a_reply_streams_no_sources_are_in_its_text(conversation: Conversation) -> None:
    """More text would come after them."""
    node = replace(conversation.path()[1], status="streaming")
    assert items_from_path([node], {})[0]["text"] == "Here it is."


def test_exports_have_all_parts(conversation: Conversation) -> None:
    """Markdown names, links and quotes; a notebook has the picture as an output."""
    text = message_markdown(reply())
    assert "code_interpreter" in text
    assert "> 42" in text
    assert "*[image, image/png, 0.0 KB]*" in text
    assert LINK in text
    cells = json.loads(to_ipynb(conversation))["cells"]
    kinds = [set(output["data"]) for output in cells[-1]["outputs"]]
    assert {"image/png", "text/plain"} in kinds
