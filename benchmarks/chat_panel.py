"""The cost of the chat panel on a browser's main thread: `make bench`.

A Chromium is fed replies of 100,000 characters in pieces of 40, one every 5 ms, which is some forty
times as fast as a quick model; then a conversation that has such a reply in it is opened at once.
Tasks are those of the browser's own performance timeline, which tells of those above 50 ms; the
time per delta is that of the panel's own code, in the first and in the last tenth of the reply.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.browser.chat_panel_page import STATIC, ChatPanelPage, ai, chat_panel_page, human, turns
from tests.support.chromium import launch

LENGTH = 100_000
LONGEST_MILLISECONDS = 50
"""A task above it is a long one by the definition of the timeline."""

MARKDOWN = """\
## Herons and storks

A *heron* is a **long-legged** bird; its `name` is [old](https://example.org/heron), and so on.

- It wades slowly, and stands still for a long time.
- It fishes at dawn.

```python
def wade(river: River, depth: float) -> Fish | None:
    for place in river.places:  # the shallow ones
        if place.depth < depth and "fish" in place:
            return place.take()
    return None
```

| bird | length |
|---|---|
| heron | 98 cm |

"""
PROSE = "A heron is a long-legged bird that wades, and wades, and stands still for a long time. "
CODE = '    total += weight["heron"] * (count - 1)  # one has flown\n'
REPLIES = {
    "Markdown": MARKDOWN * (LENGTH // len(MARKDOWN) + 1),
    "one paragraph": PROSE * (LENGTH // len(PROSE) + 1),
    "one block of code": "```python\n" + CODE * (LENGTH // len(CODE) + 1) + "```\n",
}
OBSERVE = """
window.tasks = [];
new PerformanceObserver((list) => tasks.push(...list.getEntries().map((task) => task.duration)))
    .observe({ type: "longtask" });
"""
STREAM = """
const times = [];
for (let at = 0; at < given.length; at += 40) {
    const begun = performance.now();
    model.grow(given.slice(at, at + 40));
    times.push(performance.now() - begun);
    await new Promise((done) => setTimeout(done, 5));
}
model.turn({ status: "done" });
const tenth = Math.floor(times.length / 10);
const mean = (some) => some.reduce((sum, each) => sum + each, 0) / some.length;
return [mean(times.slice(0, tenth)), mean(times.slice(-tenth))];
"""


def main() -> None:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        print(
            "| what | longest task, ms | tasks above 50 ms "
            "| ms per delta, first tenth | last tenth |\n|---|---|---|---|---|"
        )
        try:
            with chat_panel_page(browser) as page:
                worst = max(stream(page, name) for name in REPLIES)
                reply = ai(REPLIES["Markdown"], id="long")
                one = at_once(page, "100 turns and such a reply", [*turns(100, MARKDOWN), reply])
                worst = max(worst, one, at_once(page, "5,000 turns", turns(5_000)))
        finally:
            browser.close()
    if worst > LONGEST_MILLISECONDS:
        sys.exit(f"A task of {worst:.0f} ms held up the page; none may be above 50 ms.")


def stream(page: ChatPanelPage, name: str) -> float:
    page.run("document.querySelectorAll('.chatnb-panel').forEach((each) => each.remove())")
    page.open([*turns(50), human(id="h"), ai("", status="streaming")], running=True)
    highlighter = (STATIC / "highlighter.js").read_text(encoding="utf-8")
    page.run("model.message({ type: 'highlighter', source: given })", highlighter)
    page.page.wait_for_timeout(200)
    page.run(OBSERVE)
    first, last = page.run(STREAM, REPLIES[name])
    return report(page, f"{name}, streamed", f"{first:.2f}", f"{last:.2f}")


def at_once(page: ChatPanelPage, what: str, items: list[Any]) -> float:
    page.run("document.querySelectorAll('.chatnb-panel').forEach((each) => each.remove())")
    page.run("window.given = given", items)
    page.page.wait_for_timeout(300)
    page.run(OBSERVE)
    page.run("await openPanel(window.given, {})")
    page.page.wait_for_timeout(5000)
    return report(page, f"{what}, opened", "", "")


def report(page: ChatPanelPage, what: str, first: str, last: str) -> float:
    """Print a row, and give the longest task; the timeline is silent about short ones."""
    page.page.wait_for_timeout(300)
    tasks = page.run("return tasks.splice(0)")
    longest = f"{max(tasks):.0f}" if tasks else "below 50"
    print(f"| {what} | {longest} | {len(tasks)} | {first} | {last} |", flush=True)
    return max(tasks, default=0.0)


if __name__ == "__main__":
    main()
