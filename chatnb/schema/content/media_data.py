"""The data of replies' pictures and sounds, as files that front ends show and play."""

from __future__ import annotations

import base64
import io
import wave

from chatnb.markdown.media import IMAGE_TYPES, is_base64
from chatnb.schema.content.parts import media_type_of

# OpenAI streams audio as bare samples: 16 bits, one channel.
# Source: https://platform.openai.com/docs/guides/audio
_SAMPLE_RATE = 24_000
_SAMPLE_BYTES = 2
_SAMPLE_TYPES = ("audio/wav", "audio/pcm", "audio/pcm16", "audio/l16")
# The formats of spoken replies that no request takes.
_ONLY_IN_REPLIES = {
    b"OggS": "audio/ogg",
    b"fLaC": "audio/flac",
    b"\xff\xf1": "audio/aac",
    b"\xff\xf9": "audio/aac",
}
# Enough of a file, in base64, to tell its format.
_MAX_START = 64
_UNKNOWN = "application/octet-stream"


def media_file(mime: str, data: str) -> tuple[str, str]:
    """Return the MIME type and the base64 of media as a file; bare samples become a WAV file.

    Args:
        mime: The type that the provider names. The first bytes of a file decide, where they tell.
        data: The base64 of a whole file, or that of several chunks, one after another; of a reply
            that broke off, as far as it came.

    Raises:
        ValueError: If the data is no base64, or nothing.

    Example:
        >>> mime, wav = media_file("audio/wav", "AAAA" * 2)
        >>> mime, base64.b64decode(wav)[8:12]
        ('audio/wav', b'WAVE')
    """
    mime = mime.partition(";")[0].strip().lower()
    if not is_base64(data):
        data = _encoded(_decoded(data))
    start = base64.b64decode(data[:_MAX_START])
    known = media_type_of(start) or _type_in_replies(start)
    if known and _family(known) == _family(mime or known):
        return known, data
    if mime in _SAMPLE_TYPES:
        return "audio/wav", _encoded(_wav(base64.b64decode(data)))
    return _UNKNOWN if mime in IMAGE_TYPES else mime, data


def _encoded(file: bytes) -> str:
    return base64.b64encode(file).decode("ascii")


def _decoded(data: str) -> bytes:
    # Each chunk may have its own padding, which ends the text for most decoders.
    chunks = "".join(data.split()).replace("-", "+").replace("_", "/").split("=")
    try:
        file = b"".join(map(_decoded_chunk, chunks))
    except ValueError as error:
        raise ValueError("Media whose data is no base64") from error
    if not file:
        raise ValueError("Media without data")
    return file


def _decoded_chunk(chunk: str) -> bytes:
    # A single character at the end, of a chunk that was cut off, is not a whole byte.
    whole = chunk[:-1] if len(chunk) % 4 == 1 else chunk
    return base64.b64decode(whole + "=" * (-len(whole) % 4), validate=True)


def _type_in_replies(file: bytes) -> str:
    return next((mime for start, mime in _ONLY_IN_REPLIES.items() if file.startswith(start)), "")


def _family(mime: str) -> str:
    return mime.partition("/")[0]


def _wav(samples: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(_SAMPLE_BYTES)
        written.setframerate(_SAMPLE_RATE)
        written.writeframes(samples[: len(samples) // _SAMPLE_BYTES * _SAMPLE_BYTES])
    return file.getvalue()
