"""The audio of replies, as files that browsers play."""

from __future__ import annotations

import base64
import io
import re
import wave

from chatnb.schema.content.parts import media_type_of

# OpenAI streams audio as bare samples: 16 bits, one channel.
# Source: https://platform.openai.com/docs/guides/audio
_SAMPLE_RATE = 24_000
_SAMPLE_BYTES = 2
_PADDED = re.compile(r"[^=]+=*")


def playable_audio(data: str) -> tuple[str, str]:
    """Return the MIME type and the base64 of audio; bare samples become a WAV file.

    Args:
        data: The base64 of a whole file, or that of several chunks, one after another.

    Example:
        >>> mime, wav = playable_audio("AAAA" * 2)
        >>> mime, base64.b64decode(wav)[8:12]
        ('audio/wav', b'WAVE')
    """
    # Each chunk may have its own padding, which ends the text for most decoders.
    sound = b"".join(base64.b64decode(chunk) for chunk in _PADDED.findall(data))
    mime = media_type_of(sound)
    if mime is None:
        mime, sound = "audio/wav", _wav(sound)
    return mime, base64.b64encode(sound).decode("ascii")


def _wav(samples: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(_SAMPLE_BYTES)
        written.setframerate(_SAMPLE_RATE)
        written.writeframes(samples)
    return file.getvalue()
