"""Masks that are learned from replays, written as text, and applied to others."""

from __future__ import annotations

import pytest

from chatnb.errors import CassetteError
from chatnb.pytest_plugin.masks.cell_masks import (
    CellMask,
    NotebookMasks,
    learn_part,
    mask_to_data,
)
from chatnb.pytest_plugin.masks.learning import ReplyTexts, learn_line

NO_REPLIES = ReplyTexts()

VARYING = [
    ("Took 0.34 seconds.", "Took 17 seconds.", "Took 1 second."),
    ("0.001 s", "1,234.5 s", "12 ms"),
    ("12.3 ns ± 0.4 ns per loop (mean ± std. dev. of 7 runs, 100,000 loops each)",
     "1.2 μs ± 4 ns per loop (mean ± std. dev. of 7 runs, 10 loops each)",
     "99 ms ± 1 s per loop (mean ± std. dev. of 7 runs, 1 loops each)"),
    ("CPU times: user 3 μs, sys: 0 ns, total: 3 μs", "CPU times: user 9 ms, sys: 2 μs, total: 1 s",
     "CPU times: user 5.1 ms, sys: 21 ms, total: 26 ms"),
    ("100%|████| 3/3 [00:00<00:00, 312.45it/s]", "100%|████| 3/3 [00:07<00:00,  1.45it/s]",
     "100%|████| 3/3 [00:01<00:00, 17.00it/s]"),
    ("Peak 145.2 MB", "Peak 188 MB", "Peak 1.1 GB"),
    ("datetime.datetime(2026, 1, 2, 5, 37, 18, 12)", "datetime.datetime(2026, 1, 2, 7, 1, 3, 4567)",
     "datetime.datetime(2026, 1, 2, 6, 0, 59, 9)"),
    ("Took datetime.timedelta(microseconds=421788)",
     "Took datetime.timedelta(seconds=199, microseconds=745122)", "Took datetime.timedelta(0)"),
    ("2026-01-02T05:37:18.25Z", "2026-01-02T07:01:03.5Z", "2026-01-02T06:59:00.75Z"),
    ("05:37 AM", "01:07 PM", "12:59 AM"),
    ("/home/ann/data/a.csv", "/tmp/chatnb-1x/home2/data/a.csv", "/Users/bob/data/a.csv"),
    ("'/srv/my-notes/nb'", "'/srv/folder2'", "'/srv/builds/a-b-c/7/nb'"),
    ("'/tmp/hd-str/nb'", "'/tmp/chatnb-x1y2/folder2'", "'/tmp/hd-str/rep0/nb'"),
    ("/tmp/tmpab_c1/b", "/tmp/x/tmp2/tmpzz9/b", "/var/folders/t/tmpqwerty/b"),
    ("Host devbox, port 40123", "Host host2.example, port 8", "Host ci-7, port 65535"),
    ("<object object at 0x7f00aa12>", "<object object at 0x7e11bb>", "<object object at 0x1>"),
    ("id 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", "id 00000000-bbfd-4b2d-9b5d-ab8dfbbd4bed",
     "id ffffffff-0000-4b2d-9b5d-111111111111"),
    ("run-1a2b3c", "run-ffeedd", "run-000000"),
    ("0  0.866882", "0  0.1", "0  0.5"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "third"), VARYING)
def test_what_differs_is_masked_and_nothing_else(one: str, other: str, third: str) -> None:
    """Two replays teach a mask that a third one matches; it survives the cassette, and with any
    other change of the line it is a difference."""
    mask = CellMask({"stdout": learn_part(f"a\n{one}\nb", [f"a\n{other}\nb"], NO_REPLIES)})
    mask = NotebookMasks([mask_to_data(0, None, mask)]).get(0, None)
    texts = [mask.masked("stdout", f"a\n{text}\nb") for text in (one, other, third)]
    assert len(set(texts)) == 1
    for text in (f"{third}.", f"So {third}", "a"):
        assert mask.masked("stdout", f"a\n{text}\nb") != texts[0]
    assert mask.masked("stderr", one) == one


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bake it for 30 min.", "Bake it for 90 min."),
        ("It leaves at 12:30:00.", "It leaves at 18:30:00."),
        ("Founded on 1969-07-20.", "Founded on 1969-07-21."),
        ("Its hash is d41d8cd98f00b204e9800998ecf8427e.",
         "Its hash is d41d8cd98f00b204e9800998ecf8427f."),
        ("It listens on localhost:8080.", "It listens on localhost:8081."),
        ("It is in /tmp/a1/b.", "It is in /tmp/a2/b."),
        ("7", "8"),
        ("Model A: 7 planets", "Model A: 8 planets"),
    ],
)  # fmt: skip
def test_what_stands_in_a_reply_is_never_masked(one: str, other: str) -> None:
    """Though it differs: in the saved replay, in the other one, or in both."""
    for said in (one, other, f"{one} {other}"):
        replies = ReplyTexts(said.removeprefix("Model A: "))
        assert learn_line(one, [other], replies) is None
    assert learn_line(one, [other], ReplyTexts("Nothing.")) is not None


@pytest.mark.parametrize(
    ("one", "other", "reply"),
    [
        ("hash=d41d8cd9", "hash=e41d8cd9", "The hash begins with d41d8cd9."),
        ("Sum: 123456789 (of 3)", "Sum: 987654321 (of 3)", "I get 987654321 in all."),
    ],
)
def test_a_long_value_of_a_reply_is_not_masked_in_other_words(
    one: str, other: str, reply: str
) -> None:
    """A hash or a long number is the reply's wherever it stands; a short one may be any."""
    assert learn_line(one, [other], ReplyTexts(reply)) is None
    assert learn_line("n=7.", ["n=8."], ReplyTexts("There are 7 planets.")) is not None


@pytest.mark.parametrize(("one", "other"), [("Red", "Blue"), ("said red", "said blue"),
                                            ("a b", "b a")])  # fmt: skip
def test_words_are_never_masked(one: str, other: str) -> None:
    """A cell that shows other words each time is named, and wants a tag."""
    assert learn_line(one, [other], NO_REPLIES) is None
    assert learn_part(f"{one}\n", [f"{one}\n{other}\n"], NO_REPLIES) == {}


def test_a_name_is_masked_wherever_it_stands() -> None:
    """The ids of a Styler or an SVG are one entry, not one a line; what is beside is compared."""
    page = '<style>\n#T_{0}_row0 {{}}\n</style>\n<td id="T_{0}_row0">0.5</td>'
    learned = learn_part(page.format("6b1c8"), [page.format("abcde")], NO_REPLIES)
    assert [pattern.text for pattern in learned.values()] == ["#T_⟦6b1c8⟧_row0 {}"]
    mask = CellMask({"text/html": learned})
    texts = [mask.masked("text/html", page.format(name)) for name in ("6b1c8", "12345", "fffff")]
    assert len(set(texts)) == 1
    assert mask.masked("text/html", page.format("12345").replace("0.5", "0.6")) != texts[0]
    broken = page.format("12345").replace('id="T_12345', 'id="T_54321')
    assert mask.masked("text/html", broken) != texts[0]


@pytest.mark.parametrize("here", [0, 1])
def test_a_path_may_hold_a_name_that_varies(here: int) -> None:
    """A path is masked on machines where a folder is named like another part that varies."""
    machines = [
        ("conda1", "/opt/conda1/bin/python3"),
        ("nobody2", "/usr/bin/python3"),
        ("guest33", "/home/x1/py3"),
    ]
    page = "host: {}\npython: {}"
    own = page.format(*machines.pop(here))
    mask = CellMask(
        {"stdout": learn_part(own, [page.format(*each) for each in machines], NO_REPLIES)}
    )

    def masked(text: str) -> str:
        return mask.masked("stdout", text)

    assert masked(page.format("alice9", "/Users/alice9/bin/python3")) == masked(own)
    assert masked(page.format("alice9", "python3")) != masked(own)


def test_a_repr_that_is_broken_by_its_length_is_one_line() -> None:
    """Joined, it is masked and compared like a line; lines that come and go otherwise are not."""
    short, long = "(5, date(1))", "(123456,\n date(1))"
    learned = learn_part(long, [short], NO_REPLIES)
    assert {number: pattern.text for number, pattern in learned.items()} == {
        0: "(⟦123456⟧, date(1))"
    }
    mask = CellMask({"text/plain": learned})
    assert mask.masked("text/plain", short) == mask.masked("text/plain", long)
    assert mask.masked("text/plain", "(5, date(2))") != mask.masked("text/plain", long)
    assert learn_part("a\nb", ["a\nb\nc"], NO_REPLIES) == {}


def test_words_that_are_as_many_by_chance_are_not_compared_one_by_one() -> None:
    """Only the words vary of which one part has one more and another one less."""
    one = "<td>1 ms</td> <td>stop</td> <td>&lt; 1 ms</td> <td>end</td>"
    other = "<td>&lt; 1 ms</td> <td>stop</td> <td>1 ms</td> <td>end</td>"
    pattern = learn_line(one, [other, one.replace("1 ms", "2 s")], NO_REPLIES)
    assert pattern is not None
    assert pattern.match(one.replace("stop", "length")) is None


def test_texts_with_the_marks_of_masks_are_texts() -> None:
    """A line that has them by itself is learned, written and compared like any other."""
    learned = learn_part("⟦a⟧⟧ 1.5 ⟦b⟧", ["⟦a⟧⟧ 22 ⟦b⟧"], NO_REPLIES)
    data = mask_to_data(3, "cell-3", CellMask({"stdout": learned}))
    assert data == {"cell": 3, "id": "cell-3", "stdout": {1: "⟦⟦a⟧⟧⟧⟧ ⟦1.5⟧ ⟦⟦b⟧⟧"}}
    mask = NotebookMasks([data]).get(0, "cell-3")
    assert mask.masked("stdout", "⟦a⟧⟧ 3 ⟦b⟧") == mask.masked("stdout", "⟦a⟧⟧ 4 ⟦b⟧")
    assert mask.masked("stdout", "⟦c⟧⟧ 3 ⟦b⟧") != mask.masked("stdout", "⟦a⟧⟧ 3 ⟦b⟧")


def test_a_long_line_that_does_not_match_takes_no_long_time() -> None:
    """The time is linear for any number of parts that match any text."""
    line = "".join(f"(x{number}) " for number in range(60)) + "end"
    pattern = learn_line(line, [line.replace(")", " 1)")], NO_REPLIES)
    assert pattern is not None
    assert pattern.match("(x1) " * 2000) is None


def test_what_differs_in_a_long_line_is_found() -> None:
    """Also where another number of words varies, beside texts that repeat and a reply."""
    cells = [f'<td style="a: b; c: d; e: f">row {number} · 1 ms</td>' for number in range(150)]
    one = "".join([*cells[:50], "A reply took 9 s. ", *cells[50:]])
    late = one.replace("row 120 · 1 ms", "row 120 · 7 s")
    others = [late.replace("row 3 · 1 ms", f"row 3 · {text}") for text in ("&lt; 1 ms", "2 s")]
    pattern = learn_line(one, others, ReplyTexts("A reply took 9 s."))
    assert pattern is not None
    assert pattern.match(one.replace("row 3 · 1 ms", "row 3 · 5 s")) is not None
    for text in ("row 4 · 1 ms", "row 121 · 1 ms", "9 s"):
        assert pattern.match(one.replace(text, text.replace("1", "2").replace("9", "8"))) is None


def test_patterns_of_lines_that_are_gone_are_dropped() -> None:
    """Those that still match stay as they are."""
    learned = learn_part("1.5 s\n2.5 s", ["1 s\n2 s"], NO_REPLIES)
    mask = CellMask({"stdout": learned, "stderr": learned}).matching({"stdout": "9 s\nover"})
    assert mask.parts == {"stdout": {1: learned[1]}}


@pytest.mark.parametrize("entry", [3, {}, {"cell": "a", "stdout": {1: "x"}},
                                   {"cell": 1, "stdout": {"x": "y"}}, {"cell": 1, "stdout": 4},
                                   {"cell": 1, "stdout": {1: 2}}])  # fmt: skip
def test_an_entry_that_is_no_mask_is_refused(entry: object) -> None:
    """With what is the matter, and not with an error of another type."""
    with pytest.raises(CassetteError, match="no mask"):
        NotebookMasks([entry])
