"""Tools on the kernel: code that a model has run, and a look at variables."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy
import pandas
import polars
import pytest
from IPython.core.interactiveshell import InteractiveShell

from chatnb.chat_models import ScriptedChatModel
from chatnb.concurrency.main_thread import main_thread_work
from chatnb.notebook import register
from chatnb.schema import AIMessage, ToolMessage
from chatnb.tools import (
    arun_tools,
    dataframe_head,
    describe_variable,
    run_python,
    run_tools,
)

KEY = "sk-abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.fixture
def shell(bare_shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    monkeypatch.setattr(InteractiveShell, "_instance", bare_shell)
    register(bare_shell)
    return bare_shell


def calling(code: str) -> ScriptedChatModel:
    call: Any = {"name": "run_python", "args": {"code": code}, "id": "c1", "type": "tool_call"}
    return ScriptedChatModel([AIMessage("", tool_calls=[call]), "Done."])


def run_directly(code: str) -> str:
    message = run_python.invoke(
        {"name": "run_python", "args": {"code": code}, "id": "c1", "type": "tool_call"}
    )
    return message.text


def run_in_loop(code: str) -> str:
    return run_tools(calling(code), [run_python], "Go")[1].text


def run_in_cell(code: str) -> str:
    shell: Any = InteractiveShell.instance()
    shell.push({"caller": calling(code), "run_python": run_python})
    assert shell.run_cell("%%chat -m caller --tools run_python --approve all\nGo").success
    results = [
        message
        for message in shell.magics_manager.registry["ChatMagics"]
        .session.conversations[None]
        .messages
        if isinstance(message, ToolMessage)
    ]
    return results[-1].text


ways = pytest.mark.parametrize("run", [run_directly, run_in_loop, run_in_cell])


@ways
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('a')\nprint('b')", "a\nb"),
        ("6 * 7", "42"),
        ("x = 1", "[The code ran and printed nothing.]"),
        ("import sys; print('odd', file=sys.stderr)", "odd"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("1 +", "SyntaxError"),
        ("%time 1", "CPU times"),
        ("raise SystemExit", "SystemExit"),
        ("exit()", "RuntimeError: exit and quit would end the user's kernel"),
        ("quit", "RuntimeError: exit and quit would end the user's kernel"),
    ],
)
def test_the_result_is_what_a_cell_shows(
    shell: InteractiveShell, run: Callable[[str], str], code: str, said: str
) -> None:
    """Prints, the last value, warnings and errors, from whatever thread the call comes."""
    assert said in run(code)


@ways
def test_code_runs_on_the_main_thread_and_its_variables_stay(
    shell: InteractiveShell, run: Callable[[str], str]
) -> None:
    """It reads and sets what cells do, and is no cell of the history."""
    shell.run_cell("total = 40")
    count = shell.execution_count
    run(
        "import threading\nname = threading.current_thread() is threading.main_thread()\ntotal += 2"
    )
    assert (shell.user_ns["name"], shell.user_ns["total"]) == (True, 42)
    assert shell.execution_count == count


def test_an_async_loop_runs_it_too(shell: InteractiveShell) -> None:
    """`await arun_tools` on the main thread's own loop: the loop does the work meanwhile."""

    async def main() -> str:
        loop = asyncio.get_running_loop()
        done = loop.create_task(arun_tools(calling("21 * 2"), [run_python], "Go"))
        while not done.done():
            main_thread_work.run_when_idle()
            await asyncio.wait([done], timeout=0.01)
        return done.result()[1].text

    assert asyncio.run(main()).endswith("42")


@pytest.mark.parametrize("run", [run_in_loop, run_in_cell])
def test_an_error_of_the_shell_itself_is_told(
    shell: InteractiveShell, run: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An extension of IPython may break, and then the model does not hear that the code ran."""
    run_cell = shell.run_cell

    def broken(code: str, *args: Any, **options: Any) -> Any:
        if code == "x = 1":
            raise OSError("the extension broke")
        return run_cell(code, *args, **options)

    monkeypatch.setattr(shell, "run_cell", broken)
    assert "the extension broke" in run("x = 1")


AWAITING = """\
import asyncio
async def late(value):
    await asyncio.sleep(0)
    return value
left = asyncio.create_task(asyncio.sleep(600))
print(await late("late"))
print(sum(await asyncio.gather(late(40), late(2))))"""


@ways
def test_code_awaits(shell: InteractiveShell, run: Callable[[str], str]) -> None:
    """As in a cell, also while the event loop of the kernel runs, and within a task of it; which
    are as before afterwards. What the code leaves running has ended."""
    assert run(AWAITING) == "late\n42"

    async def main() -> tuple[str, bool]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        said = run(AWAITING)
        same = (asyncio.get_running_loop(), asyncio.current_task()) == (loop, task)
        return said, same and shell.user_ns["left"].cancelled()

    assert asyncio.run(main()) == ("late\n42", True)
    assert run("await late(1 / 0)").endswith("ZeroDivisionError: division by zero")


def test_an_interrupt_stops_code_that_awaits(shell: InteractiveShell) -> None:
    """Also while nothing but the event loop runs."""
    code = (
        "import asyncio, os, signal\nloop = asyncio.get_running_loop()\n"
        "loop.call_soon(os.kill, os.getpid(), signal.SIGINT)\nawait asyncio.sleep(600)"
    )

    async def main() -> None:
        with pytest.raises(KeyboardInterrupt):
            run_directly(code)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        asyncio.run(main())
    finally:
        signal.signal(signal.SIGINT, before)


@ways
def test_long_output_is_bounded(shell: InteractiveShell, run: Callable[[str], str]) -> None:
    """Its begin and its end come back, with a note."""
    text = run("print('begin'); print('x' * 1_000_000); print('end')")
    assert len(text) < 20_000
    assert text.startswith("begin")
    assert text.endswith("end")
    assert "characters are left out" in text


def test_endless_output_is_kept_in_part(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """The user sees the beginning and the end of a text that would fill the memory."""
    run_directly("for number in range(40):\n    print(str(number) * 100_000)\nprint('end')")
    shown = capsys.readouterr().out
    assert len(shown) < 1_100_000
    assert shown.startswith("000")
    assert shown.rstrip().endswith("end")
    assert "characters are left out" in shown


def test_half_a_surrogate_pair_is_shown_as_one_that_is_sent(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """A kernel cannot send it, and would send nothing more of the cell."""
    assert run_directly("print('a\\ud800b')\nimport sys; print('\\ud800', file=sys.stderr)")
    captured = capsys.readouterr()
    assert (captured.out + captured.err).encode()
    assert "a\ufffdb" in captured.out


def test_figures_come_back_as_pictures(shell: InteractiveShell) -> None:
    """A figure is a part of the result, and too many are named."""
    code = (
        "from IPython.display import Image, display\nfor _ in range(6): display(Image(b'\\x89PNG'))"
    )
    content = run_python.invoke({"code": code})
    types = [part["type"] for part in content]
    assert types == ["text", *["image_url"] * 4]
    assert "2 more pictures" in content[0]["text"]


def test_an_interrupt_stops_the_code(shell: InteractiveShell) -> None:
    """As of a cell: what waits for it ends, and the variables set so far stay."""
    code = (
        "begun = True\nimport os, signal, time\n"
        "os.kill(os.getpid(), signal.SIGINT)\ntime.sleep(600)"
    )
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_in_loop(code)
    finally:
        signal.signal(signal.SIGINT, before)
    assert shell.user_ns["begun"] is True


# Variables.


class Odd:
    """An object whose code raises errors wherever it can be asked."""

    def __repr__(self) -> str:
        raise ValueError("no text")

    def __dir__(self) -> list[str]:
        raise ValueError("no names")

    @property
    def columns(self) -> Any:
        raise RuntimeError("no columns")


class Remote:
    """A frame like Spark's, which is somewhere else."""

    columns = ("city", "people")
    dtypes = (("city", "string"), ("people", "bigint"))


def endless() -> dict[str, Any]:
    """A dict that holds itself."""
    found = dict[str, Any]()
    found["itself"] = found
    return found


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (42, "int"),
        ("some text", "9 characters"),
        ([1, 2, 3], "[1, 2, 3]"),
        ({"a": 1}, "{'a': 1}"),
        (pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}), "a (int64)"),
        (polars.DataFrame({"a": [1, 2], "b": ["x", "y"]}), "a (Int64)"),
        (len, "Return the number of items"),
        (threading.Event(), "Event"),
        ("x" * 100_000, "100,000"),
        (None, "None"),
        (datetime(2026, 1, 2), "2026, 1, 2"),
        (numpy.zeros((3, 2)), "array([[0., 0.]"),
        (numpy.array([Odd()], dtype=object), "ndarray"),
        (Odd(), "Odd"),
        ([Odd()], "Odd"),
        (pandas.DataFrame({"odd": [Odd(), 1]}), "<Odd>"),
        (pandas.DataFrame([[1, 2, 3]], columns=["token", "a", "a"]), "| 0 | 2 | 3 |"),
        (polars.LazyFrame({"a": [1]}), "a (Int64)"),
        (Remote(), "city (string), people (bigint)"),
        (endless(), "itself"),
        pytest.param(10**5_000, "16,610 bits", id="huge"),
        (list(range(1_000_000)), "1,000,000 items"),
    ],
)
def test_a_variable_is_described(shell: InteractiveShell, value: object, said: str) -> None:
    """Its type, its size, and its value as far as that is plain data, within bounds."""
    shell.push({"value": value})
    described = describe_variable.invoke({"name": "value"})
    assert said in described
    assert len(described) < 10_000


@pytest.mark.parametrize(
    "variables",
    [
        {"api_key": "hunter2secret"},
        {"settings": {"password": "hunter2secret"}},
        {"nested": [{"token": "hunter2secret"}]},
        {"text": f"the key is {KEY}"},
        {"frame": pandas.DataFrame({"user": ["ada"], "password": ["hunter2secret"]})},
        {"frame": pandas.DataFrame({"user": ["ada"], "note": [KEY]})},
        {"frame": polars.DataFrame({"user": ["ada"], "password": ["hunter2secret"]})},
        {"frame": pandas.DataFrame({"a": [1]}, pandas.Index(["hunter2secret"], name="api_key"))},
        {"frame": pandas.Series(["hunter2secret"], name="password")},
        {"token": pandas.Series(["hunter2secret"])},
        {"fields": numpy.array([("hunter2secret",)], dtype=[("password", "U20")])},
    ],
)
def test_secrets_are_not_shown(shell: InteractiveShell, variables: dict[str, Any]) -> None:
    """A value that looks like a secret, by its name or its shape, stays here."""
    shell.push(variables)
    (name,) = variables
    shown = describe_variable.invoke({"name": name})
    if name == "frame":
        shown += dataframe_head.invoke({"name": name})
    assert "hunter2secret" not in shown
    assert KEY not in shown


@pytest.mark.parametrize("rows", [-5, 0, 1, 7, 10_000])
@pytest.mark.parametrize("library", [pandas, polars])
def test_the_head_of_a_table_is_bounded(shell: InteractiveShell, library: Any, rows: int) -> None:
    """As many rows as asked for, at least one and at most 30."""
    shell.push({"frame": library.DataFrame({"n": [f"row{n}" for n in range(100)]})})
    shown = dataframe_head.invoke({"name": "frame", "rows": rows})
    assert shown.count("row") - shown.count("rows") == min(max(rows, 1), 30)


@pytest.mark.parametrize("name", ["nothing", "os.environ", "__import__('os')", "", "In"])
def test_only_variables_have_names(shell: InteractiveShell, name: str) -> None:
    """A name runs no code and reaches nothing but the user's own variables, which are named."""
    shell.push({"mine": 1})
    for tool in (describe_variable, dataframe_head):
        with pytest.raises(LookupError, match=r"There is no variable .*\. There are: mine\."):
            tool.invoke({"name": name})


def test_an_interrupt_is_raised_whatever_handles_it_otherwise(shell: InteractiveShell) -> None:
    """A kernel ignores interrupts between cells, and cancels a task while a cell awaits."""
    code = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(600)"
    for handler in (signal.SIG_IGN, lambda *_: None):
        before = signal.signal(signal.SIGINT, handler)
        try:
            with pytest.raises(KeyboardInterrupt):
                run_in_loop(code)
            assert signal.getsignal(signal.SIGINT) is handler
        finally:
            signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({1, 2}, "{1, 2}"),
        (frozenset({1}), "frozenset({1})"),
        ((1, 2), "[1, 2]"),
        ({"a": [1, (2,)]}, "{'a': [1, [2]]}"),
        ([[[[[[1]]]]]], "…"),
        (b"ab", "b'ab'"),
        (2**3_999, str(2**3_999)[:100]),
        (2**4_000, "<int of 4,001 bits>"),
    ],
)
def test_plain_data_is_shown_within_bounds(
    shell: InteractiveShell, value: object, said: str
) -> None:
    """As deep and as long as a model needs."""
    shell.push({"value": value})
    assert said in describe_variable.invoke({"name": "value"})


def test_an_object_has_at_most_100_attributes(shell: InteractiveShell) -> None:
    """Those whose names are not private, in their order."""

    class Many:
        def __dir__(self) -> list[str]:
            return ["_hidden", *(f"a{number:03}" for number in range(101))]

    shell.push({"value": Many()})
    _, _, names = describe_variable.invoke({"name": "value"}).partition("Attributes: ")
    assert names.split(", ") == [f"a{number:03}" for number in range(100)]


@pytest.mark.parametrize(("length", "left_out"), [(8_000, ""), (8_001, "1"), (10_500, "2,500")])
def test_output_has_the_number_of_characters_that_are_missing(
    shell: InteractiveShell, length: int, left_out: str
) -> None:
    """Its first and its last 4,000 are there."""
    text = "".join(chr(97 + number % 26) for number in range(length))
    found = run_directly(f"print({text!r}, end='')")
    note = f"\n[… {left_out} characters are left out …]\n" if left_out else ""
    assert found == text[:4_000] + note + text[-4_000:]
