"""The Stop button in a real JupyterLab, on kernels that hear nothing while a cell runs."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.kernel.versions import OLDER, install
from tests.lab.jupyterlab import OUTPUT, REPLY, JupyterLab

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("version", OLDER)
def test_the_button_stops_a_kernel_that_cannot_hear_it(
    version: str, browser: Browser, tmp_path: Path
) -> None:
    """There the button has the browser interrupt the kernel: the reply stops within a second, the
    partial stays, and the next cell works."""
    overlay = tmp_path / "overlay"
    install(version, overlay)
    lab = JupyterLab(tmp_path, {"PYTHONPATH": str(overlay)})
    setup = (
        "%load_ext chatnb\nimport ipykernel\n"
        "from chatnb.chat_models import ScriptedChatModel\n"
        "long = ScriptedChatModel(['word ' * 2000], delay=0.02)\n"
        "print(ipykernel.__version__)"
    )
    path = lab.write("stop.ipynb", setup, "%%chat -m long\nGo on.", "%%chat -m scripted:Fine.\nHi")
    try:
        with lab.open(browser, path) as notebook:
            expect(notebook.run(0).locator(OUTPUT)).to_contain_text(version)
            cell = notebook.start(1)
            expect(cell.locator(f"{REPLY} .chatnb-text")).to_contain_text("word word word")
            pressed = time.monotonic()
            cell.get_by_role("button", name="Stop the reply").click()
            notebook.wait_until_done(cell)
            assert time.monotonic() - pressed < 1
            expect(cell.locator(OUTPUT).nth(0)).to_contain_text("word word word")
            expect(cell.locator(OUTPUT).nth(1)).to_contain_text("Stopped · scripted")
            expect(notebook.run(2).locator(OUTPUT).first).to_have_text("Fine.")
    finally:
        lab.close()
