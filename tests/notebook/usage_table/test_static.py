"""Static usage tables, cell by cell, in each form."""

from __future__ import annotations

import html
import re

import pytest

from chatnb.notebook.usage_table.static import usage_mimebundle
from chatnb.schema.model_call import ModelCall
from chatnb.schema.prices import price_list
from tests.support.model_calls import tokens

CALLS = [
    ModelCall(
        "gpt-x",
        "openai",
        "Hi | there",
        tokens(1_200, 340, cached=200, reasoning=40),
        2.5,
        0.75,
        "stop",
        given_cost=0.0125,
    ),
    ModelCall(
        "gpt-x",
        "openai",
        "Again",
        tokens(800, 60, cached=0, reasoning=0),
        1.0,
        0.5,
        "length",
        given_cost=0.0025,
        queue_seconds=1.5,
    ),
    ModelCall("other", "local", "", None, None, None, None, error="RateLimitError"),
    ModelCall("other", "local", "Cached", tokens(10, 2), 0.001, None, "stop", cached=True),
]
# The rows of Markdown, of all calls and of the first.
ALL = [
    [
        "Prompt",
        "Model",
        "Input",
        "Cached",
        "Reasoning",
        "Output",
        "Total",
        "Cost",
        "Queue",
        "Latency",
        "First token",
        "Finish",
    ],
    ["---", "---", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---"],
    [
        "Hi \\| there",
        "gpt-x",
        "1,200",
        "200",
        "40",
        "340",
        "1,540",
        "<span>\\$</span>0.0125",
        "",
        "2.50 s",
        "750 ms",
        "stop",
    ],
    [
        "Again",
        "gpt-x",
        "800",
        "0",
        "0",
        "60",
        "860",
        "<span>\\$</span>0.0025",
        "1.50 s",
        "1.00 s",
        "500 ms",
        "length",
    ],
    ["", "other", "", "", "", "", "", "", "", "", "", "RateLimitError"],
    ["Cached", "other", "0", "0", "0", "0", "0", "cached", "", "1 ms", "", "stop"],
    [
        "**gpt-x · 2 calls**",
        "",
        "**2,000**",
        "**200**",
        "**40**",
        "**400**",
        "**2,400**",
        "**<span>\\$</span>0.0150**",
        "**avg 1.50 s**",
        "**avg 1.75 s**",
        "**avg 625 ms**",
        "",
    ],
    ["**other · 2 calls, 1 failed, 1 from cache**", "", "", "", "", "", "", "", "", "", "", ""],
    [
        "**Total · 4 calls, 1 failed, 1 from cache**",
        "",
        "**2,000 + 1 unknown**",
        "**200 + 1 unknown**",
        "**40 + 1 unknown**",
        "**400 + 1 unknown**",
        "**2,400 + 1 unknown**",
        "**<span>\\$</span>0.0150 + 1 unknown**",
        "**avg 1.50 s**",
        "**avg 1.75 s**",
        "**avg 625 ms**",
        "",
    ],
]
FIRST = [
    [
        "Prompt",
        "Model",
        "Input",
        "Cached",
        "Reasoning",
        "Output",
        "Total",
        "Cost",
        "Latency",
        "First token",
        "Finish",
    ],
    ["---", "---", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---:", "---"],
    [
        "Hi \\| there",
        "gpt-x",
        "1,200",
        "200",
        "40",
        "340",
        "1,540",
        "\\$0.0125",
        "2.50 s",
        "750 ms",
        "stop",
    ],
]


@pytest.mark.parametrize(("calls", "rows"), [(CALLS, ALL), (CALLS[:1], FIRST)])
def test_every_cell_is_in_every_form(calls: list[ModelCall], rows: list[list[str]]) -> None:
    """Columns of which something is known, the totals of several calls, and whose prices these
    are."""
    bundle = usage_mimebundle(calls)
    table, note = bundle.get("text/markdown", "").split("\n\n")
    assert table.splitlines() == [f"| {' | '.join(row)} |" for row in rows]
    assert note == f"*Costs by {price_list()}*"
    cells = [[shown(cell) for cell in row] for row in rows if row[0] != "---"]
    text = [re.split(r"  +", line) for line in bundle.get("text/plain", "").splitlines()]
    written = [line for line in text if not line[0].startswith("─")]
    assert [[cell for cell in line if cell] for line in written] == [
        [cell for cell in row if cell] for row in cells
    ]
    page = re.findall(r"<tr[^>]*>(.*?)</tr>", bundle.get("text/html", ""), re.DOTALL)
    in_page = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in page]
    for found, expected in zip(in_page, cells, strict=True):
        texts = [html.unescape(re.sub(r"<[^>]+>", " ", cell)).split() for cell in found]
        assert [text for text in texts if text] == [cell.split() for cell in expected if cell]


def shown(cell: str) -> str:
    """Return a cell of Markdown as it displays."""
    bare = re.sub(r"</?span>|\*\*", "", cell)
    return re.sub(r"\\(.)", r"\1", bare)


@pytest.mark.parametrize(
    ("model", "stays_on_a_line"), [("a model of 15 c", True), ("a model of 16 ch", False)]
)
def test_short_texts_stay_on_a_line(model: str, stays_on_a_line: bool) -> None:
    """A short name stays whole under any style of the page for cells; longer ones break."""
    page = usage_mimebundle([ModelCall(model, usage=tokens(1, 1))]).get("text/html", "")
    assert (model.replace(" ", "\u00a0") in html.unescape(page)) == stays_on_a_line


def test_nothing_is_said_of_prices_without_costs() -> None:
    """Nor of calls without any."""
    bundle = usage_mimebundle([ModelCall("m", usage=tokens(1, 1))])
    assert "Costs by" not in str(bundle)
    assert usage_mimebundle([])["text/plain"] == "No calls yet."  # type: ignore[typeddict-item]
    assert usage_mimebundle([]).get("text/markdown") == "No calls yet."


def test_only_a_mount_point_can_be_mounted() -> None:
    """It has the name that the widget finds it by."""
    assert "data-chatnb-mount" not in usage_mimebundle(CALLS).get("text/html", "")
    assert 'data-chatnb-mount="m1"' in usage_mimebundle(CALLS, "m1").get("text/html", "")


def test_columns_of_text_are_aligned_by_their_kind() -> None:
    """Words at the left and numbers at the right; wide characters take two columns."""
    calls = [
        ModelCall("m", prompt="Hi", usage=tokens(1_200, 34), finish_reason="stop", given_cost=0.0),
        ModelCall("m", prompt="日本 e\u0301", usage=tokens(12, 3), given_cost=1.0),
    ]
    assert usage_mimebundle(calls).get("text/plain", "").splitlines() == [
        "Prompt           Model  Input  Output  Total     Cost  Finish",
        "───────────────  ─────  ─────  ──────  ─────  ───────  ──────",
        "Hi               m      1,200      34  1,234  $0.0000  stop",
        "日本 e\u0301           m         12       3     15  $1.0000",
        "───────────────  ─────  ─────  ──────  ─────  ───────  ──────",
        "Total · 2 calls         1,212      37  1,249  $1.0000",
    ]
    page = usage_mimebundle(calls).get("text/html", "")
    assert page.count('<th style="text-align: left; white-space: nowrap">') == 4 + 2
    assert page.count('<td style="text-align: left; white-space: nowrap">') == 3 * 2
