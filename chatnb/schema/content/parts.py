"""The parts of a message's content, in OpenAI's form."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

MAX_BYTES = 20 * 1024 * 1024  # OpenAI's limit for a file in a message.

ImageSource: TypeAlias = "str | Path | bytes | Any"
FileSource: TypeAlias = str | Path | bytes

_SIGNATURES: tuple[tuple[str, int, bytes], ...] = (
    ("image/png", 0, b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", 0, b"\xff\xd8\xff"),
    ("image/gif", 0, b"GIF8"),
    ("image/webp", 8, b"WEBP"),
    ("audio/wav", 8, b"WAVE"),
    ("audio/mp3", 0, b"ID3"),
    ("audio/mp3", 0, b"\xff\xfb"),
    ("audio/mp3", 0, b"\xff\xf3"),
    ("audio/mp3", 0, b"\xff\xf2"),
    ("application/pdf", 0, b"%PDF-"),
)


def text_part(text: str) -> dict[str, Any]:
    """Return a text part.

    Args:
        text: The text.

    Returns:
        The part.

    Raises:
        TypeError: If the text is not a string.

    Example:
        >>> text_part("What is this?")
        {'type': 'text', 'text': 'What is this?'}
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"A text part is a string, not {type(text).__name__}: {text!r}")
    return {"type": "text", "text": text}


def image_part(
    source: ImageSource,
    *,
    detail: Literal["auto", "low", "high"] | None = None,
    max_bytes: int = MAX_BYTES,
) -> dict[str, Any]:
    """Return an image part.

    Args:
        source: A URL (`https:` or `data:`), a path, the bytes of a PNG, JPEG, GIF or WebP file, a
            PIL image or a matplotlib figure.
        detail: The resolution at which the model reads the image.
        max_bytes: The maximum size of the image.

    Returns:
        The part.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If the source is none of these.
        ValueError: If the image has another format, or is too large.

    Example:
        >>> image_part("https://example.org/cat.png")
        {'type': 'image_url', 'image_url': {'url': 'https://example.org/cat.png'}}
    """
    image = {"url": _image_url(source, max_bytes)}
    if detail is not None:
        image["detail"] = detail
    return {"type": "image_url", "image_url": image}


def audio_part(source: FileSource, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Return an audio part.

    Args:
        source: The path or the bytes of a WAV or MP3 file.
        max_bytes: The maximum size of the file.

    Returns:
        The part.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If the source is neither a path nor bytes.
        ValueError: If it is neither WAV nor MP3, or too large.

    Example:
        >>> audio_part(b"RIFF....WAVE")["input_audio"]["format"]
        'wav'
    """
    data = _bytes(source, "audio", max_bytes)
    media_type = _media_type(data, "audio", "WAV or MP3", source)
    return encoded_part(media_type, _base64(data))


def file_part(
    source: FileSource, *, filename: str | None = None, max_bytes: int = MAX_BYTES
) -> dict[str, Any]:
    """Return a part with a PDF file, or a reference to an uploaded file.

    Args:
        source: The path or the bytes of a PDF file, or the id (`file-...`) of an uploaded one.
        filename: The file's name as the model sees it.
        max_bytes: The maximum size of the file.

    Returns:
        The part.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If the source is none of these.
        ValueError: If it is not a PDF file, or too large.

    Example:
        >>> file_part("file-abc")
        {'type': 'file', 'file': {'file_id': 'file-abc'}}
    """
    if isinstance(source, str) and source.startswith("file-") and not Path(source).exists():
        return {"type": "file", "file": {"file_id": source}}
    data = _bytes(source, "file", max_bytes)
    media_type = _media_type(data, "application", "PDF", source)
    name = filename or ("file.pdf" if isinstance(source, bytes) else Path(source).name)
    return encoded_part(media_type, _base64(data), name)


def encoded_part(media_type: str, data: str, filename: str = "file") -> dict[str, Any]:
    """Return the part of an image, a sound or another file whose data is in base64."""
    family, _, format = media_type.partition("/")
    if family == "audio":
        return {"type": "input_audio", "input_audio": {"data": data, "format": format}}
    url = f"data:{media_type};base64,{data}"
    if family == "image":
        return image_part(url)
    return {"type": "file", "file": {"filename": filename, "file_data": url}}


def media_type_of(data: bytes) -> str | None:
    """Return the media type of a file that begins with these bytes, or None."""
    for media_type, start, signature in _SIGNATURES:
        if data[start : start + len(signature)] == signature:
            return media_type
    return None


_URLS = ("https://", "http://", "data:image/")
_PNG_MODES = frozenset({"1", "I", "I;16", "L", "LA", "P", "RGB", "RGBA"})


def _image_url(source: ImageSource, max_bytes: int) -> str:
    if isinstance(source, str) and source.lower().startswith(_URLS):
        return source
    if isinstance(source, str) and "://" in source:
        raise ValueError(f"An image's URL begins with https:, http: or data:image/, not {source!r}")
    png = picture_png(source)
    data = _bytes(source if png is None else png, "image", max_bytes)
    return _data_url(_media_type(data, "image", "PNG, JPEG, GIF or WebP", source), data)


def picture_png(source: Any) -> bytes | None:
    """Return a PIL image or a matplotlib figure as PNG, None for anything else."""
    # By module names, so that neither PIL nor matplotlib has to be imported.
    modules = {base.__module__.partition(".")[0] for base in type(source).__mro__}
    buffer = io.BytesIO()
    if "PIL" in modules and hasattr(source, "save"):
        is_png_mode = getattr(source, "mode", "RGB") in _PNG_MODES
        drawable = source if is_png_mode else source.convert("RGB")
        drawable.save(buffer, format="PNG")
    elif "matplotlib" in modules and hasattr(source, "savefig"):
        source.savefig(buffer, format="png", bbox_inches="tight")
    else:
        return None
    return buffer.getvalue()


def _bytes(source: Any, what: str, max_bytes: int) -> bytes:
    if isinstance(source, str | Path):
        return _read(Path(source), what, max_bytes)
    if not isinstance(source, bytes | bytearray | memoryview):
        also = ", a URL, a PIL image or a matplotlib figure" if what == "image" else ""
        raise TypeError(
            f"A part with {what} takes a path or bytes{also}, not {type(source).__name__}"
        )
    data = bytes(cast("bytes", source))
    _check_size(len(data), what, max_bytes)
    return data


def _read(path: Path, what: str, max_bytes: int) -> bytes:
    try:
        size = path.expanduser().stat().st_size
    except (OSError, ValueError) as error:
        raise FileNotFoundError(f"There is no {what} at the path {str(path)[:200]!r}") from error
    if not path.expanduser().is_file():
        raise FileNotFoundError(f"There is no {what} at the path {str(path)!r}: it is not a file")
    _check_size(size, what, max_bytes)
    return path.expanduser().read_bytes()


def _check_size(size: int, what: str, max_bytes: int) -> None:
    if size > max_bytes:
        raise ValueError(f"This {what} has {size:,} bytes; the maximum is {max_bytes:,}")


def _media_type(data: bytes, family: str, accepted: str, source: Any) -> str:
    if not data:
        raise ValueError("The file is empty: 0 bytes")
    media_type = media_type_of(data)
    if media_type and media_type.startswith(family):
        return media_type
    named = f"{source} is" if isinstance(source, str | Path) else "These bytes are"
    raise ValueError(f"{named} not {accepted}, the formats that models read")


def _data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{_base64(data)}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
