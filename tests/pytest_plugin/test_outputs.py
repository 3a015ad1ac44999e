"""The comparison of a cell's outputs, by their data alone."""

from __future__ import annotations

from typing import Any

import pytest

from chatnb.pytest_plugin.outputs import difference, readable, structure

LONG = {f"key {number}": number for number in range(200)}


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


def test_texts_within_json_are_normalized() -> None:
    """Ids and times differ at every run."""
    old, new = ({"at": f"2026-01-0{day}T10:00:00Z", "n": 1} for day in (1, 2))
    assert difference(displays(old), displays(new)) == ""
    assert difference(displays(old), displays({**new, "n": 2}))


@pytest.mark.parametrize("mime", ["image/png", "image/jpeg"])
def test_images_are_compared_by_their_type_alone(mime: str) -> None:
    """Their bytes are others on every machine; that there is one is compared."""
    assert difference(displays("AAAA", mime), displays("BBBB", mime)) == ""
    assert f"{mime} (not compared)" in structure(displays("AAAA", mime))
    assert f"- {mime} (not compared)" in difference(displays("A", mime), displays({"a": 1}))


def test_the_similarity_that_a_tag_requires_is_that_of_the_least_alike() -> None:
    """A whole text that is alike does not make up for data that is not."""
    old, new = displays({"answer": "Ada"}), displays({"answer": "Bob"})
    assert difference(old, new, approx=0.5) == ""
    assert "the cell's tag requires 0.99" in difference(old, new, approx=0.99)


def test_the_most_readable_type_is_shown() -> None:
    """Markdown before text, text before HTML, HTML before data."""
    data = {"application/json": {"a": 1}, "text/html": "<b>h</b>", "text/plain": "t"}
    shown = [{"output_type": "execute_result", "data": data, "metadata": {}}]
    for text, mime in (("t", "text/plain"), ("<b>h</b>", "text/html"), ('{\n  "a": 1\n}', "")):
        assert readable(shown) == text
        data.pop(mime, None)
    assert readable(displays("AAAA", "image/png")[:0]) == ""
