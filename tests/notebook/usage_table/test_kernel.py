"""A usage table as a cell's last line, in a real kernel and in a terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from chatnb.notebook.usage_table.columns import COLUMNS
from chatnb.notebook.usage_table.widget import table_state
from chatnb.schema.model_call import ModelCall
from tests.kernel.driver import Kernel
from tests.support.model_calls import made_up, tokens

SETUP = """\
%load_ext chatnb
from chatnb import ScriptedChatModel, UsageTable
from chatnb.schema.model_call import ModelCall

chat = ScriptedChatModel(
    ["Hello."], usage=[{"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}]
)
calls = [ModelCall("m", prompt="Hi"), ModelCall("n", prompt="Hey")]
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    kernel = Kernel(forked=True)
    kernel.run(SETUP)
    yield kernel
    kernel.close()


# What is sent to a browser.


@pytest.mark.slow
def test_rows_travel_as_columns_and_are_small() -> None:
    """Ten times the rows are ten times the bytes at most, and a row with every count, cost and
    time is some 60 bytes beside its prompt."""

    def size(rows: int) -> int:
        return len(json.dumps(table_state(made_up(rows)), separators=(",", ":")))

    assert size(10_000) < 10.5 * size(1_000)
    prompts = sum(len(json.dumps(call.prompt)) + 1 for call in made_up(10_000))
    assert (size(10_000) - prompts) / 10_000 < 70
    same = [ModelCall("m", prompt="x" * 200, usage=tokens(3, 4))] * 1_000
    assert len(json.dumps(table_state(same), separators=(",", ":"))) < 12_000


def test_a_browser_is_told_what_is_known_and_what_is_not() -> None:
    """Columns of which nothing is known are not sent; what is not known in a row is null."""
    calls = [ModelCall("m", usage=tokens(3, 4)), ModelCall("n"), ModelCall("m", cached=True)]
    wire = table_state(calls)
    json.dumps(wire, allow_nan=False)
    told = {column["name"]: column["values"] for column in wire["columns"]}
    assert told == {
        "model": [0, 1, 0],
        "input_tokens": [3, None, 0],
        "output_tokens": [4, None, 0],
        "total_tokens": [7, None, 0],
        "cost_usd": [None, None, 0.0],
        "from_cache": [2],
    }
    assert {column["name"] for column in wire["columns"]} <= {column.name for column in COLUMNS}


def test_long_prompts_are_cut() -> None:
    """A prompt of any length is sent as two hundred characters."""
    [column, *_] = table_state([ModelCall("m", prompt="word " * 100)])["columns"]
    assert len(column["words"][0]) <= 200


# In a kernel.


@pytest.mark.process
def test_a_watched_notebook_gets_a_widget_in_the_static_table(kernel: Kernel) -> None:
    """The output is the static table alone, which is the place of the one widget that is made,
    however often the table is shown."""
    ran = kernel.run("table = UsageTable(calls)\ndisplay(table)\ndisplay(table)")
    assert [set(output) for output in ran.outputs] == [
        {"text/plain", "text/html", "text/markdown"}
    ] * 2
    states = [content["data"]["state"] for content in ran.of("comm_open")]
    [state] = [state for state in states if "table" in state]
    assert state["table"]["length"] == 2
    for output in ran.outputs:
        assert f'data-chatnb-mount="{state["mount_point"]}"' in output["text/html"]


@pytest.mark.process
def test_a_result_shows_itself(kernel: Kernel) -> None:
    """The last line of a cell that generates is the table, and its text is the repr."""
    ran = kernel.run('chat.generate([["Hi"], ["Hey"]])')
    [result] = ran.of("execute_result")
    assert result["data"]["text/plain"].startswith("LLMResult(generations=[[ChatGeneration(")
    assert "Total · 2 calls" in result["data"]["text/html"]
    assert any("table" in content["data"]["state"] for content in ran.of("comm_open"))


@pytest.mark.process
def test_a_program_that_runs_the_notebook_gets_the_static_table(kernel: Kernel) -> None:
    """nbclient and its like get no widget, and twice the same."""
    once, again = (kernel.run("UsageTable(calls)", watched=False) for _ in range(2))
    assert once.of("comm_open") == []
    [shown], [same] = once.of("execute_result"), again.of("execute_result")
    assert shown["data"] == same["data"]
    assert "data-chatnb-mount" not in shown["data"]["text/html"]


@pytest.mark.process
def test_vscode_gets_a_widget_of_its_own(kernel: Kernel) -> None:
    """There a widget lives only in an output of its own type, beside the static table."""
    [shown] = kernel.run(
        "display(UsageTable(calls))", cell_id="vscode-notebook-cell:/a.ipynb#W0"
    ).outputs
    assert shown["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert set(shown) > {"text/plain", "text/html"}


@pytest.mark.process
def test_a_terminal_opens_no_widget() -> None:
    """Without a notebook the table is text, no comm is opened, and pandas is not loaded."""
    code = (
        "import sys\nfrom chatnb import UsageTable, AIMessage\n"
        "table = UsageTable([AIMessage('Hi', response_metadata={'model_name': 'm'})])\n"
        "print(table)\nprint(table.comm)\n"
        "print([name for name in ('pandas', 'matplotlib') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "Model\n─────\nm\nNone\n[]\n"
