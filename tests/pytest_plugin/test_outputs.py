"""The comparison of a cell's outputs, by their data alone."""

from __future__ import annotations

from typing import Any

import pytest

from chatnb.pytest_plugin.masks.cell_masks import CellMask
from chatnb.pytest_plugin.masks.line_patterns import LinePattern
from chatnb.pytest_plugin.outputs import Comparison, difference, readable

EXACT = Comparison(is_exact=True)

LONG = {f"key {number}": number for number in range(200)}


def stream(text: str) -> dict[str, Any]:
    return {"output_type": "stream", "name": "stdout", "text": text}


def displays(data: Any, mime: str = "application/json") -> list[dict[str, Any]]:
    """Return a display of data, beside the text that a front end without that type shows."""
    shown = {"text/plain": "<an object>", mime: data}
    return [{"output_type": "display_data", "data": shown, "metadata": {}}]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, [{"a": 1}]),
        ({"a": {"b": [1, {"c": "x"}]}}, {"a": {"b": [1, {"c": "y"}]}}),
        ({"a": None}, {"a": False}),
        ({"a": []}, {"a": {}}),
        ([1, 2], [2, 1]),
        (["a", 1], ["a", 2]),
        ("a", "b"),
        (1, 2),
        ("é", "e"),
        (LONG, {**LONG, "key 199": 0}),
    ],
)
@pytest.mark.parametrize("mime", ["application/json", "application/vnd.plotly.v1+json"])
def test_json_is_compared_whole(old: Any, new: Any, mime: str) -> None:
    """A value anywhere in it that differs is a difference, which is shown, though the text is the
    same; equal data is equal in whatever order its keys are."""
    found = difference(displays(old, mime), displays(new, mime))
    assert found.startswith(f"{mime} differs (- in the notebook, + of this run):")
    assert {"-", "+"} & {line[:1] for line in found.splitlines()[1:]}
    assert difference(displays(old, mime), displays(old, mime)) == ""


def test_the_order_of_keys_does_not_matter() -> None:
    """JSON has none; that of a list does matter."""
    assert difference(displays({"a": 1, "b": {"c": 2, "d": 3}}), displays(
        {"b": {"d": 3, "c": 2}, "a": 1})) == ""  # fmt: skip


def test_a_mask_is_that_of_one_part() -> None:
    """Lines are counted within the first, the second part of a type; others are compared."""
    mask = CellMask({"text/markdown 2": {1: LinePattern("Took ⟦0.34 s⟧")}})
    old = displays("Took 1 s", "text/markdown") + displays("Took 2 s", "text/markdown")
    new = displays("Took 1 s", "text/markdown") + displays("Took 12 ms", "text/markdown")
    assert difference(old, new)
    assert difference(old, new, Comparison(mask)) == ""
    assert difference(new[::-1], old[::-1], Comparison(mask))
    assert readable(new, mask).splitlines()[::2] == ["Took 1 s", "Took …"]


def test_the_similarity_that_a_tag_requires_is_that_of_the_least_alike() -> None:
    """A whole text that is alike does not make up for data that is not."""
    old, new = displays({"answer": "Ada"}), displays({"answer": "Bob"})
    assert difference(old, new, Comparison(similarity=0.5)) == ""
    assert "the cell's tag requires 0.99" in difference(old, new, Comparison(similarity=0.99))


def test_the_most_readable_type_is_shown() -> None:
    """Markdown before text, text before HTML, HTML before data."""
    data = {"application/json": {"a": 1}, "text/html": "<b>h</b>", "text/plain": "t"}
    shown = [{"output_type": "execute_result", "data": data, "metadata": {}}]
    for text, mime in (("t", "text/plain"), ("<b>h</b>", "text/html"), ('{\n  "a": 1\n}', "")):
        assert readable(shown) == text
        data.pop(mime, None)
    assert readable(displays("AAAA", "image/png")[:0]) == ""


def test_differences_are_shown_as_they_are() -> None:
    """Two lines that differ are not both a stand-in; what only varies is no difference."""
    old = displays("1.2 s\nid 1 said 5", "text/markdown")
    new = displays("3.4 s\nid 2 said 6", "text/markdown")
    mask = CellMask({"text/markdown": {1: LinePattern("⟦1 s⟧"), 2: LinePattern("id ⟦1⟧ said 5")}})
    assert difference(old, new, Comparison(mask)).splitlines()[1:] == [
        "  1.2 s",
        "- id 1 said 5",
        "+ id 2 said 6",
    ]


@pytest.mark.parametrize(
    ("old", "new", "mime"),
    [
        ("Took 1.2 s", "Took 3.4 s", "text/plain"),
        ("\x1b[31mred\x1b[0m", "red", "text/html"),
        ("red  \n", "red\n", "text/plain"),
    ],
)
def test_nothing_varies_where_outputs_must_be_exact(old: str, new: str, mime: str) -> None:
    """Neither what is masked elsewhere, nor colours and spaces at the ends of lines."""
    mask = CellMask({"text/plain": {1: LinePattern("Took ⟦1 s⟧")}})
    pair = displays(old, mime), displays(new, mime)
    assert difference(*pair, Comparison(mask, is_exact=True))
    assert difference(pair[0], pair[0], EXACT) == ""
    assert difference(*pair, Comparison(mask)) == ""


@pytest.mark.parametrize("last", ["same\nother\n", "other\n", ""])
def test_outputs_of_megabytes_are_compared_line_by_line(last: str) -> None:
    """Also where a line is repeated so often that each could be any other."""
    old = [stream("same\n" * 200_000)]
    new = [stream("same\n" * 199_999 + last)]
    shown = difference(old, new).splitlines()[1:]
    changed = ["+ other"] if last.startswith("same") else ["- same", *["+ other"][: len(last)]]
    assert shown == ["  same", "  same", *changed]


def test_much_that_differs_is_shown_in_part() -> None:
    """Its beginning and its end, and how many lines there are between; also for `chatnb-approx`."""
    one, other = (stream("".join(f"{n} {word}\n" for n in range(20_000))) for word in "ab")
    for similarity in (None, 0.9):
        shown = difference([one], [other], Comparison(similarity=similarity)).splitlines()
        assert "- 0 a" in shown
        assert "  ... 39800 more lines ..." in shown
        assert shown[-1] == "+ 19999 b"
    assert difference([one], [other], Comparison(similarity=0.4)) == ""
