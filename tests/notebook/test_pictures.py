"""Figures, images and files of a prompt go to the model as parts of the message."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import HTML, SVG, Audio, Markdown
from IPython.display import Image as NotebookImage
from PIL import Image

from chatnb.notebook.attachments import LIMITS
from chatnb.notebook.pictures import file_at, shown_bytes
from chatnb.notebook.prompt import fill
from chatnb.schema.content.parts import picture_png
from tests.support.example_model import answer_example
from tests.support.loopback import LoopbackServer

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")
from matplotlib import pyplot  # noqa: E402
from matplotlib.animation import FuncAnimation  # noqa: E402

WAV = b"RIFF\x24\0\0\0WAVEfmt " + bytes(20)
PNG = picture_png(Image.new("RGB", (3, 2), "red")) or b""


class FacetGrid:
    """A grid like seaborn's, which can be saved and is no figure."""

    __module__ = "seaborn.axisgrid"

    def __init__(self, figure: Any) -> None:
        self.figure, self.savefig = figure, figure.savefig


@pytest.fixture(scope="module")
def drawn() -> Iterator[dict[str, Any]]:
    """A figure, and everything that stands for it in a notebook."""
    figure, axes = pyplot.subplots(figsize=(1, 1))
    lines = axes.plot([1, 2])
    several, grid = pyplot.subplots(2, 2, figsize=(1, 1))
    moving = FuncAnimation(figure, lambda frame: lines, frames=2)
    yield {
        "figure": figure,
        "axes": axes,
        "lines": lines,
        "line": lines[0],
        "grid": grid,
        "row": grid[0],
        "moving": moving,
        "facets": FacetGrid(figure),
    }
    moving._draw_was_started = True  # It warns of an animation that nobody saw.
    pyplot.close(figure)
    pyplot.close(several)


@pytest.fixture
def shell(
    bare_shell: InteractiveShell, loopback: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> InteractiveShell:
    loopback.plays(answer_example)
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", loopback.base_url)
    monkeypatch.setenv("CHATNB_STORE", ":memory:")
    bare_shell.run_line_magic("load_ext", "chatnb")
    return bare_shell


@pytest.mark.parametrize(
    "name", ["figure", "axes", "lines", "line", "grid", "row", "moving", "facets"]
)
def test_what_is_drawn_goes_as_a_picture(drawn: dict[str, Any], name: str) -> None:
    """A figure, its axes, and what a plotting call returned are one and the same picture."""
    prompt = fill(f"What does {{{name}}} show?", drawn)
    (attachment,) = prompt.attachments
    assert prompt.text == f"What does [{name}.png] show?"
    assert attachment.data.startswith(b"\x89PNG")
    (note,) = prompt.notes
    assert note.startswith(f"{{{name}}} was sent as the file {name}.png, ")


@pytest.mark.parametrize(
    ("reference", "value", "file"),
    [
        ("picture", Image.new("RGB", (2, 2)), "picture.png"),
        ("shown", NotebookImage(data=PNG), "shown.png"),
        ("found['a']", {"a": Image.new("L", (2, 2))}, "found_a.png"),
        ("array:image", numpy.zeros((2, 3)), "array.png"),
        ("array:image", numpy.zeros((2, 3, 4), numpy.uint8), "array.png"),
        ("array:image", numpy.eye(3, dtype=bool), "array.png"),
        ("array:image", numpy.array([[numpy.nan, -5], [7, 1e9]]), "array.png"),
    ],
)
def test_images_go_as_pictures(reference: str, value: Any, file: str) -> None:
    """Images, and arrays that are asked for as one, are PNG files under their names."""
    name = reference.partition("[")[0].partition(":")[0]
    prompt = fill(f"{{{reference}}}", {name: value})
    assert [each.name for each in prompt.attachments] == [file]
    assert prompt.attachments[0].data.startswith(b"\x89PNG")


@pytest.mark.parametrize("value", [numpy.zeros(3), [1, 2], "a.png", Path("missing.png"), object])
def test_what_is_no_picture_stays_text(value: Any) -> None:
    """Arrays, lists, texts and paths of nothing are text as before."""
    assert not fill("{value}", {"value": value}).attachments


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (numpy.zeros(3), "height x width"),
        (numpy.zeros((0, 0)), "real numbers.* 0 x 0"),
        (numpy.zeros((2, 2), complex), "real numbers.*complex"),
        (numpy.array([["a"]], object), "real numbers.*object"),
    ],
)
def test_an_array_of_no_picture_says_why(array: Any, said: str) -> None:
    """`{array:image}` of another shape or of no numbers is refused with what a picture is."""
    with pytest.raises(LookupError, match=rf"^\{{array:image\}} in the prompt cannot.*{said}"):
        fill("{array:image}", {"array": array})


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (SVG(data="<svg></svg>"), ("value.svg", b"<svg/>")),
        (Audio(data=WAV), ("value.wav", WAV)),
        (HTML("<b>bold</b>"), "<b>bold</b>"),
        (Markdown("**bold**"), "**bold**"),
    ],
    ids=["svg", "audio", "html", "markdown"],
)
def test_displays_go_as_what_they_show(value: Any, sent: Any) -> None:
    """A display of IPython is sent as its data, and never as the name of its class."""
    prompt = fill("{value}", {"value": value})
    shown = [(each.name, each.data) for each in prompt.attachments] or [prompt.text]
    assert shown == [sent]


def test_a_picture_that_is_an_address_is_refused() -> None:
    """Nothing is fetched, and no name of a class is sent in its place."""
    with pytest.raises(LookupError, match="only an address"):
        fill("{value}", {"value": NotebookImage(url="http://127.0.0.1:9/a.png")})


def test_a_path_without_a_file_says_so(tmp_path: Path) -> None:
    """The path itself is sent, as it may be meant, with a note."""
    values = {"missing": tmp_path / "missing.pdf", "folder": tmp_path}
    prompt = fill("Read {missing} in {folder}", values)
    assert prompt.text == f"Read {tmp_path / 'missing.pdf'} in {tmp_path}"
    assert [note.partition(";")[0] for note in prompt.notes] == [
        "{missing} is no file that is there",
        "{folder} is a folder",
    ]


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("photo.png", PNG, "image_url"),
        ("report.pdf", b"%PDF-1.4 ...", "file"),
        ("notes.txt", "Grüße".encode(), "text"),
        ("spoken.wav", WAV, "input_audio"),
    ],
)
def test_files_reach_the_wire(
    shell: InteractiveShell,
    loopback: LoopbackServer,
    tmp_path: Path,
    name: str,
    data: bytes,
    kind: str,
) -> None:
    """A path in a variable and `--file` send the file, after the text that names it."""
    path = tmp_path / name
    path.write_bytes(data)
    shell.user_ns["path"] = path
    assert shell.run_cell("%%chat\nLook at {path}.").success
    assert shell.run_cell(f"%%chat --file '{path}'\nLook.").success
    first, second = (exchange.body["messages"][-1]["content"] for exchange in loopback.exchanges)
    assert first[0]["text"] == f"Look at [{name}]."
    assert second[0]["text"] == "Look."
    assert first[1] == second[1]
    assert first[1]["type"] == kind
    sent = {
        "image_url": lambda: first[1]["image_url"]["url"],
        "file": lambda: first[1]["file"]["file_data"],
        "text": lambda: first[1]["text"],
        "input_audio": lambda: first[1]["input_audio"]["data"],
    }[kind]()
    assert (data.decode() if kind == "text" else base64.b64encode(data).decode()) in sent


def test_a_picture_is_in_the_conversation(
    shell: InteractiveShell, loopback: LoopbackServer, drawn: dict[str, Any]
) -> None:
    """Pictures go along with the follow-up, and once only."""
    shell.user_ns.update(drawn)
    assert shell.run_cell("%%chat\nWhat does {figure} show, {figure}?").success
    assert shell.run_cell("%%chat\nAnd its title?").success
    messages = loopback.exchanges[-1].body["messages"]
    pictures = [
        part for message in messages for part in message["content"] if isinstance(part, dict)
    ]
    assert [part["type"] for part in pictures] == ["text", "image_url"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "FileNotFoundError"),
        (b"\0\1\2", "no image"),
        (b"\x89PNG\r\n\x1a\n" + b"0" * 6_000_000, "the most is 5 MB"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is(
    shell: InteractiveShell,
    loopback: LoopbackServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    data: bytes | None,
    said: str,
) -> None:
    """A file that is missing, too large or of no known kind costs nothing and says why."""
    path = tmp_path / "thing.bin"
    if data is not None:
        path.write_bytes(data)
    assert not shell.run_cell(f"%%chat --file '{path}'\nLook.").success
    shown = capsys.readouterr()
    assert said in shown.out + shown.err
    assert not loopback.exchanges


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has other pipes")
@pytest.mark.parametrize("written", ["--file {path}\nLook.", "-t 1\nLook at {{path}}."])
def test_what_has_no_end_is_not_read(
    shell: InteractiveShell, tmp_path: Path, capsys: pytest.CaptureFixture[str], written: str
) -> None:
    """A device or a pipe is refused, or is no file of the prompt; nobody waits for it."""
    os.mkfifo(path := tmp_path / "pipe")
    shell.push({"path": path})
    assert shell.run_cell(f"%%chat {written.format(path=path)}").success == ("-t" in written)
    shown = capsys.readouterr()
    assert ("a device or a pipe" in shown.out + shown.err) == ("--file" in written)


def test_a_model_that_cannot_see_refuses_by_name(
    shell: InteractiveShell, drawn: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """The embedded model says that it takes no pictures, and is not asked."""
    shell.user_ns.update(drawn)
    assert not shell.run_cell("%%chat -m local:smollm2\nWhat does {figure} show?").success
    shown = capsys.readouterr()
    said = shown.out + shown.err
    assert "SmolLM2, the small model that chatnb brings, takes no image_url. " in said


class Plot:
    """A figure as plotly's, whose picture another package makes."""

    __module__ = "plotly.graph_objs"

    def __init__(self, result: bytes | Exception) -> None:
        self.result = result

    def __format__(self, spec: str) -> str:
        return format("a plot", spec)

    def to_image(self, format: str) -> bytes:
        assert format == "png"
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def test_a_figure_of_plotly_goes_as_a_picture() -> None:
    """As the package makes it."""
    (file,) = fill("{plot}", {"plot": Plot(PNG)}).attachments
    assert (file.name, file.mime, file.data) == ("plot.png", "image/png", PNG)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("No\n  Chrome."), "(RuntimeError: No Chrome.)"),
        (
            ValueError("Needs kaleido."),
            "(ValueError: Needs kaleido.). Install kaleido: pip install kaleido",
        ),
        (
            ImportError("No kaleido."),
            "(ImportError: No kaleido.). Install kaleido: pip install kaleido",
        ),
    ],
)
def test_a_figure_of_plotly_without_a_picture_says_why(error: Exception, told: str) -> None:
    """And what to install."""
    with pytest.raises(LookupError) as caught:
        fill("{plot}", {"plot": Plot(error)})
    assert str(caught.value) == (
        "{plot} in the prompt cannot be sent (ValueError: plotly makes no picture of it "
        f"{told}). Write {{{{plot}}}} for literal braces."
    )


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "1 KB"),
        (2_047, "1 KB"),
        (2_048, "2 KB"),
        (1024**2 - 1, "1023 KB"),
        (1024**2, "1.0 MB"),
        (1024**2 * 5 // 2, "2.5 MB"),
    ],
)
def test_sizes_are_written_for_people(size: int, text: str) -> None:
    """Nothing is as small as no kilobyte."""
    assert shown_bytes(size) == text


def test_files_at_the_limit_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And larger ones, folders and files that are not there are refused."""
    monkeypatch.setitem(LIMITS, "attachment_bytes", 2 * 1024**2)
    file = tmp_path / "a.bin"
    file.write_bytes(bytes(2 * 1024**2))
    read = file_at(file)
    assert (read.name, read.mime, len(read.data)) == ("a.bin", "", 2 * 1024**2)
    file.write_bytes(bytes(2 * 1024**2 + 60_000))
    with pytest.raises(ValueError, match=r"^it has 2\.1 MB; the most is 2 MB$"):
        file_at(str(file))
    for missing in (tmp_path, tmp_path / "none"):
        with pytest.raises(ValueError, match="Error: "):
            file_at(missing)


@pytest.mark.parametrize("reference", ["plot!r", "plot!s", "plot:>30"])
def test_a_figure_with_a_format_is_text(reference: str) -> None:
    """As an f-string has it."""
    plot = Plot(PNG)
    filled = fill(f"{{{reference}}}", {"plot": plot})
    assert filled.attachments == []
    assert filled.text
    assert "attached" not in filled.text
