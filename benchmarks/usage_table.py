"""The time until a table of 10,000 calls is on the page: `make bench`.

From the moment at which the browser has the table to the end of the frame that shows its first
rows: on a new page, each time; then what it takes to sort and to filter it.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from chatnb import UsageTable
from chatnb.notebook.usage_table.widget import TableState, table_state
from tests.browser.usage_table_page import usage_table_page
from tests.support.chromium import launch
from tests.support.model_calls import made_up

CALLS = 10_000
TRIES = 9
LONGEST_MILLISECONDS = 100

FRAME = "await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));"
OPEN = f"""
document.body.innerHTML = '<div data-chatnb-mount="here"></div>';
{FRAME}
const began = performance.now();
await openTable(window.given);
{FRAME}
return performance.now() - began;
"""
SORT = f"""
const began = performance.now();
document.querySelectorAll(".chatnb-usage-sort")[6].click();
{FRAME}
return performance.now() - began;
"""
FILTER = f"""
const search = document.querySelector(".chatnb-usage-search");
search.value = search.value ? "" : "notebook";
const began = performance.now();
search.dispatchEvent(new Event("input"));
{FRAME}
return performance.now() - began;
"""


def main() -> None:
    calls = made_up(CALLS, gaps=True)
    began = time.perf_counter()
    UsageTable(calls)._repr_mimebundle_()
    wire = table_state(calls)
    folded = (time.perf_counter() - began) * 1000
    size = len(json.dumps(wire))
    print(f"{CALLS:,} calls: {size:,} bytes, {folded:.0f} ms in Python, prices included\n")
    print("| what | median, ms | worst, ms |\n|---|---|---|")
    with sync_playwright() as playwright:
        browser = launch(playwright)
        try:
            first = [opened(browser, wire) for _ in range(TRIES)]
            report("first paint", first)
            with usage_table_page(browser) as page:
                page.run("window.given = given", wire)
                page.run(OPEN)
                report("sorted by a click", [page.run(SORT) for _ in range(TRIES)])
                report("filtered by a word", [page.run(FILTER) for _ in range(TRIES)])
        finally:
            browser.close()
    if statistics.median(first) > LONGEST_MILLISECONDS:
        sys.exit(f"The first paint may take {LONGEST_MILLISECONDS} ms.")


def opened(browser: Browser, wire: TableState) -> float:
    """Measure how long a new page takes to show the table."""
    with usage_table_page(browser) as page:
        page.run("window.given = given", wire)
        return page.run(OPEN)


def report(what: str, took: list[float]) -> None:
    print(f"| {what} | {statistics.median(took):.0f} | {max(took):.0f} |")


if __name__ == "__main__":
    main()
