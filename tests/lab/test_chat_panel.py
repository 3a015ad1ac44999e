"""A chat panel in a real JupyterLab, and in Notebook 7."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.lab.jupyterlab import OUTPUT, JupyterLab, NotebookPage

pytestmark = pytest.mark.lab

SETUP = """\
import asyncio
import os
os.environ["CHATNB_STORE"] = os.path.abspath("{name}.db")
from chatnb import AIMessage, ChatPanel, ScriptedChatModel

held = []

async def chat(messages):
    question = messages[-1].text
    count = int(question.split()[-1])
    for number in range(count):
        yield f"{{number}} "
        await asyncio.sleep(0.02)
        while held and number == 200:
            await asyncio.sleep(0.02)
    yield f"of {{len(messages)}}."

def weather(city: str) -> str:
    "Tell the weather."
    return f"Rain in {{city}}."

def call(city):
    return AIMessage("", tool_calls=[{{"name": "weather", "args": {{"city": city}}, "id": city}}])

calls = ScriptedChatModel([call("Oslo"), "It rains.", call("Rome"), "Well.", call("Bonn"), "So."])
"""
PANEL = "ChatPanel(chat, name='numbers')"


class Panel:
    """A panel in the output of a cell."""

    def __init__(self, cell: Locator) -> None:
        self.cell = cell
        self.field = cell.get_by_label("Message", exact=True)
        self.items = cell.locator(".chatnb-panel-item")
        expect(self.field).to_be_visible()

    def send(self, text: str) -> None:
        self.field.fill(text)
        self.field.press("Enter")

    def ask(self, text: str, answer: str) -> None:
        """Send, and wait for the whole answer."""
        self.send(text)
        expect(self.items.last).to_contain_text(answer)
        expect(self.button("Send")).to_be_visible()

    def button(self, name: str, within: Locator | None = None) -> Locator:
        return (within or self.cell).get_by_role("button", name=name, exact=True)


def prepared(jupyter: JupyterLab, name: str, *cells: str) -> Path:
    return jupyter.write(f"{name}.ipynb", SETUP.format(name=name), *cells)


def counted(number: int) -> str:
    return " ".join(map(str, range(number)))


def opened(notebook: NotebookPage) -> Panel:
    notebook.run(0)
    return Panel(notebook.run(1))


def saved_once_it_says(notebook: NotebookPage, words: str) -> dict[str, Any]:
    """The panel's saved output, once its transcript, which follows the view, has these words."""
    deadline = time.monotonic() + 60
    while True:
        (output,) = notebook.saved()["cells"][1]["outputs"]
        if words in "".join(output["data"].get("text/markdown", "")):
            return output
        assert time.monotonic() < deadline, output


def test_several_turns_with_branches_and_a_stop(jupyter: JupyterLab, browser: Browser) -> None:
    """A conversation goes on, a reply is made again and both can be seen, a question is edited
    and nothing is lost, a stop keeps what has come; what is saved is the transcript."""
    path = prepared(jupyter, "turns", PANEL, "6 * 7")
    with jupyter.open(browser, path) as notebook:
        panel = opened(notebook)
        panel.ask("Count to 3", "0 1 2 of 1.")
        panel.ask("And to 2", "0 1 of 3.")
        answer = panel.items.nth(3)
        answer.hover()
        panel.button("Regenerate", answer).click()
        expect(answer).to_contain_text("2/2")
        expect(answer).to_contain_text("0 1 of 3.")
        panel.button("Previous version", answer).click()
        expect(panel.items.nth(3)).to_contain_text("1/2")
        question = panel.items.nth(2)
        question.hover()
        panel.button("Edit", question).click()
        editor = panel.cell.get_by_label("Edit your message")
        editor.fill("Only to 1")
        editor.press("Enter")
        expect(panel.items.nth(3)).to_contain_text("0 of 3.")
        expect(panel.items.nth(2)).to_contain_text("2/2")
        panel.send("Up to 5000")
        expect(panel.items.nth(5)).to_contain_text("0 1 2 3")
        expect(notebook.run(2).locator(OUTPUT)).to_have_text("42")
        expect(panel.button("Stop")).to_be_visible()
        panel.button("Stop").click()
        expect(panel.button("Send")).to_be_visible()
        expect(panel.items.nth(5)).to_contain_text("Stopped")
        output = saved_once_it_says(notebook, "*(stopped)*")
    assert set(output["data"]) == {"text/plain", "text/markdown", "text/html"}
    text = "".join(output["data"]["text/markdown"])
    assert text.startswith("**You**\n\nCount to 3\n\n**chat**\n\n0 1 2 of 1.")
    assert "_esm" not in json.dumps(output)


def test_a_tool_waits_for_the_word(jupyter: JupyterLab, browser: Browser) -> None:
    """It is shown with its arguments and runs once it is allowed; a rejection reaches the model;
    what is always allowed is not asked for again."""
    path = prepared(jupyter, "tools", "panel = ChatPanel(calls, tools=[weather])\npanel")
    with jupyter.open(browser, path) as notebook:
        panel = opened(notebook)
        panel.send("How is Oslo?")
        asking = panel.cell.get_by_role("group", name="May weather be called?")
        expect(asking).to_be_visible()
        expect(panel.items.nth(1)).to_contain_text('"city": "Oslo"')
        panel.button("Allow once", asking).click()
        expect(panel.items.nth(2)).to_contain_text("It rains.")
        panel.send("How is Rome?")
        expect(asking).to_be_visible()
        panel.button("Reject", asking).click()
        asking.get_by_role("textbox").fill("I know Rome.")
        panel.button("Reject", asking).click()
        expect(panel.items.nth(5)).to_contain_text("Well.")
        panel.send("How is Bonn?")
        panel.button("Always in this conversation", asking).click()
        expect(panel.items.nth(8)).to_contain_text("So.")
        panel.send("How is Oslo now?")
        expect(panel.items.nth(11)).to_contain_text("It rains.")


@pytest.mark.thorough
def test_a_page_that_is_loaded_again_in_mid_stream_misses_nothing(
    jupyter: JupyterLab, browser: Browser
) -> None:
    """The reply goes on while the page is away, and is shown whole when it is back."""
    path = prepared(jupyter, "reload", f"held.append(True)\n{PANEL}", "held.clear()")
    with jupyter.open(browser, path) as notebook:
        panel = opened(notebook)
        notebook.saved()
        panel.send("Count to 400")
        expect(panel.items.nth(1)).to_contain_text("0 1 2 3")
        notebook.reload()
        panel = Panel(notebook.cell(1))
        expect(panel.button("Stop")).to_be_visible()
        early = panel.items.nth(1).inner_text()
        notebook.run(2)
        expect(panel.items.nth(1)).to_contain_text(f"{counted(400)} of 1.")
        assert counted(400) not in early
        panel.ask("And to 2", "0 1 of 3.")


def test_a_restarted_kernel_resumes(jupyter: JupyterLab, browser: Browser) -> None:
    """Restarted in mid-reply, the file has the question, the cell that is run again shows all of
    it, the partial marked, and the conversation goes on."""
    path = prepared(jupyter, "restart", PANEL)
    with jupyter.open(browser, path) as notebook:
        panel = opened(notebook)
        panel.ask("Count to 3", "0 1 2 of 1.")
        panel.send("Count to 2000")
        expect(panel.items.nth(3)).to_contain_text(counted(60))
        assert "Count to 2000" in str(notebook.saved()["cells"][1]["outputs"])
        notebook.restart()
        panel = opened(notebook)
        expect(panel.items).to_have_count(4)
        expect(panel.items.nth(1)).to_contain_text("0 1 2 of 1.")
        expect(panel.items.nth(3)).to_contain_text(counted(20))
        expect(panel.items.nth(3)).to_contain_text("Stopped")
        panel.ask("Count to 2", "0 1 of 5.")


@pytest.mark.thorough
def test_two_panels_stream_while_a_cell_computes(jupyter: JupyterLab, browser: Browser) -> None:
    """Neither waits for the other, nor the cell for them."""
    enough = jupyter.folder / "two.enough"
    computes = (
        f"import time\nwhile not os.path.exists({enough.name!r}): time.sleep(0.01)\nheld.clear()"
    )
    path = prepared(
        jupyter, "two", "held.append(True)\nChatPanel(chat)", "ChatPanel(chat)", computes
    )
    with jupyter.open(browser, path) as notebook:
        panels = [opened(notebook), Panel(notebook.run(2))]
        for panel in panels:
            panel.send("Count to 400")
            expect(panel.button("Stop")).to_be_visible()  # A kernel that computes hears nothing.
        cell = notebook.start(3)
        for panel in panels:
            expect(panel.items.nth(1)).to_contain_text(counted(200))
            expect(panel.button("Stop")).to_be_visible()
        expect(cell.locator(".jp-InputPrompt")).to_have_text("[*]:")
        enough.touch()
        notebook.wait_until_done(cell)
        for panel in panels:
            expect(panel.items.nth(1)).to_contain_text(f"{counted(400)} of 1.")


@pytest.mark.thorough
def test_the_embedded_model_talks(lab: JupyterLab, browser: Browser) -> None:
    """Two turns with the model in the kernel, stopped and whole."""
    path = prepared(lab, "embedded", "ChatPanel('local:smollm2', temperature=0)")
    with lab.open(browser, path) as notebook:
        panel = opened(notebook)
        panel.send("Name a fruit, in one word.")
        expect(panel.items.nth(1)).to_have_attribute("data-status", "done", timeout=60_000)
        expect(panel.items.nth(1)).to_contain_text(re.compile("[a-z]{3}"))
        panel.send("Tell a long story about it.")
        expect(panel.items.nth(3)).to_contain_text(re.compile("[a-z]{3}"), timeout=60_000)
        panel.button("Stop").click()  # The model needs some seconds to its token limit.
        expect(panel.items.nth(3)).to_contain_text("Stopped")


@pytest.mark.thorough
def test_a_notebook_without_its_kernel_shows_the_transcript(
    jupyter: JupyterLab, browser: Browser
) -> None:
    """Opened again, with nothing run, the conversation can be read, and there is no error."""
    path = prepared(jupyter, "saved", PANEL)
    with jupyter.open(browser, path) as notebook:
        opened(notebook).ask("Count to 3", "0 1 2 of 1.")
        saved_once_it_says(notebook, "0 1 2 of 1.")
        notebook.run_command("kernelmenu:shutdown")
    with jupyter.open(browser, path, fresh=True) as notebook:
        shown = notebook.cell(1).locator(OUTPUT)
        expect(shown).to_contain_text("0 1 2 of 1.")
        expect(shown.locator("strong").first).to_have_text("You")
        expect(shown).not_to_contain_text("Error displaying widget")
