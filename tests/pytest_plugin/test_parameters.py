"""Parameters of notebooks: their values, their names, and the cassette of each set of values."""

from __future__ import annotations

from typing import Any

import pytest

from chatnb.pytest_plugin.notebook_files.parameters import (
    BadParameterError,
    cassette_suffix,
    parse_parameters,
    with_parameters,
)

VALUES: list[dict[str, Any]] = [
    {},
    {"a": 3},
    {"a": 3.0},
    {"a": "3"},
    {"a": True},
    {"a": "true"},
    {"a": None},
    {"a": ""},
    {"a": "New York"},
    {"a": "New-York"},
    {"a": "New/York"},
    {"a": "\u6771\u4eac"},
    {"a": "x.b=y"},
    {"a": "x", "b": "y"},
    {"a": [1, 2]},
    {"a": "[1, 2]"},
    {"a": {"b": 1}},
    {"a": "x" * 300},
    {"a": "x" * 301},
    {"a": "\u6771" * 300},
]


def test_each_set_of_values_has_a_cassette_of_its_own() -> None:
    """Values of any kind make different names, which every file system takes."""
    suffixes = [cassette_suffix(values) for values in VALUES]
    assert len(set(suffixes)) == len(VALUES)
    assert all(len(suffix.encode()) < 150 for suffix in suffixes)
    assert not any(character in suffix for suffix in suffixes for character in '/\\:*?"<>| ')


@pytest.mark.parametrize("given", ["a=NaN", "a=1e999", "a=-Infinity", "a=[1, NaN]", 'a={"b": NaN}'])
def test_a_number_that_is_not_finite_is_refused(given: str) -> None:
    """Python has no literal for it; in quotes it is a text."""
    with pytest.raises(ValueError, match="is no finite number"):
        parse_parameters([given])
    assert parse_parameters(['a="NaN"']) == {"a": "NaN"}


@pytest.mark.parametrize(
    "source",
    [
        "a = 1",
        "a: int = 1",
        "a = b = 1",
        "a, b = 1, 2",
        "%matplotlib inline\n!ls\na = 1",
        "[a] = [1]",
    ],
)
def test_every_way_to_assign_a_parameter_counts(source: str) -> None:
    """The values of a run follow after it; a name that is only used is none."""
    assert with_parameters(source, {"a": "x"}).endswith("\na = 'x'")
    with pytest.raises(BadParameterError, match="there is no parameter c"):
        with_parameters(f"{source}\nd = [c for e in a]", {"c": 1})
