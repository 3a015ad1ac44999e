from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import numpy
import pandas
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnb.notebook.prompt import fill
from chatnb.notebook.values import as_text

NAMES = {
    "name": "Ada",
    "n": 3,
    "x": 1,
    "user": SimpleNamespace(name="Bob", tags=["a", "b"]),
    "row": {"key": "value", "two words": 2},
}


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("Hi {name}!", "Hi Ada!"),
        ("{n}{name}", "3Ada"),
        ("{user.name} {user.tags[1]} {user.tags[-1]}", "Bob b b"),
        ("{row['key']} {row[\"two words\"]}", "value 2"),
        ("costs ${n}", "costs $3"),
        ("{n:.2f} {x:>4}| {n:05d} {n!r} {name!r:>6}", "3.00    1| 00003 3  'Ada'"),
        ("{user.tags[:1]} {name[1:]} {name[::-1]} {user.tags[0][:1]}", "['a'] da adA a"),
        ("{row['two words']:,} {name:.2f}", "2 {name:.2f}"),
    ],
)
def test_variables_are_put_in(template: str, prompt: str) -> None:
    """A reference to an existing variable, dotted or indexed, is replaced by its value."""
    assert fill(template, NAMES).text == prompt


@pytest.mark.parametrize(
    "text",
    [
        "{unknown} {unknown.part}",
        "{n + 1} {len(name)} {user.tags[n]} { n } {} {n:} {name:x} {n: 1} {n:1} {x:y} {n!z}",
        '{"n": 1, "name": {"x": 2}}',
        '[{"a": {}}, {}]',
        r"$\frac{n}{x} + x_{n}^{n}$ and \textbf{name} \sqrt[3]{x}",
        "f\"{name} is {n}\" and print(f'{x}') or rf'{name}'",
        'f"""\n{name}\n"""',
        "{{ name }} {% if n %} {{ user.name | upper }} {% endif %} {# name #}",
        "${HOME} {{unknown}} {{{unknown}}}",
        "def f():\n    return {k: v for k, v in {}.items()}",
        "a { lone brace",
        "a } lone brace",
    ],
)
def test_everything_else_in_braces_stays(text: str) -> None:
    """JSON, LaTeX, f-strings, Jinja, code and unknown names pass through untouched."""
    assert fill(text, NAMES).text == text


def test_double_braces_write_the_reference_itself() -> None:
    """`{{name}}` is how one writes `{name}` where the variable exists."""
    assert fill("{{name}} is {name}; {{user.name}}", NAMES).text == "{name} is Ada; {user.name}"


class Reluctant:
    """A value whose parts and text cannot be had."""

    def __getattr__(self, name: str) -> object:
        raise OSError("not today")

    def __str__(self) -> str:
        raise OSError("not today")


@pytest.mark.parametrize(
    "template",
    [
        "{user.nothing}",
        "{user.tags[9]}",
        "{row['nothing']}",
        "{n[0]}",
        "{frame['nothing']}",
        "{reluctant.part}",
        "{reluctant}",
    ],
)
def test_a_missing_part_is_an_error_that_names_it(template: str) -> None:
    """An existing variable without that part is a mistake, told before the model is asked,
    whatever the variable raises; in code it is left alone."""
    names = NAMES | {"reluctant": Reluctant(), "frame": polars.DataFrame({"a": [1]})}
    with pytest.raises(LookupError) as raised:
        fill(template, names)
    assert template in raised.value.args[0]
    assert "literal braces" in raised.value.args[0]
    assert fill(f"```\n{template}\n```", names)[:2] == (f"```\n{template}\n```", [])


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{name:.2f}", "Unknown format code 'f'"),
        ("{frame:.2f}", "unsupported format string"),
        ("{ n }", "write {n}, without spaces"),
        ("{unknown}", "no such variable."),
        ("{naem[0]} {usr.name:.2f}", "no such variable. Did you mean {name} and {user}?"),
        ("{a1} {a2} {a3} {a4} {a5}", "{a1}, {a2}, {a3} and 2 more were sent as they stand"),
    ],
)
def test_what_is_not_filled_in_is_named(template: str, reason: str) -> None:
    """It is sent as it stands, and a note says why and what to write."""
    names = NAMES | {"frame": pandas.DataFrame({"a": [1]})}
    text, notes, _ = fill(f"What of {template} now?", names)
    assert text == f"What of {template} now?"
    assert reason in " ".join(notes)


QUIET = [
    "```\n{typo} {len(name)} {n.x}\n```",
    "~~~js\n{typo}\n",
    "Say `{typo}` and `{len(name)}`.",
    "    return {typo}",
    "In $x_{typo} + {typo} \\cdot {n - 1}$ or \\[ {typo} \\]",
    "GET /users/{typo} and https://a.b/{typo}?q={typo}",
    "echo ${typo} #{typo} @{typo} %{typo}",
    '{"name": "{typo}", "list": [{typo}]}',
    "<p>Hello {typo}</p>",
    "const { typo, n } = {typo};",
    'print("Hi {typo}".format(typo))',
    'f"{typo} {len(name)}" and {{typo}}',
    "The sets {n, x} and {1, 2}",
]


@pytest.mark.parametrize("text", QUIET)
def test_code_and_formulas_are_left_alone(text: str) -> None:
    """Braces in code, JSON, addresses, f-strings and formulas are sent without a word."""
    assert fill(text, NAMES)[:2] == (text, [])


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("{frame.iloc[0, 1]} {frame.loc[1:, 'b'].iloc[0]} {frame['a'][1]}", "3 4 2"),
        ("{frame[['b']].shape} {frame.columns[0]!r} {row['deep'][0]['x']}", "(2, 1) 'a' 5"),
        (
            "{when:%d.%m.%Y %H:%M} {n:d} {n:x} {n:e} {big:,}",
            "07.03.2026 09:05 3 3 3.000000e+00 1,234",
        ),
        ("{row[1, 2]} {row[-1]} {row[True]}", "pair minus yes"),
    ],
)
def test_items_are_taken_and_formatted_as_in_python(template: str, prompt: str) -> None:
    """Every written index or key works, and formats are those of the value."""
    names = {
        "frame": pandas.DataFrame({"a": [1, 2], "b": [3, 4]}),
        "row": {"deep": [{"x": 5}], (1, 2): "pair", -1: "minus", True: "yes"},
        "when": datetime(2026, 3, 7, 9, 5),
        "n": 3,
        "big": 1234,
    }
    assert fill(template, names).text == prompt


BRACES = st.lists(
    st.sampled_from([*"{}{}{}[]()'\"`$\\:!.,%#_^ \n", "n", "name", "typo", "f'", "{{", "{%"]),
    max_size=40,
).map("".join)


@given(BRACES)
def test_no_text_fails(text: str) -> None:
    """Any text is a prompt, and one that names no variable is sent unchanged."""
    assert fill(text, {"other": 1}).text == text
    with suppress(LookupError):  # Such as `{n.name}`, which is told to the user.
        fill(text, NAMES)


def test_braces_in_a_value_are_not_filled_again() -> None:
    """The text of a value is data, not a template."""
    assert fill("{a}", {"a": "{b}", "b": "secret"}).text == "{b}"


def greet(name: str) -> str:
    """Say hello."""
    return f"Hello {name}"


UNENDED = [
    r"\frac{a}{b} + ",
    "\\",
    "{{",
    "{{a",
    "{%",
    "{#a",
    r"\a[",
    "^[",
    "{",
    "f\"'",
    "_{",
    "{a.b",
    "{len(a)} ",
    "{b} ",
    "`{b}` ",
    "{a:{",
    "{((((",
]


@pytest.mark.parametrize("unit", UNENDED)
def test_the_work_grows_with_the_length_only(unit: str) -> None:
    """A prompt of 100 KB with parts that begin and never end is filled, instead of never."""
    text = "Let f'(x) be " + unit * (100_000 // len(unit))
    assert fill(text, {"a": 1}).text == text


def test_a_function_goes_in_as_its_source() -> None:
    """A model reads code better than `<function greet at 0x...>`."""
    assert fill("Explain:\n{greet}", {"greet": greet}).text.startswith(
        "Explain:\ndef greet(name: str)"
    )
    assert as_text(SimpleNamespace).startswith("<class")


def test_a_data_frame_goes_in_as_a_bounded_markdown_table() -> None:
    """A small frame is a whole table; a large one says what was cut."""
    small = pandas.DataFrame({"a": [1, 2], "b": ["x|y", "long " * 40]}, index=["r1", "r2"])
    table = as_text(small)
    assert table.splitlines()[:3] == ["|  | a | b |", "| --- | --- | --- |", "| r1 | 1 | x\\|y |"]
    assert len(table) < 300
    large = pandas.DataFrame({f"c{i}": range(1000) for i in range(50)})
    text = as_text(large)
    assert text.endswith("(The first 30 of 1000 rows and 20 of 50 columns are shown.)")
    assert len(text.splitlines()) == 34
    assert as_text(small["a"]).splitlines()[0] == "|  | a |"


def test_a_polars_frame_goes_in_as_a_table_too() -> None:
    """Polars frames have no index column."""
    frame = polars.DataFrame({"a": range(40), "b": ["y"] * 40})
    lines = as_text(frame).splitlines()
    assert lines[:3] == ["| a | b |", "| --- | --- |", "| 0 | y |"]
    assert lines[-1] == "(The first 30 of 40 rows are shown.)"


@pytest.mark.parametrize("code", ["len(name)", "name.upper()", "n + 1", "[f(x) for x in user]"])
def test_code_in_braces_is_named(code: str) -> None:
    """It is sent as it stands, and a note says so once; code without a variable is none."""
    text, notes, _ = fill(f"Is {{{code}}} right? {{{code}}}", NAMES)
    assert text == f"Is {{{code}}} right? {{{code}}}"
    (note,) = notes
    assert code in note
    assert "runs no code" in note
    assert fill("{print(1)} {unknown + 1} {n} {name}", NAMES).notes == []


@pytest.mark.parametrize("library", [pandas, polars])
def test_a_table_stands_on_lines_of_its_own(library: Any) -> None:
    """Markdown reads a table only there; that it was cut is said in the prompt and in a note."""
    frame = library.DataFrame({"a": range(200)})
    text, notes, _ = fill("My table: {df} What is in it?", {"df": frame})
    before, header, *_ = text.split("\n\n", 1)[0], text.split("\n\n", 1)[1]
    assert before == "My table: "
    assert header.startswith("| ")
    assert text.endswith("(The first 30 of 200 rows are shown.)\n\n What is in it?")
    assert notes == ["Of {df} the first 30 of 200 rows were sent."]
    assert fill("{df}", {"df": frame[:3]}).text == as_text(frame[:3])
    series = frame["a"]
    assert fill("{s[:2]}", {"s": series}).text == as_text(series[:2])


def test_whatever_is_cut_is_named() -> None:
    """Long cells and numpy's short form, as well as rows; columns may share a name."""
    names = {
        "long": pandas.DataFrame({"comment": ["word " * 40, "word"] * 2}),
        "array": numpy.arange(5_000),
        "twins": pandas.DataFrame([[1, 2]] * 40, columns=["a", "a"], index=[0.5] * 40),
    }
    assert fill("{long} {array}", names).notes == [
        "Of {long} 2 long cells cut to 80 characters.",
        "Of {array} numpy's short form was sent.",
    ]
    text, notes, _ = fill("{twins}", names)
    assert text.startswith("|  | a | a |")
    assert notes == ["Of {twins} the first 30 of 40 rows were sent."]
