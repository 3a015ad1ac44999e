"""The Chromium that the browser tests drive: find one, or install one.

`python tests/support/install_browser.py` prints its path. CHATNB_BROWSER names one outright.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

# A page of the shell opens in a third of the time: it draws no window.
PACKAGES = ("chromium-headless-shell", "chromium")
NAMES = (*PACKAGES, "chromium-browser", "google-chrome", "google-chrome-stable")
APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


def find_browser() -> str | None:
    """Find a Chromium: the one that is named, the system's, or the one Playwright installed."""
    named = os.environ.get("CHATNB_BROWSER")
    if named:
        return shutil.which(named)
    for candidate in (*NAMES, *APPLICATIONS):
        if found := shutil.which(candidate):
            return found
    return _installed_by_playwright()


def _installed_by_playwright() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


def install_browser() -> None:
    """Install a Chromium: Debian's where that is possible, else Playwright's."""
    if _is_root() and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update"], check=True)
        # Not every Debian has the shell, and Ubuntu's chromium is empty and stands for a snap.
        if any(_install_package(package) and find_browser() for package in PACKAGES):
            return
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


def _install_package(package: str) -> bool:
    installed = subprocess.run(
        ["apt-get", "install", "--yes", "--no-install-recommends", package],
        check=False,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    return installed.returncode == 0


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def main() -> int:
    if find_browser() is None:
        install_browser()
    browser = find_browser()
    if browser is None:
        print("No Chromium was found, and none could be installed.", file=sys.stderr)
        return 1
    print(f"Browser: {browser}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
