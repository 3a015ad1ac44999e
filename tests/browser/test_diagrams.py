"""Diagrams in a reply that streams, in a notebook that draws them."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from chatnb.markdown.diagrams import is_inert_diagram
from tests.browser.conftest import ReplyPage
from tests.markdown.test_diagrams import FETCHING, ORDINARY

pytestmark = pytest.mark.browser

ODD = [
    "classDiagram\n  CLASS A {\n  style A fill:url(/x)\n  }",
    "graph TD\n  \u017ftyle A fill:url(/x)",
    "graph TD\n  noteé A x\n  é--> B",
    "graph TD\n  A\u00a0--> B",
    "graph TD\n  Straße[Ä] --> 東京{?}",
    "graph TD\n  😀 A\n  ✅--> B",
]


@pytest.fixture
def drawing_page(reply_page: ReplyPage) -> ReplyPage:
    """A page whose notebook draws diagrams, whatever is in them, and keeps their sources."""
    reply_page.run(
        """
        window.drawn = [];
        const figure = `<figure><img src="data:image/svg+xml,%3Csvg/%3E" width="86" alt="A chart"
            onload="alert(1)" onerror="alert(2)"><pre><code>A</code></pre></figure>`;
        const render = async (source) => {
            drawn.push(source);
            return `<div class="jp-RenderedMermaid">${figure}</div>`;
        };
        window.otherModels.rendermime = { markdownParser: { render } };
        """
    )
    return reply_page


def test_a_diagram_is_drawn_as_its_fence_closes(drawing_page: ReplyPage) -> None:
    """The notebook's drawing takes the place of the source, without anything in it that acts; the
    text goes on below."""
    drawing_page.open()
    drawing_page.say("So:\n\n```mermaid\ngraph TD\n", "  A --> B\n")
    assert drawing_page.run("return drawn") == []
    drawing_page.say("```\n\n", "Done.")
    picture = drawing_page.page.locator(".chatnb-text img")
    expect(picture).to_have_attribute("alt", "A chart")
    expect(drawing_page.page.get_by_text("graph TD")).to_be_hidden()
    assert picture.evaluate("each => each.getAttributeNames()") == ["alt", "width", "src"]
    assert drawing_page.run("return drawn") == ["```mermaid\ngraph TD\n  A --> B\n```"]
    assert drawing_page.text().endswith("Done.")
    drawing_page.run("model.receive('phase', 'done')")
    expect(picture).to_have_count(1)
    assert drawing_page.dialogs == []


def test_only_diagrams_that_can_neither_fetch_nor_act_are_drawn(drawing_page: ReplyPage) -> None:
    """The view decides as the finished reply does, of every type of diagram and in any alphabet."""
    sources = [*ORDINARY, *FETCHING, *ODD]
    texts = [f"```mermaid\n{source}\n```\n\n" for source in sources]
    drawing_page.open()
    drawing_page.say(*texts)
    inert = [source for source in sources if is_inert_diagram(source)]
    assert len(inert) > len(ORDINARY)
    drawing_page.wait_for(f"drawn.length >= {len(inert)}")
    assert drawing_page.run("return drawn") == [f"```mermaid\n{each}\n```" for each in inert]


@pytest.mark.parametrize(
    "text", ["- x\n\n  ```mermaid\n  graph TD\n  ```\n", "> ```mermaid\n> graph TD\n> ```\n"]
)
def test_a_nested_diagram_stays_text(drawing_page: ReplyPage, text: str) -> None:
    """The finished reply shows it as text, since renderers disagree about its end."""
    drawing_page.open()
    drawing_page.say(text, "\n```mermaid\ngraph LR\n```\n")
    drawing_page.wait_for("drawn.length > 0")
    assert drawing_page.run("return drawn") == ["```mermaid\ngraph LR\n```"]
