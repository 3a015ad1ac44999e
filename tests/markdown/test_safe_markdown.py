"""Nothing a model writes acts in a notebook, and ordinary replies are left alone."""

from __future__ import annotations

import html
import os
import random
import re
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, Page

from chatnb.markdown.rendering import closed_blocks
from chatnb.markdown.safe_markdown import safe_markdown
from tests.support.hangs import ends

JS = Path(__file__).parents[2] / "js"
MARKED = JS / "node_modules" / "marked" / "lib" / "marked.umd.js"
EXAMINER = JS / "test" / "untrusted_markdown.js"
ACTIVE = re.compile(
    "base|body|button|embed|form|frame|frameset|iframe|img|input|link|math|meta|noscript|object"
    "|option|plaintext|script|select|source|style|svg|template|textarea|title|video|xmp"
)
HARMFUL_ATTRIBUTE = re.compile(r"on[a-z]+|style|src\w*|ping|data-[\w-]+|background|action")

ORDINARY = [
    "",
    "Hello!\n",
    "# Title\n\nSome *prose*, **bold**, ~~gone~~ and `code`.\n\n---\n\n> quoted\n",
    "1. one\n2. two\n   - nested\n\n- [ ] open\n- [x] done\n",
    "| a | b |\n|---|:-:|\n| 1 < 2 | `x \\| y` |\n",
    "A [link](https://python.org/a_(b)?q=1&r=2#s), [mail](mailto:a@b.test), [file](data/x.csv), "
    '[titled](https://x.test "A title"), [part](#part), <https://x.test/a?b=c> and <me@x.test>.\n',
    "See [the docs][1] and [2].\n\n[1]: https://x.test/docs\n[2]: <https://x.test> 'T'\n",
    "Water is H<sub>2</sub>O, 10<sup>3</sup>.<br>Press <kbd>Ctrl</kbd>.\n",
    "$a<b$ and $x < y$, $p<q$:\n\n$$\n\\sum_{i<n} x_i \\href{https://x.test}{y}\n$$\n",
    "$\\begin{pmatrix}a\\\\b\\end{pmatrix} \\color{red}x \\ce{H2O}$ and C:\\Users\\name or \\d+\n",
    "It costs $5, she said \"fine\", and he paid 6 for d[0](x) and list[int]: see on = 1.\n",
    "if a < b && c > d: a<=b, a<-b, 3 <4, <3, -> and !important, wow! [ok]\n",
    "Use `List<String>`, `vector<int>`, `<T>`, `a[i](b)`, `![1]` and `std::map<int, string>`.\n",
    "```cpp\n#include <vector>\nstd::vector<std::string> v{1};\n```\n",
    "Text:\n```python\nx = d[1:]: print('a' < b)\n```\nmore text\n",
    'Page:\n\n```html\n<a href="x" onclick="y()"><img src="z"></a>\n<script>f()</script>\n```\n',
    "```jsx\nconst a = <Button onClick={() => go()}>![x](y)</Button>;\n```\n",
    "1. Do:\n\n   ```cpp\n   std::vector<int> a; foo<bar, baz>(x); m[0](y);\n   ```\n",
    '2. Run:\n   ```bash\n   curl "http://$HOST/x" -H "A: $TOKEN" > out && vec![1]\n   ```\n',
    "```mermaid\ngraph TD\n  A[Docker image] -->|yes| B((b<br/>c))\n```\n",
    "> ```rust\n> fn f<T: Into<U>>(x: Vec<u8>) -> Option<T> {}\n> ```\n",
    "An unclosed fence:\n\n```python\nprint(1)\n",
    "Emoji 🎉, Ελληνικά, 中文, \u00a0 and a [footnote][^1].\n\n[^1]: A note.\n",
]  # fmt: skip


def code(text: str) -> str:
    """Return the code element that shows a text."""
    return f"<code>{re.sub('[!-/:-@[-`{-~]', lambda found: f'&#{ord(found[0])};', text)}</code>"


HOSTILE = [
    ("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"),
    ("a \\<b onclick=x>", "a &lt;b onclick=x>"),
    ("a \\\\<b onclick=x>", "a \\\\&lt;b onclick=x>"),
    ("<!-- hidden", "&lt;!-- hidden"),
    ("<https://onclick=alert(1)//>", "&lt;https://onclick=alert(1)//>"),
    ("<javascript:alert(1)>", "&lt;javascript:alert(1)>"),
    ("![cat](https://x.test/c.png)", "[cat](https://x.test/c.png)"),
    ("![](https://x.test/c.png)", "[image](https://x.test/c.png)"),
    ("\\![cat](c.png)", "&#33;[cat](c.png)"),
    ("[a](javascript:x)", "[a]&#40;javascript:x)"),
    ("> > [a](\n>   javascript:x)", "> > [a]&#40;\n>   javascript:x)"),
    ("> [a]:\n> <javascript:x>", "> [a]&#58;\n> &lt;javascript:x>"),
    ("[a](JaVa&Tab;Script&colon;x)", "[a]&#40;JaVa&Tab;Script&colon;x)"),
    ("[a](\n&#0000000106;avascript:x)", "[a]&#40;\n&#0000000106;avascript:x)"),
    ("[a](java\\script\\:x)", "[a]&#40;java\\script\\:x)"),
    ("[a](<data:text/html,x>)", "[a]&#40;&lt;data:text/html,x>)"),
    ("[a]: vbscript:x", "[a]&#58; vbscript:x"),
    ("`<script>`", "<code>&#60;script&#62;</code>"),
    ("    <script>", "    <\u2060script>"),
    ("$a<b onclick=1$", "$a< b onclick=1$"),
    ("$\\href{javascript:x}{y}$", code("$\\href{javascript:x}{y}$")),
    ("$x$ $\\unicode[a;b:url(c)]{x}$", "$x$ " + code("$\\unicode[a;b:url(c)]{x}$")),
    ("$$a<b\n\\let\\x=y$$", code("$$a<b \\let\\x=y$$")),
    ("$\\color{red;a:url(b)}{x}$", code("$\\color{red;a:url(b)}{x}$")),
    ("$\\begin{x}\\end{x}$", code("$\\begin{x}\\end{x}$")),
    ("&#92;(\\unicode[x]{y}&#92;)", "&#92;(\\\u2060unicode[x]{y}&#92;)"),
    ("\\\\&lpar;\\unicode[x]{y}\\\\&#x29;", "\\\\&lpar;\\\u2060unicode[x]{y}\\\\&#x29;"),
    (
        "&bsol;b&#101;gin{CD}\\let\\x &bsol;end{CD}",
        "&bsol;b&#101;gin{CD}\\\u2060let\\\u2060x &bsol;end{CD}",
    ),
    ("&#36;&bsol;unicode[x]{y}&#36;", "&#36;&bsol;\u2060unicode[x]{y}&#36;"),
    ("$a &#92;&#117;nicode[x]{y}$", code("$a &#92;&#117;nicode[x]{y}$")),
    (
        "$5 &#92;&#117;nicode[x]{y} $6",
        "<span>\\$</span>5 &#92;\u2060&#117;nicode[x]{y} <span>\\$</span>6",
    ),
    ("$\n\n\\uni&#99;ode $", "$\n\n\\\u2060uni&#99;ode $"),
    ("$ \\( \\\\unicode[x]{y} \\) $", code("$ \\( \\\\unicode[x]{y} \\) $")),
    (
        "$\n~~~\n\\let\\x \\d\n~~~\n$",
        "<span>\\$</span>\n~~~\n\\\u2060let\\x \\d\n~~~\n<span>\\$</span>",
    ),
    ("$\n\n\\\\unicode[x]{y} $", "$\n\n\\\\\u2060unicode[x]{y} $"),
    ("```html\n<script>", "```html\n<script>\n```"),
    ("a\n```\n<img src=x>\n```\nb", "a\n\n```\n<img src=x>\n```\n\nb"),
    ('```"onclick="x\ny\n```', "```'onclick='x\ny\n```"),
    ('- [ ] ```"onclick="x', "- [ ] ```'onclick='x"),
    ("[x\n\n```\n]: y\n<img src=x>\n```", "[x\n\n```\n]: y\n<\u2060img src=x>\n```"),
    ('http://a/$"onclick=x$', 'http://a/$"onclick\u2060=x$'),
    ("[![a](https://b.test/~c)](/d) [![](e)][f]", "[a](/d) [image][f]"),
    ("ftp://a.test", "ftp&#58;//a.test"),
    ("```mermaid\nA@{ img: 'x.png' }\n```", "```text mermaid\nA@{ img: 'x.png' }\n```"),
    ("a\0b\r\nc", "a\ufffdb\nc"),
]

FRAGMENTS = [
    "<script>{w}</script>", "<img src=x onerror={w}>", "<svg onload={w}>",
    "<a href=javascript:{w}>", "<iframe srcdoc='{w}'>", "<style>{w}", "<!-- {w} -->", "<!-- {w}",
    "<?php {w} ?>", "<br>", "<![CDATA[{w}]]>", "<!DOCTYPE {w}>", "</textarea>", "<pre>", "<sub>",
    "<code>", "</code>", "<b {w}", "<b\n", "<div\n{w}", "<vector<int>>", "<int, string>",
    "<std::string>", "<b", "< b", "\\<b onclick=1>", "\\\\\\<img src=x>", "[{w}](javascript:x)",
    "[{w}](java&Tab;script:x)", "[{w}](javascript&colon;x)", "[{w}](&#106;avascript:x)",
    "[{w}](java\\script:x)", "[{w}](<javascript:x>)", "[{w}](\njavascript:x)",
    "> [{w}](\n>   javascript:x)", "> - [{w}](\n>   data:x\t)", "> > [{w}](\n> <javascript:x>)",
    "> [{w}]:\n> javascript:x\n\n[{w}]", "> [foo]:\n>   data:x", "> [{w}](\n> rel/{w})",
    "[{w}](data:text/html,x)", "[{w}](rel/{w})", "[{w}](%6aavascript:x)",
    "[{w}](https://a.test \"{w}\")", "[{w}]: javascript:x", "[foo]:\n", "[foo]: /u \"{w}",
    "[foo\nbar]: data:x", "[foo]", "[{w}][foo]", "![foo]", "![][foo]", "[x", "![{w}](x.png)",
    "![](x.png)", "\\![{w}](x.png)", "!![{w}](x.png)", "![[a]](x.png)", "![`a`](x)",
    "[![{w}](x.png)](https://a.test)", "<javascript:x>", "<https://a.test/{w}>", "<data:x>",
    "<https://onclick=x//>", "http://a.test/{w}", "www.a.test/$\"onclick=x//$", "@@0@@", "@@1",
    "[{w}](http://a/$\"onclick=x//$)", "[{w}](http://a \"$\" onclick=x a=$\")", "$\" onclick=x $",
    "[{w}](http://a/@\\@0@@)", "http://a/\\\\(\"onclick=a\\\\)", "\\begin{a}", "\\end{a}",
    "onclick=x", "[{w}](http://a/$\"$/onclick\\=x)", "\"", "'", "&lt;script&gt;", "&lt", "=", ">",
    "$", "$$", "\\$", "$\\href{javascript:x}{{w}}$", "$a<b$", "$a<script$", "\\\\(", "\\\\)", "\\[",
    "\\]", "{", "}", "$\\unicode[{w}]{x}$", "\\unicode[{w}]{x}", "\\\\unicode[{w}]{x}",
    "&#92;&#117;nicode[{w}]", "&#36;", "$$\\let\\x=y$$", "<code>\\unicode[{w}]</code>",
    "```html\n<script>{w}</script>\n```", "```\"onclick=x a=\"\n{w}\n```",
    "~~~\"><img src=x>\n", "\n\n```html\n]: y\n<img src=x>\n```\n\n",
    "\n\n```html\n<img src=x onerror={w}>\n```\n\n", "```a$\" onclick=x $\n",
    "`<script>{w}</script>`", "`` <img src={w}> ``", "`", "``", "```", "~~~", "````",
    "`[a](javascript:{w})`", "```x`y", "`a\n<img src=x>\nb`", "|", "|---|", "---", "===", "#",
    "| `a | <img src=x> | b` |\n", "    <script>{w}</script>", "- ", "1. ", "> ", "- [x] ", "**",
    "*", "_", "~", "\\", "\\\n", "[", "]", "(", ")", "](", "]:", "!", "![", ":", "javascript:",
    "\u2028", "\xa0", "\x0c", "\x00", "\r", "\u2060", "\ufeff", "\x01", "{w}", "{w} {w}",
    "[^1]: {w}",
]  # fmt: skip
BREAKS = ["\n"] * 10 + ["\n\n"] * 10 + [" "] * 6 + [""] * 8 + [
    "\n- ", "\n1. ", "\n> ", "\n    ", "\n  ", "\n\t", "\n\n- ", "\n\n   ", "\n\n    ", "\n```\n",
    "\n```html\n", "\n\n```\n", "\n   ```\n", "\n~~~\n", "  \n", "\n>\n", "\n\u2028\n", "\n \n",
]  # fmt: skip


def random_documents(seed: int, count: int) -> Iterator[str]:
    rng = random.Random(seed)
    for _ in range(count):
        wide = rng.random() < 0.5
        fragments = FRAGMENTS if wide else rng.sample(FRAGMENTS, rng.choice([3, 5, 8, 12]))
        breaks = BREAKS if rng.random() < 0.5 else rng.sample(BREAKS, 5)
        pieces = [rng.choice(fragments) + rng.choice(breaks) for _ in range(rng.choice([2, 4, 9]))]
        numbers = iter(range(999))
        yield re.sub(r"\{w\}", lambda _, numbers=numbers: f"qz{next(numbers)}z", "".join(pieces))


class Examiner(HTMLParser):
    """Collects what could act."""

    def __init__(self) -> None:
        super().__init__()
        self.dangers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if ACTIVE.fullmatch(tag):
            self.dangers.append(tag)
        for name, value in attrs:
            if value and HARMFUL_ATTRIBUTE.fullmatch(name):
                self.dangers.append(f"{name}={value}")
            if name == "href" and urlsplit(value or "").scheme not in (
                "",
                "http",
                "https",
                "mailto",
            ):
                self.dangers.append(f"{name}={value}")


@pytest.fixture(scope="module")
def examiner(browser: Browser) -> Iterator[Page]:
    """A page with marked and the examiner in it."""
    is_required = os.environ.get("CI", "").lower() == "true"
    if not MARKED.is_file():
        reason = f"marked is not installed: run `npm ci` in {JS.name}/."
        pytest.fail(reason) if is_required else pytest.skip(reason)
    page = browser.new_page()
    page.set_content("<p></p>")
    for script in (MARKED, EXAMINER):
        page.add_script_tag(path=script)
    yield page
    page.close()


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_replies_come_back_as_they_are(text: str) -> None:
    """Prose, lists, tables, code, links and formulas are not touched."""
    assert safe_markdown(text) == text


@pytest.mark.parametrize(
    ("length", "shown"), [(39_000, "```python\n"), (41_000, "```python long\n")]
)
def test_the_fence_of_long_code_turns_off_its_colours(length: int, shown: str) -> None:
    """JupyterLab would hold up the page; the text of a fence within another one stays."""
    text = f"```python\n{'x = 1 ' * (length // 6)}\n```\n"
    assert safe_markdown(text).startswith(shown)
    assert safe_markdown(str(safe_markdown(text))) == safe_markdown(text)
    nested = f"````markdown\n{text}````\n"
    assert safe_markdown(nested) == nested


@pytest.mark.parametrize(("text", "safe"), HOSTILE)
def test_hostile_text_is_broken_where_it_stands(text: str, safe: str) -> None:
    """Each way to act has its own small edit, and the edit is final."""
    assert safe_markdown(text) == safe
    assert safe_markdown(safe) == safe


def test_no_word_is_lost_from_the_source() -> None:
    """Every word of the reply is still in the Markdown."""
    for text in random_documents(seed=1, count=1500):
        safe = html.unescape(safe_markdown(text)).replace("\u2060", "")
        assert set(re.findall(r"qz\d+z", text)) <= set(re.findall(r"qz\d+z", safe)), repr(text)


@pytest.mark.slow
def test_nothing_acts_in_markdown_it() -> None:
    """With raw HTML let through, random hostile documents render to nothing that could act."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for text in random_documents(seed=2, count=1500):
        examiner = Examiner()
        examiner.feed(parser.render(safe_markdown(text)))
        assert not examiner.dangers, repr(text)


@pytest.mark.browser
@pytest.mark.slow
def test_nothing_acts_and_no_word_is_lost_in_jupyterlab(examiner: Page) -> None:
    """marked, used as JupyterLab uses it, gives Chromium nothing to run or fetch."""
    pairs = [(text, safe_markdown(text)) for text in random_documents(seed=3, count=1500)]
    pairs += [(text, safe_markdown(text)) for text, _ in HOSTILE]
    found = examiner.evaluate("(pairs) => pairs.map(([a, b]) => examine(a, b))", pairs)
    for (text, safe), report in zip(pairs, found, strict=True):
        assert report == {"dangers": [], "lost": []}, f"{text!r}\n{safe!r}"


@pytest.mark.browser
def test_the_examiner_sees_what_acts(examiner: Page) -> None:
    """The test above can fail: unguarded text, and JupyterLab's formulas, are seen to act."""
    for text in (
        "$\\let\\x=y$",
        "<img src=x>",
        "[a](javascript:x)",
        'http://a/$"onclick=x//$',
        '```"onclick="x\n',
    ):
        assert examiner.evaluate("(text) => examine(text, text).dangers", text), text


@pytest.mark.parametrize(
    "unit", ["<a", "![", "](", "]:", "[![a](b)", "`a\n", "\\<", "<b\n", "](&#", "``` "]
)
def test_the_work_grows_with_the_length_only(unit: str) -> None:
    """Twice the text takes about twice the calls, whatever is repeated in it."""
    once, twice = (calls_of(safe_markdown, unit * count) for count in (1_000, 2_000))
    assert twice < 2.5 * once


def calls_of(work: Callable[[str], str], text: str) -> int:
    """Return the number of function calls."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work(text)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "unit"),
    [
        ("", "```mermaid\n"),
        ("", "~~~mermaid\na\n"),
        ('"$ ](', "data\\"),
        ('"$ ](', "data\\ "),
        ('"$ ](data-', "\\"),
        ('"$ ](style', " \\"),
        ("[", "!"),
        ("[", "![a]("),
        ("$", "\\unicode{"),
    ],
)
def test_long_texts_are_made_safe_in_linear_time(before: str, unit: str) -> None:
    """Four hundred kilobytes of anything: with work that grew faster, this would take a minute."""
    text = before + unit * (400_000 // len(unit))
    assert len(ends(lambda: safe_markdown(text), 25)) >= len(text) // 2


@pytest.mark.parametrize(
    ("block", "is_closed"),
    [
        ("```py\nx = 1", False),
        ("```py\nx = 1\n``", False),
        ("```\nx\n```py", False),
        ("````\nx\n```", False),
        ("~~~\nx\n```", False),
        ("> ```\n> x", True),
        ("```", False),
        ("text", True),
        ("```\nx\n```", True),
        ("```\nx\n````", True),
        ("~~~\nx\n~~~", True),
    ],
)
def test_no_block_reaches_into_the_next_by_its_fence(block: str, is_closed: bool) -> None:
    """A stopped reply may leave a fence open, or end it with what only looks like its end."""
    joined = closed_blocks(block, "next")
    assert MarkdownIt().render(joined).endswith("<p>next</p>\n")
    assert (joined == f"{block}\n\nnext") is is_closed


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("3~5 or 10~20", "3&#126;5 or 10~20"),
        ("~5 or 10~20", "&#126;5 or 10~20"),
        ("3~ 5 or 10~20", "3~ 5 or 10~20"),
        ("3~5 or ~20", "3~5 or ~20"),
        ("3~5", "3~5"),
        ("3~5\n\n10~20", "3~5\n\n10~20"),
        ("3~5\n10~20", "3&#126;5\n10~20"),
        ("1~2 3~4 5~6", "1&#126;2 3&#126;4 5~6"),
        ("~~gone~~ 3~5 4~6", "~~gone~~ 3&#126;5 4~6"),
        ("```\n3~5 4~6\n```", "```\n3~5 4~6\n```"),
        ("3~5\n\n```\n4~6\n```\n\n5~7", "3~5\n\n```\n4~6\n```\n\n5~7"),
    ],
)
def test_single_tildes_strike_nothing_out(text: str, safe: str) -> None:
    """One that another of its paragraph would close is an entity."""
    assert safe_markdown(text) == safe
