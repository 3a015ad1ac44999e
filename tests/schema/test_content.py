from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from chatnb.schema import HumanMessage, audio_part, file_part, image_part, text_part

PNG = b"\x89PNG\r\n\x1a\n" + b"rest"
IMAGES = {
    "png": PNG,
    "jpeg": b"\xff\xd8\xff\xe0",
    "gif": b"GIF89a",
    "webp": b"RIFF\0\0\0\0WEBPVP8 ",
}
WAV, MP3, PDF = b"RIFF\0\0\0\0WAVEfmt ", b"ID3\x04", b"%PDF-1.7"


def data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def drawing(module: str, method: str) -> Any:
    """Stands in for an object of a package that draws: a class of that module that saves PNGs."""

    def save(self: object, buffer: Any, **options: Any) -> None:
        assert options["format"].lower() == "png"
        buffer.write(PNG)

    return type("Drawing", (), {"__module__": module, method: save})()


def test_text_is_a_part() -> None:
    """Text parts have OpenAI's form and go into a message with others."""
    assert text_part("Hi") == {"type": "text", "text": "Hi"}
    assert HumanMessage([text_part("Hi"), image_part(PNG)]).text == "Hi"


@pytest.mark.parametrize("url", ["https://a.example/b.png", "http://x/y", "data:image/png;base64,"])
def test_an_image_by_its_address_is_sent_as_that(url: str) -> None:
    """Addresses are left to the provider, with the detail that is asked for."""
    part = image_part(url, detail="low")
    assert part == {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("form", ["bytes", "path", "text"])
def test_an_image_is_known_by_its_bytes(kind: str, form: str, tmp_path: Path) -> None:
    """Bytes and files become data URLs of their true kind, whatever the file's name says."""
    path = tmp_path / "image.dat"
    path.write_bytes(IMAGES[kind])
    source = {"bytes": IMAGES[kind], "path": path, "text": str(path)}[form]
    assert image_part(source)["image_url"]["url"] == data_url(f"image/{kind}", IMAGES[kind])


@pytest.mark.parametrize(
    ("module", "method"), [("PIL.Image", "save"), ("matplotlib.figure", "savefig")]
)
def test_what_draws_is_known_without_importing_it(module: str, method: str) -> None:
    """A PIL image and a matplotlib figure are told by their module and saved as PNG."""
    part = image_part(drawing(module, method))
    assert part["image_url"]["url"] == data_url("image/png", PNG)


def test_a_real_pil_image_is_a_part() -> None:
    """Images of Pillow work, if it is installed."""
    image = pytest.importorskip("PIL.Image").new("RGB", (2, 2))
    assert image_part(image)["image_url"]["url"].startswith("data:image/png;base64,")


def test_a_real_figure_is_a_part() -> None:
    """Figures of matplotlib work, if it is installed."""
    figure = pytest.importorskip("matplotlib.figure").Figure()
    assert image_part(figure)["image_url"]["url"].startswith("data:image/png;base64,")


@pytest.mark.parametrize(("data", "form"), [(WAV, "wav"), (MP3, "mp3"), (b"\xff\xfb\x90", "mp3")])
def test_audio_names_its_format(data: bytes, form: str) -> None:
    """WAV and MP3 go as base64 with their format's name."""
    audio = {"data": base64.b64encode(data).decode(), "format": form}
    assert audio_part(data) == {"type": "input_audio", "input_audio": audio}


def test_a_file_keeps_its_name(tmp_path: Path) -> None:
    """A PDF is sent with the name it has, or is given; an uploaded file by its id."""
    path = tmp_path / "paper.pdf"
    path.write_bytes(PDF)
    names = [
        part["file"]["filename"]
        for part in (file_part(path), file_part(path, filename="a.pdf"), file_part(PDF))
    ]
    assert names == ["paper.pdf", "a.pdf", "file.pdf"]
    assert file_part(path)["file"]["file_data"] == data_url("application/pdf", PDF)
    assert file_part("file-1") == {"type": "file", "file": {"file_id": "file-1"}}


@pytest.mark.parametrize("make", [image_part, audio_part, file_part])
@pytest.mark.parametrize("path", ["nowhere.bin", "x" * 5000, "a\0b", "."])
def test_a_file_that_is_not_there_is_named(make: Any, path: str) -> None:
    """A path where no file is, is an error that shows the path's start."""
    with pytest.raises(FileNotFoundError, match=r"There is no (image|audio|file) at the path"):
        make(path)


@pytest.mark.parametrize("make", [image_part, audio_part, file_part])
@pytest.mark.parametrize(
    ("data", "said"), [(b"<svg/>", "the formats that models read"), (b"", "0")]
)
def test_an_unknown_kind_says_what_is_known(make: Any, data: bytes, said: str) -> None:
    """Bytes that models do not read are refused before they are sent."""
    with pytest.raises(ValueError, match=said):
        make(data)


@pytest.mark.parametrize(("make", "data"), [(image_part, PNG), (audio_part, WAV), (file_part, PDF)])
def test_what_is_too_large_is_refused(make: Any, data: bytes, tmp_path: Path) -> None:
    """Sizes are checked before a file is read, and both numbers are shown."""
    path = tmp_path / "large"
    path.write_bytes(data)
    for source in (data, path):
        with pytest.raises(ValueError, match=rf"has {len(data)} bytes; the maximum is 3"):
            make(source, max_bytes=3)


@pytest.mark.parametrize("make", [image_part, audio_part, file_part])
def test_another_source_says_what_is_taken(make: Any) -> None:
    """An object of another kind is a TypeError that lists the sources."""
    with pytest.raises(TypeError, match=r"takes a path or bytes.* not int"):
        make(3)


def test_other_bad_parts_are_refused() -> None:
    """Text must be a string, and an image's address one that providers fetch."""
    with pytest.raises(TypeError, match="A text part is a string, not int"):
        text_part(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"begins with https:.* not 'ftp://a/b.png'"):
        image_part("ftp://a/b.png")


def test_a_picture_for_print_is_turned_into_one_for_screens() -> None:
    """PNG knows no CMYK; a picture of any mode goes in."""
    image = pytest.importorskip("PIL.Image")
    for mode in ("CMYK", "F", "RGBA", "1"):
        url = image_part(image.new(mode, (2, 2)))["image_url"]["url"]
        assert url.startswith("data:image/png;base64,")


def test_a_url_may_be_written_in_capitals() -> None:
    """A scheme is the same in any case."""
    assert image_part("HTTPS://x.test/a.png")["image_url"]["url"] == "HTTPS://x.test/a.png"
