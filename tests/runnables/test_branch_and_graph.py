from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from chatnb.runnables import (
    RunnableBranch,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)


def size() -> RunnableBranch[int, str]:
    return RunnableBranch(
        (lambda n: n < 0, lambda _: "less"), (lambda n: n == 0, lambda _: "none"), lambda _: "more"
    )


@pytest.mark.parametrize(("number", "word"), [(-1, "less"), (0, "none"), (1, "more")])
def test_the_first_condition_that_holds_decides(number: int, word: str) -> None:
    """Or the default runs; in every method."""
    assert size().invoke(number) == word
    assert list(size().stream(number)) == [word]
    assert asyncio.run(size().ainvoke(number)) == word


@pytest.mark.parametrize(
    ("branches", "error", "said"),
    [
        ((len,), ValueError, "at least one"),
        ((len, len), TypeError, "pairs, not <built-in"),
        (((len, len, len), len), TypeError, "pairs, not"),
        (((len, len), (len, len)), TypeError, "a default at the end"),
        (((3, len), len), TypeError, "not int: 3"),
    ],
)
def test_branches_are_pairs_and_a_default(branches: Any, error: type[Exception], said: str) -> None:
    """Anything else raises when the branch is made."""
    with pytest.raises(error, match=said):
        RunnableBranch(*branches)


def test_a_graph_shows_every_step() -> None:
    """Steps follow one another, and branches fork and join."""
    chain = RunnablePassthrough.assign(n=RunnableLambda(len, name="count")) | RunnableParallel(
        a=RunnableLambda(str, name="text").with_retry(), b=size().map()
    )
    drawn = chain.get_graph().draw_mermaid().splitlines()
    assert drawn[0] == "graph TD"
    assert '    n2["Join"]' in drawn
    assert '    n1 -- "n" --> n3' in drawn
    names = list(chain.get_graph().nodes.values())
    assert [name for name in names if name not in ("Input", "Join", "Output")] == [
        "Parallel<n>",
        "count",
        "Parallel<a,b>",
        "text",
        "Each<RunnableBranch>",
    ]


def test_fallbacks_and_branches_are_drawn() -> None:
    """Each alternative has an arrow with its condition."""
    chain = size().with_fallbacks([RunnableLambda(len, name="length")])
    drawn = chain.get_graph().draw_mermaid()
    assert '-- "fallback 1" -->' in drawn
    assert '-- "otherwise" -->' in drawn


def test_names_cannot_break_out_of_a_drawing() -> None:
    """A name is plain text for Mermaid, with any characters."""
    drawn = RunnableLambda(len, name='a"]; <b>#\nc').get_graph().draw_mermaid()
    assert 'n1["a#quot;]; #lt;b#gt;#35; c"]' in drawn


@pytest.mark.parametrize(
    "name", ["%%{init: {'themeCSS': 'a{}'}}%%", "$$x$$", "`![x](y)`", "&lt;b&gt;", "\\unicode{x}"]
)
def test_names_are_plain_text_in_mermaid(name: str) -> None:
    """They are no directives, formulas, Markdown or entities: a server may have given them."""
    drawn = RunnableLambda(len, name=name).get_graph().draw_mermaid()
    (label,) = re.findall(r'n1\["(.*)"\]', drawn)
    assert re.sub(r"#(\d+);", lambda found: chr(int(found[1])), label) == name.replace(
        ">", "#gt;"
    ).replace("<", "#lt;")
    assert not set(label) & set("%$`&\\")
