"""Takes the README's screenshots, and its film of a cell, in a real JupyterLab: `make screenshots`.

The streaming, finished and stopped cells are the embedded model's; the failed one is scripted, for
no provider fails when it is asked to. `make screenshots ARGS=film` takes the film alone.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
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
TWO = """\
from chatnb import ChatLocal

calm = ChatLocal(temperature=0, max_tokens=200)
lively = ChatLocal(temperature=1, seed=3, max_tokens=200)"""
LOAD, FINISHED, STREAMING, FAILED, CHAINED, WATCHED, BATCH, TWO_MODELS, COMPARED, TALK = range(10)
CELLS = (
    SETUP,
    "%%chat\nWhat is a notebook good for? Give a list of three uses.",
    "%%chat -c story --max-tokens 400\nTell me a story about a lighthouse keeper.",
    "%%chat -m unlucky\nHow far did you get?",
    CHAIN,
    'chain.watch({"topic": "lighthouses"})',
    FIFTY,
    TWO,
    "%%chat --compare calm,lively\nSay in one sentence what a lighthouse is for.",
    PANEL,
)
# How long the reply of the film takes at most, and how long its end is shown.
FILM_MS, FILM_STAY_MS = 5_000, 4_000
NO_CLOCK = ".chatnb-clock, .chatnb-status { display: none }"  # The film has a pace of its own.
BESIDE_THE_PROMPT = (24, 24)  # A pixel of the page's colour, between the blue bar and the prompt.
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
                    film(page, name)
                    if "film" not in sys.argv[1:]:
                        take(page, name)
        finally:
            browser.close()
            lab.close()


def film(notebook: NotebookPage, theme: str) -> None:
    """Save a streaming cell as an animation, which stays on the whole reply before it repeats."""
    notebook.run(LOAD)
    cell = notebook.start(FINISHED)
    running = cell.get_by_role("button", name="Stop the reply")
    expect(running).to_be_visible(timeout=60_000)
    expect(cell.locator(f"{REPLY} .chatnb-text")).not_to_be_empty(timeout=60_000)
    began, frames, times = time.monotonic(), list[Image.Image](), list[float]()
    while running.is_visible():
        frames.append(Image.open(io.BytesIO(cell.screenshot(style=NO_CLOCK))))
        times.append(time.monotonic())
    del frames[-1]  # The reply may have ended while it was taken.
    notebook.wait_until_done(cell)
    # On a busy machine the frames come slowly: the reply takes as long as it would on an idle one.
    each = min(1_000 * (times[-1] - began), FILM_MS) / len(times)
    path = FOLDER / f"film-{theme}.webp"
    first, *others = padded(frames)
    first.save(
        path,
        save_all=True,
        append_images=others,
        duration=[round(each)] * len(others) + [FILM_STAY_MS],
        loop=0,
        lossless=True,
        method=6,
        minimize_size=True,
    )
    print(path, len(frames), "frames", path.stat().st_size, "bytes")


def padded(frames: list[Image.Image]) -> list[Image.Image]:
    """Return the frames in the size of the largest, on the page's colour."""
    size = (max(frame.width for frame in frames), max(frame.height for frame in frames))
    sheets = list[Image.Image]()
    for frame in frames:
        sheet = Image.new("RGB", size, frame.convert("RGB").getpixel(BESIDE_THE_PROMPT))
        sheet.paste(frame)
        sheets.append(sheet)
    return sheets


def take(notebook: NotebookPage, theme: str) -> None:
    save(notebook.cell(FINISHED), f"finished-{theme}")
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
    notebook.run(TWO_MODELS)
    save(notebook.run(COMPARED), f"comparison-{theme}")
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
