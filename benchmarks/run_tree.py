"""The cost of the run tree on a browser's main thread: `make bench`.

A Chromium is fed the 5,000 patches of a log in messages of 20, one every 10 ms, which is some ten
times as fast as a quick model; then it is fed a log of 5,000 runs all at once, and rewound through
it. Tasks are those of the browser's own performance timeline, which tells of those above 50 ms.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.browser.run_tree_page import RunTreePage, run_tree_page, wired
from tests.support.chromium import launch
from tests.support.run_logs import many

PATCHES = 5_000
LONGEST_MILLISECONDS = 50
"""A task above it is a long one by the definition of the timeline."""

OBSERVE = """
window.tasks = [];
new PerformanceObserver((list) => tasks.push(...list.getEntries().map((task) => task.duration)))
    .observe({ type: "longtask" });
window.frames = [];
let last = performance.now();
const tick = (now) => { frames.push(now - last); last = now; requestAnimationFrame(tick); };
requestAnimationFrame(tick);
"""
LIVE = """
const { given: patches } = window;
for (let first = 0; first < patches.length; first += 20) {
    model.add(patches.slice(first, first + 20));
    await new Promise((done) => setTimeout(done, 10));
}
"""
REWIND = """
const slider = document.querySelector(".chatnb-run-slider");
for (let step = 100; step > 0; step -= 1) {
    slider.value = String(Math.round((slider.max * step) / 100));
    slider.dispatchEvent(new Event("input"));
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
}
"""


def main() -> None:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        print(
            "| what | longest task, ms | tasks above 50 ms | slowest frame, ms |\n|---|---|---|---|"
        )
        try:
            with run_tree_page(browser) as page:
                worst = max(live(page), at_once(page))
        finally:
            browser.close()
    if worst > LONGEST_MILLISECONDS:
        sys.exit(f"A task of {worst:.0f} ms held up the page; none may be above 50 ms.")


def live(page: RunTreePage) -> float:
    patches = wired(many(PATCHES // 2).patches[:PATCHES])
    page.open([], live=True)
    page.run("window.given = given", patches)
    page.settle()
    page.run(OBSERVE)
    page.run(LIVE)
    return report(page, f"{len(patches):,} patches, as they come")


def at_once(page: RunTreePage) -> float:
    patches = many(PATCHES).patches
    page.run("document.body.replaceChildren()")
    page.open([], live=True)
    page.run("window.given = given", wired(patches))
    page.settle()
    page.run("tasks.length = frames.length = 0")
    page.run("model.patches = window.given; model.end()")
    page.page.wait_for_function(
        f"document.querySelector('.chatnb-run-slider').max == {len(patches)}"
    )
    worst = report(page, f"{len(patches):,} patches of {PATCHES:,} runs, page after page")
    page.run(REWIND)
    return max(worst, report(page, "rewinding through them in 100 steps"))


def report(page: RunTreePage, what: str) -> float:
    """Print a row, and give the longest task; the timeline is silent about short ones."""
    page.page.wait_for_timeout(200)
    tasks, frames = page.run("return [tasks.splice(0), frames.splice(0)]")
    longest = f"{max(tasks):.0f}" if tasks else "below 50"
    print(f"| {what} | {longest} | {len(tasks)} | {max(frames):.0f} |")
    return max(tasks, default=0.0)


if __name__ == "__main__":
    main()
