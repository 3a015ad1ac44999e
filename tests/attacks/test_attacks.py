"""Hostile texts in a trusted JupyterLab: a sample; `make soak` shows them all."""

from __future__ import annotations

from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from playwright.sync_api import Browser

from tests.attacks.attack import Attack, all_surfaces
from tests.attacks.page import trapped_page
from tests.attacks.surfaces import SURFACES, Surfaces
from tests.attacks.texts import PAYLOADS, hostile_texts
from tests.lab.jupyterlab import JupyterLab

pytestmark = pytest.mark.lab

TEXTS = 2200
SAMPLE = 10
TYPESET = "\\unicode[x;background:url(https://trap.test/1)]{x41}"
ACTOR = 'sequenceDiagram\n  participant A\n  properties A: {"icon": "https:trap.test/1"}'
# What springs each trap where nothing is made safe.
RAW = [
    ("text/markdown", "![x](https://trap.test/1)", "request"),
    ("text/markdown", f"${TYPESET}$", "request"),
    ("text/markdown", f"```mermaid\n{ACTOR}\n```", "request"),
    ("text/html", f"<p>$$&#92;{TYPESET[1:]}$$</p>", "request"),
    ("text/markdown", "[x](javascript:trap(1))", "link"),
    ("text/html", "<img src=x onerror=trap(1)>", "script"),
    ("text/html", "<p onclick=trap(1)>x</p>", "script"),
    ("text/markdown", "<img src=x onerror=alert(1)>", "dialog"),
    ("text/html", "<img src=x onerror=\"location='/trap.test/1'\">", "navigation"),
    ("text/html", "<a data-commandlinker-command='trap:run'>x</a>", "command"),
]


@pytest.mark.thorough
def test_the_traps_go_off(lab: JupyterLab, browser: Browser) -> None:
    """Raw texts of each kind spring the trap that is meant for them."""
    with trapped_page(lab, browser) as page:
        for mime, text, kind in RAW:
            assert page.springs(kind, (mime, text)), text


def test_nothing_acts(
    lab: JupyterLab, browser: Browser, bare_shell: InteractiveShell, tmp_path: Path
) -> None:
    """Of a sample of texts, none on any surface runs a script or a command, asks the network, opens
    a dialog, leaves the page, makes a link that would, or steers a terminal."""
    texts = hostile_texts(TEXTS)[:: TEXTS // SAMPLE]
    with trapped_page(lab, browser) as page:
        attack = Attack().run(page, Surfaces(bare_shell, tmp_path), texts)
    assert attack.failures == []
    assert set(attack.renderings) == set(all_surfaces())


def test_every_surface_shows_the_text(bare_shell: InteractiveShell, tmp_path: Path) -> None:
    """A harmless one, so that none of them shows an error in its place."""
    outputs = Surfaces(bare_shell, tmp_path).outputs("harmless")
    shown = {name for name, output in outputs if any("harmless" in str(v) for v in output.values())}
    assert shown == set(SURFACES)


def test_texts_are_many_and_of_all_kinds() -> None:
    """At least 2,000 differ, on at least 20 surfaces."""
    texts = hostile_texts(TEXTS)
    assert len({text.text for text in texts}) > 2000
    assert {text.kind for text in texts} == set(PAYLOADS)
    assert len(all_surfaces()) >= 20
