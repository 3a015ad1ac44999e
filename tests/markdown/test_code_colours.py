"""Code in static HTML, in the colours of the notebook's editor."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnb.markdown.code_colours import coloured_code
from chatnb.markdown.html import rendered
from chatnb.markdown.rendering import static_renderer
from chatnb.markdown.safe_markdown import safe_markdown

LANGUAGES = ["python", "js", "bash", "json", "diff", "html", "r", "pycon", "tex", "nolanguage", ""]


def text_of(html: str) -> str:
    return unescape(re.sub(r"</?span[^>]*>", "", html))


@given(code=st.text(max_size=60), language=st.sampled_from(LANGUAGES))
def test_colours_change_no_character(code: str, language: str) -> None:
    """In any language, the coloured code is the code, and its only elements are the colours."""
    html = coloured_code(code, language)
    assert text_of(html) == code
    assert "<" not in re.sub(r'<span style="[a-z0-9:;() -]+">|</span>', "", html)


@pytest.mark.parametrize(
    ("code", "language", "word", "colour"),
    [
        ("def f(): return None", "python", "def", "keyword"),
        ("x = 'a'  # b", "Python title", "&#x27;a&#x27;", "string"),
        ("x = 'a'  # b", "py", "# b", "comment"),
        ("let a = 12;", "js", "12", "number"),
        ("-a\n+b", "diff", "+b", "number"),
        ("df = pd.DataFrame(1.5)", "python", "DataFrame", "property"),
        ("console.log(a)", "js", "log", "property"),
        ('{"a": 1}', "json", "&quot;a&quot;", "property"),
        ("cd a", "bash", "cd", "builtin"),
        ("@cache\ndef f(): pass", "python", "@", "meta"),
    ],
)
def test_words_have_the_colours_of_the_editor(
    code: str, language: str, word: str, colour: str
) -> None:
    """The theme's own colours are named, so that they are right in light and in dark."""
    html = coloured_code(code, language)
    assert f"--jp-mirror-editor-{colour}-color" in html[: html.index(f">{word}<")].split("<")[-1]


@pytest.mark.parametrize("code", ["print(a, len)", "a.b().c[self]", "int -> float", "float"])
def test_words_that_the_editor_leaves_plain_are_plain(code: str) -> None:
    """Builtins and dots of Python are no more to it than other names and brackets."""
    assert re.findall("--jp-[a-z0-9-]+", coloured_code(code, "python")) == (
        ["--jp-mirror-editor-property-color"] * code.count(".")
    )


def test_fences_of_static_markdown_are_coloured() -> None:
    """Columns of a comparison and saved transcripts are made of it."""
    html = rendered(
        safe_markdown("```python\nimport os\n```\n\n```\nimport os\n```"), static_renderer()
    )
    assert html.count('<span style="color: var(--jp-mirror-editor-keyword-color)') == 1


def test_code_without_end_is_left_plain() -> None:
    """A notebook file does not keep a colour for each of many thousand words."""
    assert "<span" not in coloured_code("a = 1\n" * 5000, "python")
