"""The regions of Markdown: code in every kind of block, spans, and nothing of what follows."""

from __future__ import annotations

from itertools import product

import pytest

from chatnb.markdown.regions import code_regions

FENCE = "```\nx $ `y`\n```"
TILDES = "~~~~ py\n```\n~~~~"
INDENTED = "    x `y`"
BEFORE = {
    "nothing": "",
    "paragraph": "some text\n\n",
    "quote": "> quoted\n\n",
    "nested quote": "> > quoted\n>\n> more\n\n",
    "list": "- one\n- two\n\nend\n\n",
    "nested list": "1. one\n   - two\n\nend\n\n",
    "indented": "    code\n\nend\n\n",
    "heading": "# head\n",
    "table": "| a | b |\n|---|---|\n| `c` | d |\n\n",
    "html": "<div>\nx\n</div>\n\n",
    "rule": "---\n",
}


def found(text: str) -> list[tuple[str, str]]:
    return [(region.type, text[region.start : region.end]) for region in code_regions(text)]


def within(block: str, first: str, rest: str) -> str:
    """Put a block into a container, such as a quote, by what begins its lines."""
    return first + block.replace("\n", f"\n{rest}")


CONTAINERS = {
    "none": ("", ""),
    "quote": ("> ", "> "),
    "list": ("- ", "  "),
    "numbers": ("10. ", "    "),
    "quote in list": ("- > ", "  > "),
    "list in quote": ("> - ", ">   "),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("block", [FENCE, TILDES])
def test_a_fence_is_code_wherever_it_stands(container: str, block: str) -> None:
    """After and within quotes, lists and indented blocks; the text behind it is none."""
    code = within(block, *CONTAINERS[container])
    for before in BEFORE.values():
        text = f"{before}{code}\n\nbehind `span` it"
        start = len(before)
        (region,) = (one for one in code_regions(text) if one.type == "code" and one.start >= start)
        assert (region.start, text[region.start : region.end].rstrip("\n")) == (start, code)
        assert ("span", "`span`") in found(text)


@pytest.mark.parametrize(("before", "container"), product(BEFORE, ["none", "quote", "list"]))
def test_an_indented_block_is_code(before: str, container: str) -> None:
    """Also within containers, and its backticks are no span."""
    code = within(INDENTED, *CONTAINERS[container])
    text = f"{BEFORE[before]}{code}\n\nbehind"
    start = len(BEFORE[before])
    regions = [region for region in code_regions(text) if region.start >= start]
    assert [(r.type, text[r.start : r.end].rstrip("\n")) for r in regions] == [("code", code)]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("a `b` c `d`", ["`b`", "`d`"]),
        ("``a ` b``", ["``a ` b``"]),
        ("\\`a `b` c", ["`b`"]),
        ("\\\\`a`", ["`a`"]),
        ("`a\\` b", ["`a\\`"]),
        ("`a", []),
        ("a `b\n\nc` d", []),
        ("a `b\nc` d", ["`b\nc`"]),
        ("> `a` b\n> `c`", ["`a`", "`c`"]),
        ("- `a`\n- `b`\n\n1. `c`", ["`a`", "`b`", "`c`"]),
        ("| `a` | `b` |\n|---|---|\n| `c` | `d` |", ["`a`", "`b`", "`c`", "`d`"]),
        ("# `a`\n\n> - `b`", ["`a`", "`b`"]),
    ],
)
def test_a_span_ends_at_the_nearest_run_of_its_length(text: str, spans: list[str]) -> None:
    """Within one block, whatever contains it; an escaped backtick begins none."""
    assert found(text) == [("span", span) for span in spans]


def test_a_span_of_three_backticks_is_code() -> None:
    """A renderer could read its line as the first of a fence."""
    assert found("a ```b``` c") == [("code", "```b```")]


def test_a_text_of_very_many_lines_has_no_regions() -> None:
    """Parsing it would take seconds; only its looks suffer."""
    assert found("`x`\n" * 4_999)
    assert not found("`x`\n" * 5_000)
