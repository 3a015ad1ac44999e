"""Static HTML of Markdown: as JupyterLab displays it, without loading or executing anything."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from chatnb.markdown.html import SafeHtml, element, rendered
from chatnb.markdown.rendering import block_tokens, close_fence, closed_blocks, static_renderer
from chatnb.markdown.safe_markdown import SafeMarkdown


def html_of(markdown: str) -> str:
    return static_renderer().render(markdown)


def link(address: str, text: str) -> str:
    return f'<a href="{address}">{text}</a>'


# Texts, and what becomes of each with its addresses as links.
ADDRESSES: dict[str, str] = {
    "https://x.test/a": link("https://x.test/a", "https://x.test/a"),
    "a http://x.test b": f"a {link('http://x.test', 'http://x.test')} b",
    "HTTP://x.test": link("HTTP://x.test", "HTTP://x.test"),
    "www.x.test": link("http://www.x.test", "www.x.test"),
    "a@x.test": link("mailto:a@x.test", "a@x.test"),
    "a@x.test,b@y.test!": (
        f"{link('mailto:a@x.test', 'a@x.test')},{link('mailto:b@y.test', 'b@y.test')}!"
    ),
    "www.x.test?!.,:;": f"{link('http://www.x.test', 'www.x.test')}?!.,:;",
    "'www.x.test'": f"'{link('http://www.x.test', 'www.x.test')}'",
    "(www.x.test)": f"({link('http://www.x.test', 'www.x.test')})",
    "(www.x.test.)": f"({link('http://www.x.test', 'www.x.test')}.)",
    "(www.x.test/a))": f"({link('http://www.x.test/a', 'www.x.test/a')}))",
    "www.x.test/a_(b)": link("http://www.x.test/a_(b)", "www.x.test/a_(b)"),
    "www.x.test/a_(b).": f"{link('http://www.x.test/a_(b)', 'www.x.test/a_(b)')}.",
    "(www.x.test/a_(b))": f"({link('http://www.x.test/a_(b)', 'www.x.test/a_(b)')})",
    "www. x http:// @x.test a@ b": "www. x http:// @x.test a@ b",
    "[www.x.test](/a) www.y.test": (
        f"{link('/a', 'www.x.test')} {link('http://www.y.test', 'www.y.test')}"
    ),
    "`www.x.test`": "<code>www.x.test</code>",
    "**www.x.test** ~~a@x.test~~": (
        f"<strong>{link('http://www.x.test', 'www.x.test')}</strong> "
        f"<del>{link('mailto:a@x.test', 'a@x.test')}</del>"
    ),
}


@pytest.mark.parametrize(("text", "html"), ADDRESSES.items(), ids=ADDRESSES)
def test_bare_addresses_are_links(text: str, html: str) -> None:
    """Without what ends a sentence, or a bracket that begins before them."""
    assert html_of(text) == f"<p>{html}</p>\n"


@pytest.mark.parametrize(
    ("item", "html"),
    [
        ("[ ] a", '<input type="checkbox" disabled="" /> a'),
        ("[x] a", '<input type="checkbox" disabled="" checked="" /> a'),
        ("[X] **a**", '<input type="checkbox" disabled="" checked="" /> <strong>a</strong>'),
        ("[y] a", "[y] a"),
        ("[x]a", "[x]a"),
        ("[x]", "[x]"),
        ("a [x] b", "a [x] b"),
        ("**[x]** a", "<strong>[x]</strong> a"),
        ("", ""),
    ],
)
def test_tasks_are_boxes_that_nobody_can_check(item: str, html: str) -> None:
    """Only at the beginning of items of lists."""
    assert html_of(f"- {item}\n- end") == f"<ul>\n<li>{html}</li>\n<li>end</li>\n</ul>\n"
    if item:
        assert "<input" not in html_of(item)
        assert "<input" not in html_of(f"- # {item}")


def test_tables_and_code_look_as_in_jupyterlab() -> None:
    """Cells are aligned as they are written, and tags are text."""
    html = html_of("| a | b |\n|--|:-:|\n| ![c](d) | <b> |\n")
    table = (
        "display: block; width: max-content; max-width: 100%; margin: 0 0 1em; overflow-x: auto; "
        "overflow-wrap: break-word"
    )
    assert html == (
        f'<table style="{table}">\n<thead>\n<tr>\n<th style="text-align: center">a</th>\n'
        '<th style="text-align:center">b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n'
        '<td style="text-align: left">!<a href="d">c</a></td>\n'
        '<td style="text-align:center">&lt;b&gt;</td>\n</tr>\n</tbody>\n</table>\n'
    )
    style = "margin: 1.5em 2em; overflow-x: auto; white-space: pre; overflow-wrap: normal"
    code = f'<pre style="{style}"><code style="white-space: inherit">a &lt; b\n\nc</code></pre>\n'
    assert html_of("```\na < b\n\nc\n\n```") == code
    assert html_of("    a < b\n\n    c") == code


# Texts, and what closes the fence that each of them leaves open.
OPEN: dict[str, str] = {
    "no fence": "",
    "```": "\n```",
    "```py\nx": "\n```",
    "```py\nx\n": "\n```",
    "```py\nx\n```": "",
    "```py\nx\n````  ": "",
    "````py\nx\n```": "\n````",
    "~~~\n```": "\n~~~",
    "~~~\nx\n~~~": "",
    "```\nx\n``` y": "\n```",
    "```\na\n```\n\n```\nb": "\n```",
    "```\na\n```\n\nb": "",
    "- ```\n  a": "",
    "```\n```": "",
}


@pytest.mark.parametrize(("text", "closing"), OPEN.items(), ids=OPEN)
def test_an_open_fence_is_closed(text: str, closing: str) -> None:
    """By the marks that opened it; what is closed stays as it is, also in a list."""
    assert close_fence(text) == text + closing
    assert closed_blocks(text, "end") == f"{text}{closing}\n\nend"


def test_the_outermost_blocks_are_told() -> None:
    """Their insides are other tokens."""
    types = [token.type for token in block_tokens("# a\n\n- b\n\n```\nc\n```")]
    assert types == [
        "heading_open", "heading_close", "bullet_list_open", "bullet_list_close", "fence"
    ]  # fmt: skip


def test_a_renderer_that_passes_tags_is_refused() -> None:
    """No text is rendered by it."""
    with pytest.raises(ValueError, match="A renderer of safe HTML passes no tags"):
        rendered(SafeMarkdown("a"), MarkdownIt("commonmark", {"html": True}))


def test_harmless_tags_and_formulas_come_back() -> None:
    """Each in its place, and other tags as text."""
    text = "H<sub>2</sub>O <br> $a<b$ `<sub>` <b>x</b> \ufdd0 <br/>\n\n$$x$$"
    assert rendered(SafeMarkdown(text), static_renderer()) == (
        "<p>H<sub>2</sub>O <br> $a&lt;b$ <code>&lt;sub&gt;</code> &lt;b&gt;x&lt;/b&gt; "
        "\ufffd <br/></p>\n<p>$$x$$</p>\n"
    )


def test_attributes_are_written_as_their_values_say() -> None:
    """None and False leave one out, True has no value, and an underscore is a hyphen."""
    html = element(
        "div", "a<b", class_='"x"', aria_label="1", hidden=True, title=None, open=False, tabindex=0
    )
    assert html == '<div class="&quot;x&quot;" aria-label="1" hidden tabindex="0">a&lt;b</div>'
    assert SafeHtml(html) is html
