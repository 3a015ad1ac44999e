from __future__ import annotations

import csv
import io
import sys
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from chatnb import ScriptedChatModel, UsageTable
from chatnb.errors import MissingRuntimeError
from chatnb.notebook import register
from chatnb.notebook.widgets.formatting import one_line
from chatnb.schema import AIMessage, HumanMessage
from chatnb.schema.model_call import ModelCall, Sum
from chatnb.schema.prices import price_list
from tests.support.call_counting import calls_during
from tests.support.model_calls import made_up, tokens

HOSTILE = "<img src=x onerror=alert(1)> | ![i](https://t.test/i.png)\n$x$ &amp; `c` \x1b[31m\ud83d"


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    register(bare_shell)
    return bare_shell


def shown(shell: InteractiveShell, value: Any) -> dict[str, str]:
    bundle, _ = shell.display_formatter.format(value)  # type: ignore[union-attr]
    return bundle


class Cells(HTMLParser):
    """The texts of a page, row by row, and the names of its elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.elements: set[str] = set()
        self.rest = ""
        self._in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.elements.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True
        if tag == "div" and self._in_cell:
            self.rows[-1][-1] += " "

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data.replace("\u00a0", " ")
        else:
            self.rest += data


# What stays in the notebook file.


def test_text_is_aligned() -> None:
    """Numbers stand below each other, in wide letters as well, and sums say what they lack."""
    calls = [
        ModelCall("gpt-4o-mini", "openai", "What is a cell?", tokens(1000, 40), 1.2, 0.3, "stop"),
        ModelCall(
            "smollm2", "llama.cpp", "細胞とは何ですか", tokens(12, 4000), 12.0, 0.02, "length"
        ),
        ModelCall("gpt-4o-mini", "openai", "Hi", cached=True, seconds=0.001),
        ModelCall("gpt-4o-mini", "openai", "Hey", seconds=0.4, error="RateLimitError"),
    ]
    lines = repr(UsageTable(calls)).splitlines()
    assert [line.rstrip() for line in lines] == lines
    head = lines[0]
    end = head.index("Output") + len("Output")
    assert [line[:end].rpartition(" ")[2] for line in (lines[2], lines[4])] == ["40", "0"]
    # A wide letter takes two columns of a terminal.
    assert lines[3][: end - 8].rpartition(" ")[2] == "4,000"
    assert "RateLimitError" in lines[5]
    assert "cached" in lines[4]
    [total] = [line for line in lines if line.startswith("Total")]
    assert "Total · 4 calls, 1 failed, 1 from cache" in total
    assert "1,012 + 1 unknown" in total


def test_html_has_every_cell_and_the_subtotals() -> None:
    """A row a call, a row a model, a row of totals, and the date of the prices below."""
    calls = made_up(6, 3)
    page = Cells(shown_html(calls))
    head, *rows = page.rows
    assert head == [
        *("Prompt", "Model", "Input", "Cached", "Reasoning", "Output", "Total"),
        *("Cost", "Latency", "First token", "Finish"),
    ]
    assert len(rows) == 6 + 3 + 1
    assert rows[0][:3] == [calls[0].prompt, "gpt-4o-mini", "180"]
    assert [row[0] for row in rows[6:]] == [
        "gpt-4o-mini · 2 calls",
        "claude-sonnet-4-5 · 2 calls",
        "smollm2-135m-instruct · 2 calls",
        "Total · 6 calls",
    ]
    total = sum(call.count("total") or 0 for call in calls)
    assert rows[-1][6] == f"{total:,}"
    # No price is known of the embedded model.
    assert rows[8][7] == ""
    assert rows[9][7].endswith("+ 2 unknown")
    assert page.rest == f"Costs by {price_list()}"


def shown_html(calls: list[ModelCall]) -> str:
    return UsageTable(calls)._repr_mimebundle_()["text/html"]


def test_columns_of_which_nothing_is_known_are_left_out() -> None:
    """Cached replies took no tokens, which says nothing of what the others took."""
    calls = [ModelCall("m", prompt="Hi", cached=True), ModelCall("m", prompt="Hey", seconds=1.0)]
    page = Cells(shown_html(calls))
    assert page.rows[0] == ["Prompt", "Model", "Cost", "Latency"]
    assert [row[2] for row in page.rows[1:]] == ["cached", "", ""]
    assert page.rest == ""
    assert Cells(shown_html([ModelCall("", usage=tokens(3, 4))])).rows == [
        ["Prompt", "Input", "Output", "Total"],
        ["", "3", "4", "7"],
    ]


def test_long_tables_are_cut_and_say_so() -> None:
    """The sums are of all rows nevertheless."""
    table = UsageTable(made_up(10_000, 1))
    bundle = table._repr_mimebundle_()
    page = Cells(bundle["text/html"])
    assert len(page.rows) == 1 + 100 + 1
    assert page.rest.startswith("… and 9,900 more calls")
    assert page.rows[-1][0] == "Total · 10,000 calls"
    for text in (bundle["text/plain"], bundle["text/markdown"]):
        assert "… and 9,900 more calls" in text
        assert len(text.splitlines()) < 115
    assert len(bundle["text/html"]) < 60_000


def test_what_prompts_and_models_say_does_not_act() -> None:
    """Tags, images, cell borders, formulas, control characters and half characters are text."""
    calls = [ModelCall(HOSTILE, "p", HOSTILE, error=HOSTILE), ModelCall("m")]
    bundle = UsageTable(calls)._repr_mimebundle_()
    page = Cells(bundle["text/html"])
    assert page.elements == {"div", "table", "thead", "tbody", "tfoot", "tr", "th", "td"}
    assert page.rows[1][0].startswith("<img src=x")
    assert 'class="chatnb-usage-saved tex2jax_ignore' in bundle["text/html"]
    row = bundle["text/markdown"].splitlines()[2]
    assert "<img" not in row
    assert row.replace(r"\|", "").count("|") == 4
    assert r"\!&#91;i\]" in row
    for text in bundle.values():
        text.encode()
        assert "\x1b" not in text


def test_one_line_is_as_long_as_it_may_be() -> None:
    """Of a long text only so much is looked at as can be shown."""
    assert one_line("word " * 1_000_000, 9) == "word wor…"
    assert one_line("a\u202eb\nc") == "a\ufffdb c"
    assert one_line("exact", 5) == "exact"


def test_the_repr_is_stable() -> None:
    """Two tables of the same calls are the same text."""
    calls = made_up(30, gaps=True)
    assert repr(UsageTable(calls)) == repr(UsageTable(calls)) == repr(UsageTable(calls))


def test_nothing_to_show() -> None:
    """A table without rows says so, and is a table."""
    table = UsageTable([])
    assert repr(table) == "No calls yet."
    html = table._repr_mimebundle_()["text/html"]
    assert "No calls yet." in html
    assert html.rindex("text-align: left") > html.rindex("text-align: right")
    assert (len(table), bool(table), table.to_csv().count("\n")) == (0, True, 1)
    assert table.to_markdown() == "No calls yet."


@pytest.mark.slow
def test_drawing_grows_with_the_rows_and_no_faster() -> None:
    """Ten times the rows are ten times the work at most."""

    def work(rows: int) -> int:
        calls = made_up(rows, gaps=True)
        return sum(calls_during(UsageTable(calls)._repr_mimebundle_).values())

    assert work(10_000) < 10 * work(1_000)


# As data.


def test_frames_tell_what_is_not_known_from_nothing() -> None:
    """Unknown integers are missing, not 0; a cached reply has 0."""
    table = UsageTable([ModelCall("m", usage=tokens(3, 4)), ModelCall("m"), cached()])
    frame = table.to_pandas()
    assert frame["total_tokens"].dtype == "Int64"
    assert frame["total_tokens"].isna().tolist() == [False, True, False]
    assert frame["total_tokens"].sum() == 7
    assert frame["from_cache"].tolist() == [False, False, True]
    other = table.to_polars()
    assert other["total_tokens"].to_list() == [7, None, 0]
    assert other["cost_usd"].to_list() == [None, None, 0.0]
    assert list(frame.columns) == other.columns
    empty = UsageTable([])
    assert empty.to_pandas().shape == (0, 15)
    assert empty.to_polars().schema == other.schema


def cached() -> ModelCall:
    return ModelCall("m", cached=True)


def test_csv_is_read_back() -> None:
    """Prompts of any characters come back; what is not known is empty."""
    calls = [ModelCall("m", prompt='a "b", c;\nd = -1', usage=tokens(3, 4)), ModelCall("n")]
    first, second = csv.DictReader(io.StringIO(UsageTable(calls).to_csv()))
    assert (first["prompt"], first["total_tokens"]) == ('a "b", c;\nd = -1', "7")
    assert (second["total_tokens"], second["from_cache"]) == ("", "False")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_csv_has_no_formulas(start: str) -> None:
    """A spreadsheet shows a prompt, and does not run it; numbers stay numbers."""
    text = f"{start}HYPERLINK(0)"
    call = ModelCall(text, prompt=text, usage=tokens(3, 4))
    (row,) = csv.DictReader(io.StringIO(UsageTable([call]).to_csv(), newline=""))
    assert (row["prompt"], row["model"], row["total_tokens"]) == (f"'{text}", f"'{text}", "7")


@pytest.mark.parametrize("before", [" ", '"', ' "', "a;", "a; ", "a\t", "a\r\n", "a\n"])
@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\uff1d", "\uff20"])
def test_csv_has_no_formulas_for_spreadsheets_that_part_cells_elsewhere(
    before: str, sign: str
) -> None:
    """At semicolons, tabs and line ends; spaces and quotation marks before it do not help."""
    call = ModelCall("m", prompt=f"{before}{sign}HYPERLINK(0)", error=f"{before}{sign}1")
    (row,) = csv.DictReader(io.StringIO(UsageTable([call]).to_csv(), newline=""))
    assert row["prompt"] == f"{before}'{sign}HYPERLINK(0)"
    assert row["error"] == f"{before}'{sign}1"


@pytest.mark.parametrize(
    ("method", "package"),
    [("to_pandas", "pandas"), ("to_polars", "polars"), ("plot", "matplotlib")],
)
def test_what_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, method: str, package: str
) -> None:
    """The error has the line that installs it, and nothing else of the table needs it."""
    for name in (package, f"{package}.pyplot"):
        monkeypatch.setitem(sys.modules, name, None)
    table = UsageTable(made_up(3))
    with pytest.raises(MissingRuntimeError, match=f"pip install {package}$"):
        getattr(table, method)()
    assert repr(table)
    assert table.to_csv()


@pytest.mark.parametrize("what", ["tokens", "cost"])
@pytest.mark.parametrize("by", ["model", "call"])
def test_a_plot_draws_what_the_table_says(what: Any, by: Any) -> None:
    """The bars add up to the totals, stacked from zero, and the axis says of how many calls
    nothing is known."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    table = UsageTable(made_up(45, gaps=True))
    axes = table.plot(what, by=by)
    bars: Any = axes.patches
    lengths = [bar.get_width() if by == "model" else bar.get_height() for bar in bars]
    totals = table.totals.cost if what == "cost" else table.totals.tokens["total"]
    assert sum(lengths) == pytest.approx(totals.known)
    ends = dict[float, float]()
    for bar, length in zip(bars, lengths, strict=True):
        row, start = (bar.get_y(), bar.get_x()) if by == "model" else (bar.get_x(), bar.get_y())
        assert start == pytest.approx(ends.get(row, 0))
        ends[row] = start + length
    label = axes.get_xlabel() if by == "model" else axes.get_ylabel()
    assert f"({totals.unknown} of 45 calls unknown)" in label
    if by == "model":
        names = [label.get_text() for label in axes.get_yticklabels()]
        assert sorted(names) == sorted({call.model for call in table.rows})
    pyplot.close(axes.figure)


def test_a_plot_of_nothing_says_what_it_takes() -> None:
    """Neither an unknown name nor unknown costs draw an empty picture."""
    with pytest.raises(ValueError, match='"tokens" or "cost", not \'money\''):
        UsageTable(made_up(2)).plot("money")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Of no call the cost is known"):
        UsageTable([ModelCall("m", usage=tokens(3, 4))]).plot("cost")


def test_totals() -> None:
    """They are those of the rows."""
    table = UsageTable([HumanMessage("Hi"), AIMessage("Ho", usage_metadata=tokens(3, 4))])
    assert table.totals.tokens["total"] == Sum(7)
    assert [call.prompt for call in table.rows] == ["Hi"]


# In a notebook.


def test_a_result_shows_the_table_beside_its_repr(shell: InteractiveShell) -> None:
    """The last line of a cell is enough; its text stays what the page prints."""
    chat = ScriptedChatModel(["Hello."], usage=[tokens(3, 4)])
    result = chat.generate([[HumanMessage("Hi")], [HumanMessage("Hey")]])
    bundle = shown(shell, result)
    assert bundle["text/plain"] == repr(result)
    assert Cells(bundle["text/html"]).rows[-1][0] == "Total · 2 calls"
    assert bundle["text/markdown"].startswith("| ")
    nothing = chat.generate([])
    assert shown(shell, nothing) == {"text/plain": repr(nothing)}


def test_the_command_shows_the_table_of_the_session(shell: InteractiveShell) -> None:
    """`%chat usage` is the table of all that was called, and takes no words."""
    magics: Any = shell.magics_manager.registry["ChatMagics"]  # type: ignore[union-attr]
    magics.session.usage = SimpleNamespace(calls=made_up(3))
    with capture_output(display=False) as captured:
        shell.run_line_magic("chat", "usage")
    assert "Total · 3 calls" in captured.stdout
    with pytest.raises(Exception, match="Usage: %chat usage"):
        shell.run_line_magic("chat", "usage all")


def test_text_in_a_terminal(shell: InteractiveShell) -> None:
    """Without a kernel the table is text."""
    assert shown(shell, UsageTable(made_up(2)))["text/plain"] == repr(UsageTable(made_up(2)))
