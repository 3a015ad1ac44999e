"""A %%chat cell in a real JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.lab.jupyterlab import OUTPUT, REPLY, JupyterLab

pytestmark = pytest.mark.lab

SETUP = "%load_ext chatnb\nfrom chatnb.chat_models import ScriptedChatModel"
HOSTILE = r"""
Before <script>window.pwned = 1</script> <img src=x onerror="window.pwned = 2"> after.

![remote](https://tracker.test/pixel.png) ![ref][r] <svg onload="window.pwned = 3"></svg>

[a](javascript:window.pwned=4) [b](java&#115;cript:window.pwned=5)
[c](vbscript:x) [d](data:text/html,x)

<iframe srcdoc="<script>parent.pwned = 6</script>"></iframe> <style>body { display: none }</style>

`<img src=x onerror=window.pwned=7>` and $\href{javascript:window.pwned=8}{math}$

```html
<script>window.pwned = 9</script>
<img src="https://tracker.test/second.png" onerror="window.pwned = 10">
```

- item

  ```
  <img src=x onerror="window.pwned = 11">
  ```

[r]: https://tracker.test/third.png

```python
unclosed = "<img src=x onerror='window.pwned = 12'>"
"""
WORDS = [
    "Before",
    "after",
    "remote",
    "item",
    "unclosed",
    "srcdoc",
    "second.png",
    "third.png",
    "pwned",
]


def test_hostile_markdown_does_nothing_while_it_streams_and_when_it_is_done(
    lab: JupyterLab, browser: Browser
) -> None:
    """JupyterLab trusts what a cell that was run shows, and would run a script in it: a model's
    text runs nothing, fetches nothing and loses no words, in the live view and as it stays."""
    setup = f"{SETUP}\nodd = ScriptedChatModel([{HOSTILE!r}], delay=0.002)"
    path = lab.write("hostile.ipynb", setup, "%%chat -m odd\nHi")
    with lab.open(browser, path) as notebook:
        asked_for = list[str]()
        notebook.run(0)
        notebook.page.on("request", lambda request: asked_for.append(request.url))
        cell = notebook.run(1)
        notebook.page.wait_for_function(
            "() => document.querySelectorAll('mjx-container').length > 0"
        )
        shown = cell.locator(OUTPUT).first
        assert notebook.page.evaluate("window.pwned") is None
        assert [url for url in asked_for if "tracker.test" in url or url.endswith("/x")] == []
        active = "script, img, svg, iframe, style, object, embed, form"
        assert shown.locator(active).count() == 0
        for link in shown.locator("a[href]").all():
            assert (link.get_attribute("href") or "").startswith(("https://", "#"))
        text = shown.inner_text() + " ".join(
            link.get_attribute("href") or "" for link in shown.locator("a[href]").all()
        )
        assert [word for word in WORDS if word not in text] == []


def test_a_failed_cell_says_why_in_one_line(lab: JupyterLab, browser: Browser) -> None:
    """The partial reply stays, and one readable line stands under it."""
    setup = (
        f"{SETUP}\nfrom chatnb.errors import ServerError\n"
        "error = ServerError('Overloaded.', hint='Try again.')\n"
        "breaks = ScriptedChatModel([['Half a reply', error]])"
    )
    path = lab.write("failed.ipynb", setup, "%%chat -m breaks\nHi")
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        cell = notebook.run(1)
        outputs = cell.locator(OUTPUT)
        expect(outputs.nth(0)).to_have_text("Half a reply")
        expect(outputs.nth(1)).to_contain_text("Broke off · scripted")
        expect(outputs.nth(2)).to_have_text("ServerError: Overloaded. Try again.")


def test_code_is_highlighted_while_the_reply_streams(lab: JupyterLab, browser: Browser) -> None:
    """A block gets its colours when it closes, with the reply still streaming."""
    reply = "```python\ndef f(x):\n    return x\n```\n\n" + "More words follow. " * 60
    setup = f"{SETUP}\ncoder = ScriptedChatModel([{reply!r}], delay=0.02)"
    path = lab.write("code.ipynb", setup, "%%chat -m coder\nHi")
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        cell = notebook.start(1)
        cell.locator(f"{REPLY} .chatnb-hl-keyword").first.wait_for(timeout=10_000)
        assert cell.locator(REPLY).get_attribute("data-phase") == "streaming"
        cell.get_by_role("button", name="Stop the reply").click()
        notebook.wait_until_done(cell)
