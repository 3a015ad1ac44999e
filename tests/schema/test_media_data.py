"""The data of replies' media as files."""

from __future__ import annotations

import base64

import pytest

from chatnb.markdown.media import is_base64, is_shown
from chatnb.schema import AIMessage
from chatnb.schema.content.media_data import media_file

FILES = {
    "image/png": b"\x89PNG\r\n\x1a\n" + bytes(20),
    "image/jpeg": b"\xff\xd8\xff" + bytes(20),
    "image/webp": b"RIFF\0\0\0\0WEBP" + bytes(20),
    "audio/wav": b"RIFF\0\0\0\0WAVE" + bytes(20),
    "audio/mp3": b"ID3" + bytes(20),
    "audio/ogg": b"OggS" + bytes(20),
    "audio/flac": b"fLaC" + bytes(20),
    "audio/aac": b"\xff\xf1" + bytes(20),
}


def encoded(file: bytes) -> str:
    return base64.b64encode(file).decode()


@pytest.mark.parametrize("mime", FILES)
def test_the_bytes_of_a_file_decide_about_its_type(mime: str) -> None:
    """A server that names another type of the same family, in capitals or none, is corrected."""
    family, data = mime.partition("/")[0], encoded(FILES[mime])
    others = [named for named in FILES if named.startswith(family)]
    for named in (mime.upper(), f"{mime}; codecs=1", "", *others):
        assert media_file(named, data) == (mime, data)
    assert is_shown(mime, data)


@pytest.mark.parametrize("file", [b"<html><script>alert(1)</script>", b"<svg onload='x()'/>", b"?"])
def test_what_is_no_picture_is_not_shown_as_one(file: bytes) -> None:
    """HTML or SVG under the name of a picture is only named."""
    for named in ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"):
        assert not is_shown(*media_file(named, encoded(file)))


def test_sound_never_becomes_a_picture() -> None:
    """Samples that begin as a JPEG file does are samples."""
    samples = FILES["image/jpeg"] + b"\0"
    mime, data = media_file("audio/wav", encoded(samples))
    assert mime == "audio/wav"
    assert base64.b64decode(data).endswith(samples)


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_file_that_broke_off_is_shown_as_far_as_it_came(cut: int) -> None:
    """Strict readers of notebook files can decode it, with any number of characters."""
    file = FILES["image/png"]
    mime, data = media_file("image/png", encoded(file)[:-cut])
    assert is_shown(mime, data)
    assert file.startswith(base64.b64decode(data, validate=True))


def test_other_ways_to_write_base64_are_read() -> None:
    """Line ends, the URL-safe alphabet, and chunks with padding of their own."""
    file = FILES["image/jpeg"] + b"\xff\xfe\xfb\xef"
    lines = base64.encodebytes(file * 10).decode()
    assert media_file("image/jpeg", lines) == ("image/jpeg", encoded(file * 10))
    safe = base64.urlsafe_b64encode(file).decode()
    assert media_file("image/jpeg", safe) == ("image/jpeg", encoded(file))
    chunks = "".join(encoded(file[start : start + 7]) for start in range(0, len(file), 7))
    assert media_file("image/jpeg", chunks) == ("image/jpeg", encoded(file))


@pytest.mark.parametrize("data", ["", "=", "A", "no base64!?", "ÄÖÜ=", "AAAA\0AAA", "<svg>"])
def test_what_is_no_base64_is_an_error(data: str) -> None:
    """Nothing is made of it."""
    assert not is_base64(data)
    with pytest.raises(ValueError, match="data"):
        media_file("audio/wav", data)


def test_content_blocks_have_a_sound_that_can_be_decoded() -> None:
    """Streamed samples are one WAV file there, and not the base64 of several chunks."""
    samples = [b"\1\0", b"\2\0\3\0"]
    audio = {"id": "a", "data": "".join(map(encoded, samples)), "transcript": "Hi."}
    [block] = AIMessage("", additional_kwargs={"audio": audio}).content_blocks
    wav = base64.b64decode(block["base64"], validate=True)
    assert (block["mime_type"], wav[:4]) == ("audio/wav", b"RIFF")
    assert wav.endswith(b"".join(samples))
