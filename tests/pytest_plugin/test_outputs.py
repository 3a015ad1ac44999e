"""The comparison of a cell's outputs, by their data alone."""

from __future__ import annotations

from typing import Any

import pytest

from chatnb.pytest_plugin.outputs import EXACT, difference, facts_in, readable, structure

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


@pytest.mark.parametrize("short", ["< 1 ms", "\\< 1 ms", "&lt; 1 ms"])
def test_short_durations_are_durations(short: str) -> None:
    """In plain text, in Markdown and in HTML."""
    old, new = displays(f"| {short} | stop |", "text/markdown"), "| 10.5 ms | stop |"
    assert difference(old, displays(new, "text/markdown")) == ""


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


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("Bake it for 30 min.", "Bake it for 90 min."),
        ("It leaves at 12:30:00.", "It leaves at 18:30:00."),
        ("Founded on 1969-07-20 20:17.", "Founded on 1969-07-21 20:17."),
        ("Its hash is d41d8cd98f00b204e9800998ecf8427e.",
         "Its hash is d41d8cd98f00b204e9800998ecf8427f."),
        ("It listens on localhost:8080.", "It listens on localhost:8081."),
        ("It is in /tmp/a/b.", "It is in /tmp/a/c."),
        ("It writes 50 tokens/s.", "It writes 60 tokens/s."),
        ("At 0xdeadbeef01.", "At 0xdeadbeef02."),
    ],
)  # fmt: skip
def test_what_stands_in_a_reply_is_compared(said: str, instead: str) -> None:
    """Though it looks like what varies: in the saved output, in the new one, or in both."""
    old, new = displays(said, "text/markdown"), displays(instead, "text/markdown")
    for replies in (said, instead, said + instead):
        assert difference(old, new, facts=facts_in(f"text: {replies}"))
        assert difference(old, old, facts=facts_in(f"text: {replies}")) == ""
    assert difference(old, new, facts=facts_in("text: Nothing.")) == ""


def test_differences_are_shown_as_they_are() -> None:
    """Two lines that differ are not both `<id>`; what only varies is no difference."""
    old = displays("1.2 s\nchatcmpl-abcdefgh1 said 5", "text/markdown")
    new = displays("3.4 s\nchatcmpl-abcdefgh2 said 6", "text/markdown")
    assert difference(old, new).splitlines()[1:] == [
        "  1.2 s",
        "- chatcmpl-abcdefgh1 said 5",
        "+ chatcmpl-abcdefgh2 said 6",
    ]


@pytest.mark.parametrize(
    ("old", "new", "mime"),
    [
        ("1.2 s", "3.4 s", "text/plain"),
        ("chatcmpl-abcdefgh1", "chatcmpl-abcdefgh2", "text/markdown"),
        ("\x1b[31mred\x1b[0m", "red", "text/html"),
        ("AAAA", "BBBB", "image/png"),
        ("AAAA", "BBBB", "image/jpeg"),
    ],
)
def test_nothing_varies_where_outputs_must_be_exact(old: str, new: str, mime: str) -> None:
    """Texts and images; the ends of lines within an image's data say nothing."""
    assert difference(displays(old, mime), displays(new, mime), facts=EXACT)
    assert difference(displays(old, mime), displays(old, mime), facts=EXACT) == ""
    assert difference(displays(old, mime), displays(new, mime)) == ""
    if "image" in mime:
        wrapped = displays(f"{old[:2]}\n{old[2:]}\n", mime)
        assert difference(displays(old, mime), wrapped, facts=EXACT) == ""
