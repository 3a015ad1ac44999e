"""Pictures and sounds as outputs: base64 of types that browsers show without running anything."""

from __future__ import annotations

import string

from chatnb.markdown.html import SafeHtml, element
from chatnb.markdown.mimebundle import Base64, Mimebundle
from chatnb.terminal import SafeText

# No SVG, which may hold scripts.
IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
AUDIO_TYPES = ("audio/wav", "audio/mp3", "audio/mpeg", "audio/ogg", "audio/flac", "audio/aac")
_DIGITS = f"{string.ascii_letters}{string.digits}+/".encode()


def is_base64(data: str) -> bool:
    """Return whether data is base64 for strict readers: with its padding, and without line ends.

    Example:
        >>> is_base64("iVBORw0KGgo="), is_base64("iVBORw0KGgo"), is_base64("")
        (True, False, False)
    """
    # Many times as fast as a decoder, or as a regular expression.
    written = data.encode("ascii", "replace")
    unpadded = written.removesuffix(b"=").removesuffix(b"=")
    return bool(unpadded) and not len(written) % 4 and not unpadded.translate(None, _DIGITS)


def is_shown(mime: str, data: str) -> bool:
    """Return whether data of a type is shown as a picture or played as a sound.

    Example:
        >>> is_shown("image/png", "iVBORw0KGgo="), is_shown("image/svg+xml", "PHN2Zz4=")
        (True, False)
    """
    return mime in (*IMAGE_TYPES, *AUDIO_TYPES) and is_base64(data)


def media_url(mime: str, data: str) -> str:
    """Return the address of a picture or a sound, which holds its data.

    Raises:
        ValueError: If it is not shown.

    Example:
        >>> media_url("image/png", "iVBORw0KGgo=")
        'data:image/png;base64,iVBORw0KGgo='
    """
    if not is_shown(mime, data):
        raise ValueError(f"No picture or sound that is shown: {mime}")
    return f"data:{mime};base64,{data}"


def media_html(mime: str, data: str, alt: str = "", style: str | None = None) -> SafeHtml:
    """Return a picture or a sound as an element.

    Raises:
        ValueError: If it is not shown.

    Example:
        >>> media_html("image/png", "iVBORw0KGgo=", "Sky")
        '<img src="data:image/png;base64,iVBORw0KGgo=" alt="Sky"></img>'
    """
    source = media_url(mime, data)
    if mime in IMAGE_TYPES:
        return element("img", src=source, alt=alt, style=style)
    return element("audio", controls=True, src=source)


def media_mimebundle(mime: str, data: str, name: str) -> Mimebundle:
    """Return a picture or a sound as an output; its name is the text of front ends without it.

    Raises:
        ValueError: If it is not shown.
    """
    if not is_shown(mime, data):
        raise ValueError(f"No picture or sound that is shown: {mime}")
    plain = SafeText(f"[{name}]")
    match mime:
        case "image/png":
            return {"image/png": Base64(data), "text/plain": plain}
        case "image/jpeg":
            return {"image/jpeg": Base64(data), "text/plain": plain}
        case "image/gif":
            return {"image/gif": Base64(data), "text/plain": plain}
        case "image/webp":
            return {"image/webp": Base64(data), "text/plain": plain}
        case _:
            return {"text/html": media_html(mime, data), "text/plain": plain}
