from __future__ import annotations

from types import SimpleNamespace

import pandas
import polars
import pytest

from chatnb.notebook.prompt import as_text, fill

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
    ],
)
def test_variables_are_put_in(template: str, prompt: str) -> None:
    """A reference to an existing variable, dotted or indexed, is replaced by its value."""
    assert fill(template, NAMES) == prompt


@pytest.mark.parametrize(
    "text",
    [
        "{unknown} {unknown.part}",
        "{n + 1} {len(name)} {name!r} {n:.2f} {user.tags[n]} { n } {}",
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
    assert fill(text, NAMES) == text


def test_double_braces_write_the_reference_itself() -> None:
    """`{{name}}` is how one writes `{name}` where the variable exists."""
    assert fill("{{name}} is {name}; {{user.name}}", NAMES) == "{name} is Ada; {user.name}"


@pytest.mark.parametrize(
    "template", ["{user.nothing}", "{user.tags[9]}", "{row['nothing']}", "{n[0]}"]
)
def test_a_missing_part_is_an_error_that_names_it(template: str) -> None:
    """An existing variable without that part is a mistake, told before the model is asked."""
    with pytest.raises(LookupError) as raised:
        fill(template, NAMES)
    assert template in raised.value.args[0]
    assert "literal braces" in raised.value.args[0]


def test_braces_in_a_value_are_not_filled_again() -> None:
    """What a value says is data, not a template."""
    assert fill("{a}", {"a": "{b}", "b": "secret"}) == "{b}"


def greet(name: str) -> str:
    """Say hello."""
    return f"Hello {name}"


def test_a_function_goes_in_as_its_source() -> None:
    """A model reads code better than `<function greet at 0x...>`."""
    assert fill("Explain:\n{greet}", {"greet": greet}).startswith("Explain:\ndef greet(name: str)")
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
