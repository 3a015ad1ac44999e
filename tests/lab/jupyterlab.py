"""A real JupyterLab, and a page of it in Chromium."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from playwright.sync_api import Browser, Locator, Page

from tests.support.forked_kernels import NAME as FORKED
from tests.support.forked_kernels import shared_kernels

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
REPLY = ".chatnb-reply"
OUTPUT = ".jp-OutputArea-output"
LOADING = 180_000
"""Milliseconds that JupyterLab may take to load, on a machine that stalls."""

_READY = """() => {
    const panel = window.jupyterapp?.shell.currentWidget;
    const kernel = panel?.sessionContext?.session?.kernel;
    return panel?.sessionContext.isReady && kernel?.connectionStatus === "connected"
        && kernel.status === "idle";
}"""


# The server answers that a folder does not exist if one of its files goes while it lists them, and
# JupyterLab then shows a dialog over the page.
_SHORT_LIVED = ("*.db-*", "gate", "enough", "*.enough", "end")

# Loading JupyterLab takes seconds, and opening another notebook in it a fraction of one. What the
# earlier notebooks left is closed afterwards: an empty JupyterLab would open its launcher.
_OPEN_ANOTHER = """async path => {
    const app = window.jupyterapp;
    const opened = await app.commands.execute("docmanager:open", {path});
    await opened.context.ready;
    for (const widget of [...app.shell.widgets("main")]) {
        if (widget === opened) continue;
        await widget.sessionContext?.shutdown();
        widget.dispose();
    }
    app.shell.activateById(opened.id);
}"""


class JupyterLab:
    """JupyterLab in a process of its own, on a folder, with settings of its own.

    Args:
        folder: Where its notebooks and settings go.
        kernels: Versions of ipykernel to offer as kernels, to be installed into their `overlay`.
    """

    _module, _app = "jupyterlab", "LabApp"
    _can_open_another = True

    def __init__(self, folder: Path, kernels: Iterable[str] = ()) -> None:
        self.folder = folder
        self._page: Page | None = None
        self._options: dict[str, Any] = {}
        self._shown: dict[Path, str] = {}  # The settings that the page was loaded with.
        self._address = f"http://127.0.0.1:{_free_port()}"
        own = ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
        settings = {name: str(folder / ".jupyter" / name) for name in own}
        self._settings = Path(settings["JUPYTERLAB_SETTINGS_DIR"])
        settings["JUPYTER_PATH"] = os.pathsep.join([str(folder / ".jupyter"), shared_kernels()])
        for version in kernels:
            self._offer(version)
        self._log = (folder / "jupyterlab.log").open("wb")
        self._process = subprocess.Popen(
            self._command(),
            env={"CHATNB_STORE": ":memory:", "CHATNB_WARM_UP": "0", **os.environ, **settings},
            stdout=self._log,
            stderr=self._log,
        )
        self._wait_until_it_answers()

    def overlay(self, version: str) -> Path:
        """The folder with an ipykernel of that version, to be found before the installed one."""
        return self.folder / ".jupyter" / f"ipykernel-{version}"

    def _offer(self, version: str) -> None:
        spec = {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": f"ipykernel {version}",
            "language": "python",
            "env": {"PYTHONPATH": str(self.overlay(version))},
        }
        folder = self.folder / ".jupyter" / "kernels" / version
        folder.mkdir(parents=True)
        (folder / "kernel.json").write_text(json.dumps(spec))

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
        given += [f"--ContentsManager.hide_globs={pattern}" for pattern in _SHORT_LIVED]
        return [sys.executable, "-m", self._module, "--allow-root", *given]

    def _page_of(self, notebook: Path) -> str:
        return f"{self._address}/lab/workspaces/{uuid4().hex}/tree/{notebook.name}"

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 180
        while True:
            try:
                urllib.request.urlopen(f"{self._address}/api", timeout=30).close()
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

    def write(self, name: str, *sources: str, kernel: str = FORKED) -> Path:
        """Write a notebook with these code cells.

        Args:
            name: The name of its file.
            sources: The code of its cells.
            kernel: The name of its kernel, by default one that starts in no time.

        Raises:
            FileExistsError: If another test wrote one of that name, whose kernel may still run.
        """
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
        spec = {"name": kernel, "display_name": kernel, "language": "python"}
        notebook = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": spec},
            "cells": cells,
        }
        target = self.folder / name
        with target.open("x", encoding="utf-8") as file:
            json.dump(notebook, file)
        return target

    @contextmanager
    def open(
        self,
        browser: Browser,
        notebook: Path,
        *,
        theme: str = "JupyterLab Light",
        fresh: bool = False,
        **context: Any,
    ) -> Iterator[NotebookPage]:
        """A page with the notebook open and its kernel idle.

        Args:
            browser: The browser.
            notebook: The notebook.
            theme: JupyterLab's theme.
            fresh: Load JupyterLab again, instead of using the page of the test before.
            **context: Options of the browser's context.
        """
        self.set("@jupyterlab/apputils-extension", "themes", {"theme": theme})
        self.set("@jupyterlab/apputils-extension", "notification", {"fetchNews": "false"})
        page = self._page_with(browser, {"viewport": {"width": 1200, "height": 900}, **context})
        try:
            if self._can_open_another and not fresh and self._shown == self._all_settings():
                page.evaluate(_OPEN_ANOTHER, notebook.name)
            else:
                page.goto(self._page_of(notebook), timeout=LOADING)
                self._shown = self._all_settings()
            opened = NotebookPage(page, notebook)
            opened.wait_until_idle()
            yield opened
            if opened.was_reloaded:  # JupyterLab opens what was open before, at some later time.
                self._shown = {}
        except BaseException:
            self._close_page()
            raise

    def _page_with(self, browser: Browser, options: dict[str, Any]) -> Page:
        """Return the page of the test before, if its options are the same, else a blank one."""
        # A page of the same context has most of JupyterLab in its cache, already compiled.
        if self._page is None or self._options != options:
            self._close_page()
            self._options, self._page = options, browser.new_context(**options).new_page()
        return self._page

    def _close_page(self) -> None:
        if self._page is not None:
            self._page.context.close()
        self._page, self._shown = None, {}

    def _all_settings(self) -> dict[Path, str]:
        files = self._settings.rglob("*.jupyterlab-settings")
        return {file: file.read_text(encoding="utf-8") for file in files}

    def set(self, extension: str, plugin: str, values: dict[str, Any]) -> None:
        """Change settings, for pages that are opened afterwards."""
        folder = self._settings / extension
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{plugin}.jupyterlab-settings").write_text(json.dumps(values))

    def close(self) -> None:
        self._close_page()
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:  # It waits for each of its kernels in turn.
            self._process.kill()
            self._process.wait()
        self._log.close()


class Notebook7(JupyterLab):
    """Jupyter Notebook in a process of its own, which is made of the same parts."""

    _module, _app = "notebook", "JupyterNotebookApp"
    _can_open_another = False  # Its pages hold one notebook each.

    def _page_of(self, notebook: Path) -> str:
        return f"{self._address}/notebooks/{notebook.name}"


class NotebookPage:
    """A notebook that is open in JupyterLab, or in Notebook 7."""

    def __init__(self, page: Page, path: Path) -> None:
        self.page = page
        self.was_reloaded = False
        self._path = path

    def wait_until_idle(self) -> None:
        """Wait for the kernel to have nothing to do."""
        self.page.wait_for_function(_READY, timeout=LOADING)

    def reload(self) -> None:
        """Load the page again, and wait for the kernel."""
        self.was_reloaded = True
        self.page.reload(timeout=LOADING)
        self.wait_until_idle()
        # Until then it may open its notebook over that of the next test.
        self.page.evaluate("() => window.jupyterapp.restored")

    def cell(self, number: int) -> Locator:
        """The code cell of that number, from 0, also when it is scrolled away."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell").nth(number)

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
        # Ctrl+S does nothing while an earlier one makes its checkpoint, of which no page tells.
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.context.save()")
        return json.loads(self._path.read_text(encoding="utf-8"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
