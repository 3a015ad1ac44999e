"""The Stop button in a real JupyterLab, on kernels that hear nothing while a cell runs."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.kernel.versions import OLDER, install
from tests.lab.jupyterlab import OUTPUT, REPLY, JupyterLab

pytestmark = pytest.mark.lab


@pytest.mark.thorough
@pytest.mark.parametrize("version", OLDER)
def test_the_button_stops_a_kernel_that_cannot_hear_it(
    version: str, lab: JupyterLab, browser: Browser
) -> None:
    """There the button has the browser interrupt the kernel: a long reply stops, the partial
    stays, and the next cell works."""
    install(version, lab.overlay(version))
    setup = (
        "%load_ext chatnb\nimport ipykernel\n"
        "from chatnb.chat_models import ScriptedChatModel\n"
        "long = ScriptedChatModel(['word ' * 5000], delay=0.02)\n"
        "print(ipykernel.__version__)"
    )
    cells = (setup, "%%chat -m long\nGo on.", "%%chat -m scripted:Fine.\nHi")
    path = lab.write(f"stop-{version}.ipynb", *cells, kernel=version)
    with lab.open(browser, path) as notebook:
        expect(notebook.run(0).locator(OUTPUT)).to_contain_text(version)
        cell = notebook.start(1)
        expect(cell.locator(f"{REPLY} .chatnb-text")).to_contain_text("word word word")
        cell.get_by_role("button", name="Stop the reply").click()
        notebook.wait_until_done(cell)
        expect(cell.locator(OUTPUT).nth(0)).to_contain_text("word word word")
        expect(cell.locator(OUTPUT).nth(1)).to_contain_text("Stopped · scripted")
        expect(notebook.run(2).locator(OUTPUT).first).to_have_text("Fine.")
