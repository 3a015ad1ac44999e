"""A %%chat cell in a real JupyterLab."""

from __future__ import annotations

from itertools import pairwise

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

`<img src=x onerror=window.pwned=7>` and $x^2$ and $\href{javascript:window.pwned=8}{math}$

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
TYPESET = r"""
$\unicode[x;background:url(https://tracker.test/font)]{x41}$ and $x^2$, also written
&#36;&#92;unicode[x;background:url(https://tracker.test/entity)]{x41}&#36;

```mermaid
sequenceDiagram
  participant A
  properties A: {"icon": "https:tracker.test/icon"}
```

```mermaid
graph TD
  A[Drawn] --> B
```
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


@pytest.mark.thorough
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
        active = ":is(script, img, svg, iframe, style, object, embed, form)"
        assert shown.locator(f"{active}:not(.chatnb-actions *)").count() == 0
        for link in shown.locator("a[href]").all():
            assert (link.get_attribute("href") or "").startswith(("https://", "#"))
        text = shown.inner_text() + " ".join(
            link.get_attribute("href") or "" for link in shown.locator("a[href]").all()
        )
        assert [word for word in WORDS if word not in text] == []


def test_formulas_and_diagrams_fetch_nothing(lab: JupyterLab, browser: Browser) -> None:
    """Formulas and diagrams that only draw are drawn, others are shown as source; in HTML, too."""
    setup = f"{SETUP}\nodd, even = (ScriptedChatModel([{TYPESET!r}]) for _ in range(2))"
    path = lab.write("typeset.ipynb", setup, "%%chat -m odd\nHi", "%%chat --compare odd,even\nHi")
    with lab.open(browser, path) as notebook:
        asked_for = list[str]()
        notebook.run(0)
        notebook.page.on("request", lambda request: asked_for.append(request.url))
        shown = notebook.run(1).locator(OUTPUT).first
        compared = notebook.run(2).locator(f"{OUTPUT} .chatnb-comparison")
        columns = compared.locator("> div:not(.chatnb-reply)")
        expect(columns).to_have_count(2)
        for column in columns.all():
            expect(column.locator("mjx-container").first).to_be_visible()
            expect(column).to_contain_text("unicode[x;background")
        expect(shown.locator(".jp-RenderedMermaid img")).to_have_count(1)
        expect(shown.locator("mjx-container").first).to_be_visible()
        expect(shown).to_contain_text("unicode[x;background")
        expect(shown).to_contain_text("properties A")
        assert [url for url in asked_for if "tracker" in url] == []


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
        cell.locator(f"{REPLY} pre code span[class]").first.wait_for()
        assert cell.locator(REPLY).get_attribute("data-phase") == "streaming"
        cell.get_by_role("button", name="Stop the reply").click()
        notebook.wait_until_done(cell)


def test_code_has_the_same_colours_live_and_finished(lab: JupyterLab, browser: Browser) -> None:
    """JupyterLab colours code whose fence names a language and says nothing else, and chatnb none
    that is so long that its colours would hold up the page."""
    fences = [
        "python",
        "Python",
        "bash",
        "c#",
        "python title='x'",
        "{python}",
        "python:x.py",
        "abc",
    ]
    blocks = [f"```{fence}\nreturn 'a' + str(1)  # b\n```\n\n" for fence in fences]
    long = "```python\n" + "return 'a' + str(1)  # b\n" * 2000 + "```\n\n"
    pieces = ["".join(blocks), long, *"The end."]
    setup = f"{SETUP}\ncoder = ScriptedChatModel([{pieces!r}], delay=0.3)"
    path = lab.write("colours.ipynb", setup, "%%chat -m coder\nHi")
    counts = "blocks => blocks.map((block) => block.querySelectorAll('span').length)"
    with lab.open(browser, path) as notebook:
        notebook.run(0)
        cell = notebook.start(1)
        expect(cell.locator(REPLY)).to_contain_text("The e")
        for number in range(4):
            expect(cell.locator(f"{REPLY} pre").nth(number).locator("span")).not_to_have_count(0)
        coloured = cell.locator(f"{REPLY} pre").evaluate_all(counts)
        notebook.wait_until_done(cell)
        expect(cell.locator(REPLY)).to_have_count(0)
        assert cell.locator(".jp-RenderedMarkdown pre").evaluate_all(counts) == coloured
        assert [count > 0 for count in coloured] == [True] * 4 + [False] * 5


@pytest.mark.thorough
def test_nothing_jumps_when_a_reply_is_finished(lab: JupyterLab, browser: Browser) -> None:
    """The first finished reply in a language, which JupyterLab draws only once it has loaded that,
    takes the place of the live one without the output ever being lower, nor the notebook moved."""
    code = "```rust\n" + "for heron in river { println!(heron); }\n" * 40 + "```\n"
    model = f"m = ScriptedChatModel([{code!r}], delay=0.005)"
    path = lab.write("swap.ipynb", f"{SETUP}\n{model}", "%%chat -m m\nHi", "1")
    with lab.open(browser, path, fresh=True) as notebook:
        notebook.run(0)
        notebook.page.evaluate(
            """() => {
                const cell = document.querySelectorAll(".jp-CodeCell")[1];
                const area = cell.querySelector(".jp-OutputArea");
                const scroller = document.querySelector(".jp-WindowedPanel-outer");
                window.frames_ = [];
                const shoot = () => {
                    frames_.push([area.offsetHeight, scroller.scrollTop]);
                    requestAnimationFrame(shoot);
                };
                shoot();
            }"""
        )
        cell = notebook.run(1)
        expect(cell.locator(".jp-RenderedMarkdown pre")).to_be_visible()
        notebook.page.wait_for_timeout(300)
        frames = notebook.page.evaluate("frames_")
        heights = [height for height, _ in frames]
        drops = [before - after for before, after in pairwise(heights) if before > 100]
        assert max(heights) > 700
        assert max(drops) <= 2
        tops = [top for _, top in frames]
        assert all(after >= before for before, after in pairwise(tops))
