"""The Chromium that tests and screenshots drive, and what keeps it off the network."""

from __future__ import annotations

from playwright.sync_api import Browser, Playwright

from tests.support.install_browser import find_browser

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=find_browser(), args=ARGUMENTS)
