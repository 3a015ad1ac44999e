"""Takes the README's screenshots in a real JupyterLab: `make screenshots`.

The streaming, finished and stopped cells are the embedded model's; the failed one is scripted, for
no provider fails when it is asked to.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Locator, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.lab.jupyterlab import OUTPUT, REPLY, JupyterLab, NotebookPage
from tests.support.chromium import launch

FOLDER = Path(__file__).parent / "screenshots"
SETUP = """\
%load_ext chatnb
from chatnb.chat_models import ScriptedChatModel
from chatnb.errors import ServerError

half = "The model had come this far"
overloaded = ServerError("The model is overloaded.", hint="Try again in a moment.")
unlucky = ScriptedChatModel([[half, overloaded]], model_name="unlucky")"""
CHAIN = """\
from chatnb import ChatLocal, tool
from chatnb.output_parsers import StrOutputParser
from chatnb.prompts import ChatPromptTemplate
from chatnb.runnables import RunnableParallel

attempts = []

@tool
def look_up(topic: str) -> str:
    'Look a topic up.'
    attempts.append(topic)
    if len(attempts) == 1:
        raise ConnectionError("The library did not answer.")
    return topic

story = (
    ChatPromptTemplate.from_messages([("human", "Tell a story about {topic}.")])
    | ChatLocal(max_tokens=120)
    | StrOutputParser()
)
branches = RunnableParallel(story=story, facts=look_up.with_retry(initial=0.2))
chain = branches | (lambda found: found["story"] + found["facts"])"""
FIFTY = """\
from chatnb import ChatLocal

small = ChatLocal(max_tokens=24)
topics = [f"{thing} {place}" for thing in ("a boat", "a dish", "a street", "a bird", "a house")
          for place in ("in Bergen", "in Lisbon", "in Kyoto", "in Nairobi", "in Lima",
                        "by the sea", "on an island", "in winter", "at night", "in a song")]
small.generate([[f"Describe {topic}."] for topic in topics], max_concurrency=4)"""
PANEL = """\
from chatnb import ChatPanel

panel = ChatPanel(ChatLocal(max_tokens=160), system="You are brief.")
panel.ask("What is a lighthouse for? Name three things.")
panel"""
LOAD, FINISHED, STREAMING, FAILED, CHAINED, WATCHED, BATCH, TALK = range(8)
CELLS = (
    SETUP,
    "%%chat\nWhat is a notebook good for? Give a list of three uses.",
    "%%chat -c story --max-tokens 400\nTell me a story about a lighthouse keeper.",
    "%%chat -m unlucky\nHow far did you get?",
    CHAIN,
    'chain.watch({"topic": "lighthouses"})',
    FIFTY,
    PANEL,
)
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        lab, browser = JupyterLab(Path(folder)), launch(playwright)
        try:
            for name, theme in THEMES.items():
                notebook = lab.write(f"{name}.ipynb", *CELLS)
                size = {"width": 1000, "height": 900}
                with lab.open(
                    browser, notebook, theme=theme, viewport=size, device_scale_factor=1.5
                ) as page:
                    page.page.set_viewport_size(size)  # The page is that of the theme before.
                    page.run_command("application:toggle-left-area")
                    take(page, name)
        finally:
            browser.close()
            lab.close()


def take(notebook: NotebookPage, theme: str) -> None:
    notebook.run(LOAD)
    save(notebook.run(FINISHED), f"finished-{theme}")
    story = notebook.start(STREAMING)
    text = story.locator(f"{REPLY} .chatnb-text")
    expect(text).to_contain_text(".", timeout=60_000)
    save(story, f"streaming-{theme}")
    story.get_by_role("button", name="Stop the reply").click()
    notebook.wait_until_done(story)
    save(story, f"stopped-{theme}")
    save(notebook.run(FAILED), f"failed-{theme}")
    notebook.run(CHAINED)
    watched = notebook.start(WATCHED)
    rows = watched.get_by_role("treeitem")
    expect(rows.filter(has_text="ChatLocal")).to_be_visible(timeout=60_000)
    expect(rows.filter(has_text="look_up")).to_have_count(3, timeout=60_000)
    save(watched, f"tree-running-{theme}")
    expect(watched.get_by_text("Done")).to_be_visible(timeout=120_000)
    rows.filter(has_text="look_up").nth(1).click()
    save(watched, f"tree-{theme}")
    batch = notebook.start(BATCH)
    expect(batch.get_by_text("left")).to_be_visible(timeout=60_000)
    batch.page.wait_for_timeout(2_000)
    save(batch, f"batch-running-{theme}")
    notebook.wait_until_done(batch)
    expect(batch.get_by_role("status")).to_have_text("50 calls", timeout=60_000)
    save(batch, f"batch-{theme}")
    talk(notebook, theme)


def talk(notebook: NotebookPage, theme: str) -> None:
    panel = notebook.run(TALK)
    composer = panel.locator("textarea").last
    expect(panel.get_by_text(re.compile(r"\d out · "))).to_be_visible(timeout=60_000)
    composer.fill("Write a Python function that says when its lamp is lit.")
    composer.press("Enter")
    expect(panel.get_by_role("button", name="Stop")).to_be_visible(timeout=20_000)
    expect(panel.get_by_role("button", name="Send")).to_be_visible(timeout=60_000)
    save(panel, f"panel-{theme}")
    panel.page.set_viewport_size({"width": 480, "height": 1500})
    panel.page.wait_for_timeout(500)
    save(panel, f"panel-narrow-{theme}")


def save(cell: Locator, name: str) -> None:
    if not any(word in name for word in ("streaming", "tree", "running")):
        cell.page.mouse.move(0, 0)
        cell.page.keyboard.press("Escape")
        expect(cell.locator(OUTPUT).last).to_be_visible()
    cell.screenshot(path=FOLDER / f"{name}.png")
    print(FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
