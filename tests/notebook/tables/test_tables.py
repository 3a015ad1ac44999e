"""Tables of conversations, search results, providers and compared answers, in each form."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest

from chatnb.chat_models.registry import Availability
from chatnb.notebook.tables.comparison import Answer, comparison_mimebundle, grid_columns
from chatnb.notebook.tables.conversations import (
    conversations_mimebundle,
    found_mimebundle,
    history_mimebundle,
)
from chatnb.notebook.tables.providers import ProviderTable
from chatnb.notebook.widgets.footer import reasoning_fold
from chatnb.schema.content.reply_parts import Media
from chatnb.store import Found, Summary

AT = datetime(2031, 5, 6, 7, 8).timestamp()
MUTED_NOTE = re.compile(r'<div class="tex2jax_ignore mathjax_ignore" style="[^"]*">(.*?)</div>')


def summary(name: str, turns: int = 1, first: str = "Hi") -> Summary:
    return Summary(name, "a.ipynb", turns, AT, AT, first, {})


def forms(bundle: Any) -> tuple[list[str], str]:
    """Return the lines of the text, and the HTML."""
    return bundle["text/plain"].splitlines(), bundle["text/html"]


def test_conversations_are_listed_with_what_they_are_to_the_notebook() -> None:
    """Its own, the one that cells continue, or both."""
    summaries = [summary("a", 12, "x" * 81), summary("b"), summary("c"), summary("d<b>")]
    text, page = forms(conversations_mimebundle(summaries, "a", "b"))
    assert text == [
        "Conversation  Turns  Last              First message",
        f"a (main)      12     2031-05-06 07:08  {'x' * 79}…",
        "b (current)   1      2031-05-06 07:08  Hi",
        "c             1      2031-05-06 07:08  Hi",
        "d<b>          1      2031-05-06 07:08  Hi",
    ]
    assert "d&lt;b&gt;" in page
    both, _ = forms(conversations_mimebundle(summaries[:1], "a", "a"))
    assert both[1].startswith("a (main, current)  12 ")


@pytest.mark.parametrize(
    ("count", "hidden", "note"),
    [
        (50, 0, ""),
        (51, 0, "And 1 older ones; %chat search WORDS finds messages."),
        (1_100, 0, "And 1,050 older ones; %chat search WORDS finds messages."),
        (1, 1, "And 1 unnamed panel: %chat list all."),
        (
            52,
            2_000,
            "And 2 older ones; %chat search WORDS finds messages. "
            "And 2,000 unnamed panels: %chat list all.",
        ),
        (0, 3, "And 3 unnamed panels: %chat list all."),
    ],
)
def test_what_is_left_out_of_the_list_is_said(count: int, hidden: int, note: str) -> None:
    """Fifty conversations are listed."""
    bundle = conversations_mimebundle([summary("a")] * count, None, None, hidden)
    text, page = forms(bundle)
    assert len(text) == 1 + min(count, 50) + bool(note)
    assert (text[-1] if note else "") == note
    assert [found[1] for found in MUTED_NOTE.finditer(page)] == ([note] if note else [])


def test_where_there_is_nothing_to_list_that_is_said() -> None:
    """As text and as HTML."""
    for bundle, told in (
        (conversations_mimebundle([], None, None), "No conversations yet."),
        (found_mimebundle([]), "No message has these words."),
        (history_mimebundle("ideas", [], None), "ideas has no messages yet."),
    ):
        text, page = forms(bundle)
        assert text == [told]
        assert MUTED_NOTE.fullmatch(page)
        assert told in page


def test_words_that_were_searched_are_marked() -> None:
    """In HTML; roles are those of the conversation, or the store's."""
    found = [
        Found("trip", "n1", "human", AT, "To <Oslo> or to Oslo", [(4, 8), (16, 20)]),
        Found("trip", "n2", "ai", AT, "Bergen", [(0, 6)]),
        Found("other", "n3", "tool", AT, "none", []),
    ]
    text, page = forms(found_mimebundle(found))
    assert text == [
        "Conversation  Role   When              Message",
        "trip          you    2031-05-06 07:08  To <Oslo> or to Oslo",
        "trip          model  2031-05-06 07:08  Bergen",
        "other         tool   2031-05-06 07:08  none",
    ]
    cells = re.sub(r' style="[^"]*"', "", page)
    assert "<td>To &lt;<mark>Oslo</mark>&gt; or to <mark>Oslo</mark></td>" in cells
    assert "<td><mark>Bergen</mark></td>" in cells
    assert "<td>none</td>" in cells


PROVIDERS = [
    Availability("one", "one:big", usable=True),
    Availability("two", "two:MODEL", usable=False, needs="set `TWO_KEY`"),
]


@pytest.mark.parametrize(
    ("running", "row"),
    [
        (None, "two       two:MODEL  not ready  set `TWO_KEY`"),
        ({"two": []}, "two       two:MODEL  not ready  set `TWO_KEY`"),
        ({"two": ["a"]}, "two       two:a    running  has a"),
        ({"two": list("abcde")}, "two       two:a    running  has a, b, c, d, e"),
        ({"two": list("abcdefg")}, "two       two:a    running  has a, b, c, d, e and 2 more"),
    ],
)
def test_a_provider_that_runs_here_has_its_models(running: Any, row: str) -> None:
    """Five of them, and how many more there are."""
    assert repr(ProviderTable(PROVIDERS, running)).splitlines()[-1] == row


def test_providers_are_listed_in_every_form() -> None:
    """With the model that cells ask, whose provider may stand for it."""
    for default in ("one", "one:big"):
        shown: Any = ProviderTable(PROVIDERS, default=default)._repr_mimebundle_()
        note = "Cells without -m ask one:big. %chat use MODEL changes that."
        assert shown["text/plain"] == (
            "Provider  Model      State      Needs\n"
            "one       one:big    ready\n"
            "two       two:MODEL  not ready  set `TWO_KEY`\n\n" + note
        )
        assert shown["text/markdown"] == (
            "| Provider | Model | State | Needs |\n| --- | --- | --- | --- |\n"
            "| one | `one:big` | ready |  |\n"
            "| two | `two:MODEL` | not ready | set `TWO_KEY` |\n\n" + note
        )
        bare = re.sub(r' style="[^"]*"| class="[^"]*"', "", shown["text/html"])
        assert bare == (
            "<div><table><thead><tr><th>Provider</th><th>Model</th><th>State</th><th>Needs</th>"
            "</tr></thead><tbody><tr><td>one</td><td><code>one:big</code></td><td>ready</td>"
            "<td></td></tr><tr><td>two</td><td><code>two:MODEL</code></td><td>not ready</td>"
            f"<td>set `TWO_KEY`</td></tr></tbody></table><div>{note}</div></div>"
        )
    assert "Cells without" not in str(ProviderTable(PROVIDERS)._repr_mimebundle_())


PICTURE = Media("image", "image/png", "iVBORw0KGgo=")


def test_compared_answers_stand_below_each_other_in_text() -> None:
    """Each with its name, pictures, error and footer, and the notice last."""
    answers = [
        Answer("o*ne", "Yes.", "m · 1.0 s", media=[PICTURE], rest="Sources."),
        Answer("", "", "Nothing arrived", "failed", "ServerError: No*."),
    ]
    assert answers[0].below == "Sources."
    assert answers[1].below == r"**ServerError: No\*.**"
    assert answers[0].media_urls == ["data:image/png;base64,iVBORw0KGgo="]
    shown: Any = comparison_mimebundle(answers, "Notice.")
    assert shown["text/plain"].split("\n\n")[1:] == [
        "ServerError: No*.\nNothing arrived",
        "Notice.",
    ]
    assert shown["text/plain"].startswith("o*ne\nYes.\n")
    markdown = shown["text/markdown"].split("\n\n")
    assert markdown[:2] == [r"#### o\*ne", "Yes."]
    assert markdown[-4:] == ["m · 1.0 s", r"**ServerError: No\*.**", "Nothing arrived", "Notice."]
    assert comparison_mimebundle(answers).get("text/markdown", "").endswith("Nothing arrived")


def test_columns_of_compared_answers_have_their_parts_in_order() -> None:
    """The name, the reasoning, the text with its error, pictures and the footer."""
    full = Answer("one", "Yes.", "foot", "failed", "No.", " So. ", [PICTURE], "", 2.0)
    page = comparison_mimebundle([full]).get("text/html", "")
    parts = [
        ">one</div>",
        reasoning_fold("So.", 2.0),
        "<p>Yes.</p>",
        "<strong>No.</strong></p></div>",
        '<img src="data:image/png;base64,iVBORw0KGgo=" alt="Picture of the answer"',
        ">foot</div>",
    ]
    places = [page.index(part) for part in parts]
    assert places == sorted(places)
    alone = comparison_mimebundle([Answer("", "", "foot", reasoning="So.")]).get("text/html", "")
    assert reasoning_fold("So.", None, is_alone=True) in alone
    plain = comparison_mimebundle([Answer("", "Yes.", "foot")]).get("text/html", "")
    assert "<details" not in plain
    assert "<strong>" not in plain
    assert "font-weight: 600" not in plain
    assert "Notice." not in plain
    noticed = comparison_mimebundle([Answer("", "Yes.", "foot")], "Notice.", "m1")
    assert noticed.get("text/html", "").startswith(
        '<div class="chatnb-replies" data-chatnb-mount="m1">'
    )
    assert 'margin-top: 16px">Notice.</div>' in noticed.get("text/html", "")


@pytest.mark.parametrize(
    ("count", "steps"),
    [
        (1, []),
        (2, ["min((100% - 0px) / 1 - 1px, (472px - 100%) * 9999)"]),
        (
            3,
            [
                "min((100% - 32px) / 2 - 1px, (724px - 100%) * 9999)",
                "min((100% - 0px) / 1 - 1px, (472px - 100%) * 9999)",
            ],
        ),
        (
            4,
            [
                "min((100% - 32px) / 2 - 1px, (976px - 100%) * 9999)",
                "min((100% - 0px) / 1 - 1px, (472px - 100%) * 9999)",
            ],
        ),
    ],
)
def test_columns_wrap_into_even_rows(count: int, steps: list[str]) -> None:
    """Four become two rows of two, and not of three and one."""
    width = ", ".join(["220px", *steps])
    assert grid_columns(count) == f"repeat(auto-fit, minmax(min(100%, max({width})), 1fr))"
