"""A real JupyterLab, and a page of it in Chromium."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from playwright.sync_api import Browser, Locator, Page

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
REPLY = ".chatnb-reply"
OUTPUT = ".jp-OutputArea-output"

_READY = """() => {
    const panel = window.jupyterapp?.shell.currentWidget;
    const kernel = panel?.sessionContext?.session?.kernel;
    return panel?.sessionContext.isReady && kernel?.connectionStatus === "connected"
        && kernel.status === "idle";
}"""


class JupyterLab:
    """JupyterLab in a process of its own, on a folder, with settings of its own.

    Args:
        folder: Where its notebooks and settings go.
        environment: Variables for it and its kernels.
    """

    _module, _app = "jupyterlab", "LabApp"

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self._address = f"http://127.0.0.1:{_free_port()}"
        own = ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
        settings = {name: str(folder / ".jupyter" / name) for name in own}
        self._settings = Path(settings["JUPYTERLAB_SETTINGS_DIR"])
        self._log = (folder / "jupyterlab.log").open("wb")
        self._process = subprocess.Popen(
            self._command(),
            env={"CHATNB_STORE": ":memory:", **os.environ, **settings, **(environment or {})},
            stdout=self._log,
            stderr=self._log,
        )
        self._wait_until_it_answers()

    def _command(self) -> list[str]:
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": self._address.rpartition(":")[2],
            "ServerApp.root_dir": str(self.folder),
            "ServerApp.open_browser": "False",
            "IdentityProvider.token": "",
            "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            "LabApp.news_url": "None",
            f"{self._app}.expose_app_in_browser": "True",
        }
        given = [f"--{name}={value}" for name, value in options.items()]
        return [sys.executable, "-m", self._module, "--allow-root", *given]

    def _page_of(self, notebook: Path) -> str:
        return f"{self._address}/lab/workspaces/{uuid4().hex}/tree/{notebook.name}"

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{self._address}/api", timeout=5).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "jupyterlab.log").read_text()) from None
                time.sleep(0.1)

    def copy(self, name: str) -> Path:
        """Put a copy of one of our notebooks, without its outputs, into the folder."""
        notebook = json.loads((NOTEBOOKS / name).read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
        target = self.folder / name
        target.write_text(json.dumps(notebook), encoding="utf-8")
        return target

    def write(self, name: str, *sources: str) -> Path:
        """Write a notebook with these code cells."""
        cells = [
            {
                "cell_type": "code",
                "id": f"cell-{i}",
                "source": source,
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for i, source in enumerate(sources)
        ]
        kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
        notebook = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": kernel},
            "cells": cells,
        }
        target = self.folder / name
        target.write_text(json.dumps(notebook), encoding="utf-8")
        return target

    @contextmanager
    def open(
        self, browser: Browser, notebook: Path, *, theme: str = "JupyterLab Light", **context: Any
    ) -> Iterator[NotebookPage]:
        """A page with the notebook open and its kernel idle."""
        self.set("@jupyterlab/apputils-extension", "themes", {"theme": theme})
        self.set("@jupyterlab/apputils-extension", "notification", {"fetchNews": "false"})
        with browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **context}) as made:
            page = made.new_page()
            page.goto(self._page_of(notebook))
            opened = NotebookPage(page, notebook)
            opened.wait_until_idle()
            yield opened

    def set(self, extension: str, plugin: str, values: dict[str, Any]) -> None:
        """Change settings, for pages that are opened afterwards."""
        folder = self._settings / extension
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{plugin}.jupyterlab-settings").write_text(json.dumps(values))

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._log.close()


class Notebook7(JupyterLab):
    """Jupyter Notebook in a process of its own, which is made of the same parts."""

    _module, _app = "notebook", "JupyterNotebookApp"

    def _page_of(self, notebook: Path) -> str:
        return f"{self._address}/notebooks/{notebook.name}"


class NotebookPage:
    """A notebook that is open in JupyterLab, or in Notebook 7."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self._path = path

    def wait_until_idle(self) -> None:
        """Wait for the kernel to have nothing to do."""
        self.page.wait_for_function(_READY, timeout=60_000)

    def cell(self, number: int) -> Locator:
        """The code cell of that number, from 0, also when it is scrolled away."""
        return self.page.locator(".jp-CodeCell").nth(number)

    def start(self, number: int) -> Locator:
        """Run a cell and do not wait for it."""
        cell = self.cell(number)
        cell.scroll_into_view_if_needed()
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        return cell

    def run(self, number: int) -> Locator:
        """Run a cell to its end."""
        cell = self.start(number)
        self.wait_until_done(cell)
        return cell

    def wait_until_done(self, cell: Locator) -> None:
        """Wait for a cell to have run: its prompt shows a number."""
        self.page.wait_for_function(
            "cell => /\\[\\d+\\]/.test(cell.querySelector('.jp-InputPrompt').textContent)",
            arg=cell.element_handle(),
            timeout=180_000,
        )

    def run_command(self, command: str) -> None:
        """Run one of JupyterLab's commands."""
        self.page.evaluate("command => window.jupyterapp.commands.execute(command)", command)

    def restart(self) -> None:
        """Restart the kernel, which forgets everything."""
        session = "window.jupyterapp.shell.currentWidget.sessionContext.session"
        self.page.evaluate(f"() => {session}.kernel.restart()")
        self.wait_until_idle()

    def saved(self) -> dict[str, Any]:
        """Save, and read the file on disk."""
        before = self._path.stat().st_mtime_ns
        self.page.keyboard.press("Control+s")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            self.page.wait_for_timeout(50)
            written = self._path.read_text(encoding="utf-8")
            # JupyterLab empties the file before it writes it anew.
            if self._path.stat().st_mtime_ns != before and written.rstrip().endswith("}"):
                return json.loads(written)
        raise TimeoutError("JupyterLab did not save the notebook")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
