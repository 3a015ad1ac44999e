"""One reading of Markdown: while a reply streams, finished in JupyterLab, and as static HTML."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatnb.markdown.html import rendered
from chatnb.markdown.rendering import static_renderer
from chatnb.markdown.safe_markdown import safe_markdown
from tests.browser.conftest import ReplyPage

pytestmark = pytest.mark.browser


@pytest.fixture
def reply_page(same_reply_page: ReplyPage) -> ReplyPage:
    return same_reply_page


JS = Path(__file__).parents[2] / "js"
REPLIES: list[str] = json.loads(
    (Path(__file__).parents[1] / "markdown" / "replies.json").read_text(encoding="utf-8")
)
ADDRESSES = [
    'See https://x.test/b_c_d. (https://x.test/e), "https://x.test/f", git+https://x.test/g.git\n',
    "- www.x.test and (www.x.test/a_b_c), **www.x.test/d**\n- Item:www.x.test; WWW.x.test, www.\n",
    "anna@x.test, first_last@x.test; a.b+c@mail.x.test. _a@x.test_ (b@x.test) @c, d@e and f@g.h-\n",
    "| ftp://x.test/a | [f](ftp://x.test) |\n|--|--|\n| <ftp://x.test> | `www.x.test` b@x.test |\n",
    "[https://x.test](https://y.test) [www.x.test](/a) [a@x.test](mailto:a@x.test) www.x.test\n",
    "https://x.test/?a=1&b=2 H<sub>www.x.test</sub> http://[::1]/a https://x.test/?u=ftp://y\n",
]
# For static HTML the entity is the character in the address.
ENTITY_AFTER_ADDRESS = "https://x.test/?a=1&b=2&copy; and https://x.test/?a=1&b;\n"
# Static HTML shows a closing tag alone.
CLOSING_TAGS = (
    "a </sub> *b* c</kbd> **d**\n\n<sub>x</sub> [e </code> f](https://x.test) ~~g</sup>~~ *h*\n\n"
    "*i <kbd>*j*</kbd> k* </span>*\n"
)
# Of both documents: tags, alignment, links and texts.
OUTLINE = r"""
    const outline = (root) => {
        let lines = "";
        const walk = (node) => {
            if (node.nodeType === 3) {
                lines += node.data.replace(/\u2060/g, "");
                return;
            }
            const isPlain = node.tagName === "SPAN";
            const names = ["align", "href", "title", "start", "checked"];
            const given = names.filter((name) => node.hasAttribute(name) && node.tagName !== "PRE");
            const marks = given.map((name) => ` ${name}=${node.getAttribute(name)}`);
            const { textAlign } = node.style;
            if (textAlign && ["TD", "TH"].includes(node.tagName)) marks.push(` align=${textAlign}`);
            if (!isPlain) lines += `<${node.tagName}${marks.join("")}>`;
            node.childNodes.forEach(walk);
            if (!isPlain) lines += `</${node.tagName}>`;
        };
        root.childNodes.forEach(walk);
        // Spaces between blocks, and the delimiters that are not shown, differ.
        return lines.replace(/\s+/g, " ").replace(/ ?(<\/?[A-Z][^>]*>) ?/g, "\n$1\n")
            .replace(/\$\$|\$|\\\\?[()[\]]/g, "~").split("\n").filter(Boolean).join("\n");
    };
"""


@pytest.fixture
def reading_page(reply_page: ReplyPage) -> ReplyPage:
    """A page with the view of a reply, and with marked used as JupyterLab uses it."""
    for script in ("node_modules/marked/lib/marked.umd.js", "test/untrusted_markdown.js"):
        reply_page.page.add_script_tag(path=JS / script)
    return reply_page


def test_addresses_with_names_to_fill_in_are_links(reading_page: ReplyPage) -> None:
    """A place to be filled in belongs to its address, live and finished."""
    text = "GET https://x.test/users/<id>/posts<br>now"
    found = "return [...{}.querySelectorAll('a')].map((link) => link.textContent)"
    finished = found.format("parseInertly(renderLikeJupyterLab(given))")
    assert reading_page.run(finished, safe_markdown(text)) == ["https://x.test/users/<id>/posts"]
    outline_of_live_view(reading_page, text, 7)
    assert reading_page.run(found.format("view.text")) == ["https://x.test/users/<id>/posts"]


def outline_of_live_view(page: ReplyPage, text: str, size: int) -> str:
    """Stream the text in pieces and describe the elements that it makes."""
    script = """
        const [text, size] = given;
        await openWidget();
        for (let at = 0; at < text.length; at += size) model.say(text.slice(at, at + size));
        model.receive("phase", "done");
        return outline(view.text);
    """
    return page.run(OUTLINE + script, [text, size])


@pytest.mark.parametrize("text", [*REPLIES, *ADDRESSES, ENTITY_AFTER_ADDRESS, CLOSING_TAGS])
def test_live_view_reads_as_jupyterlab(reading_page: ReplyPage, text: str) -> None:
    """The elements of the live view, however it is cut, are those of the finished reply."""
    finished = reading_page.run(
        OUTLINE + "return outline(parseInertly(renderLikeJupyterLab(given)))",
        str(safe_markdown(text)),
    )
    for size in (len(text), 1, 7):
        assert outline_of_live_view(reading_page, text, size) == finished


@pytest.mark.parametrize("text", [*REPLIES, *ADDRESSES])
def test_static_html_reads_as_the_live_view(reading_page: ReplyPage, text: str) -> None:
    """The saved transcript of a panel has the elements of the live view."""
    page = str(rendered(safe_markdown(text), static_renderer()))
    static = reading_page.run(OUTLINE + "return outline(parseInertly(given))", page)
    live = outline_of_live_view(reading_page, text, len(text))
    # The alignment that JupyterLab gives to cells itself is written out.
    static = static.replace("<TD align=left>", "<TD>").replace("<TH align=center>", "<TH>")
    live = live.replace("<TD align=left>", "<TD>").replace("<TH align=center>", "<TH>")
    assert static == live


LONG_BLOCKS = {
    "paragraph": "A *heron* is a **bird**; its `name` is [old](https://x.test), it costs $5.\n",
    "prose": "A heron is a long-legged bird that wades, and wades, and stands still. ",
    "list": "- **It wades** slowly, and [stands](https://x.test) still.\n",
    "loose list": "7. It *wades* slowly.\n\n   ```python\n   print(1)\n   ```\n\n",
    "table": "| heron | 98 cm | stands *still* for `long` |\n",
    "quotation": "> It **wades** slowly.\n>\n",
    "code": "total += weight[1]\n",
}
BEGINNINGS = {"table": "| bird | length | note |\n|---|--:|---|\n", "code": "```python\n"}


def long_block(name: str, length: int) -> str:
    text = LONG_BLOCKS[name]
    return BEGINNINGS.get(name, "") + text * (length // len(text))


@pytest.mark.parametrize("name", LONG_BLOCKS)
def test_long_blocks_are_not_read_again(reply_page: ReplyPage, name: str) -> None:
    """The characters that are read for each piece of a long block do not grow with its length."""
    script = """
        // markdown-it takes each character that it reads with this.
        const { charCodeAt } = String.prototype;
        let [count, clock] = [0, 0];
        String.prototype.charCodeAt = function (index) {
            count += 1;
            return charCodeAt.call(this, index);
        };
        performance.now = () => clock;
        await openWidget();
        const counts = [];
        for (let at = 0; at < given.length; at += 40) {
            count = 0;
            clock += 10_000;
            model.say(given.slice(at, at + 40));
            counts.push(count);
        }
        const tenth = Math.floor(counts.length / 10);
        const sum = (some) => some.reduce((a, b) => a + b, 0);
        return [sum(counts.slice(tenth, 2 * tenth)), sum(counts.slice(-tenth))];
    """
    first, last = reply_page.run(script, long_block(name, 8000))
    assert last <= 2 * first + 100


@pytest.mark.parametrize("name", LONG_BLOCKS)
def test_long_blocks_read_as_jupyterlab(reading_page: ReplyPage, name: str) -> None:
    """A long block that streams, and what follows it, reads as the finished reply."""
    text = f"Before\n\n{long_block(name, 1500)}\n\n1. **other** list\n- and *one* more\n\nAfter"
    finished = reading_page.run(
        OUTLINE + "return outline(parseInertly(renderLikeJupyterLab(given)))",
        str(safe_markdown(text)),
    )
    assert outline_of_live_view(reading_page, text, 7) == finished
