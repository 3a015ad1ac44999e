"""Images of outputs, compared by what a person sees of them."""

from __future__ import annotations

import base64
import binascii
import io
from typing import Any, NamedTuple

from chatnb.errors import MissingRuntimeError
from chatnb.pytest_plugin.figure_data import DATA_KEY

_NO_PILLOW = 'Images are compared with Pillow. Install it with: pip install "chatnb[testing]"'
# Images are blurred before they are compared, so that edges may have other shades: compressed anew,
# they differ by up to 20 of 255 then, and as little as one letter differs by 28. Other versions of
# a font library make 60 of it; that is enough where the data of the figures are known to be equal.
_BLUR = 2.0
_MAX_CHANGE = 20
_MAX_CHANGE_OF_SAME_DATA = 80
# A title that is a little wider makes a figure of tight bounds a little wider.
_MAX_STRETCH = 0.02


class _Change(NamedTuple):
    """The change of an image: at most (of 255), on average (of 1), and in which box."""

    largest: int
    average: float
    box: tuple[int, int, int, int]


def image_difference(old: str, new: str, similarity: float | None = None) -> str:
    """Describe how an image differs to the eye; return "" for one that looks alike.

    Args:
        old: The image in base64.
        new: The other one.
        similarity: The similarity that is enough, from 0 to 1. Default: equal to the eye.

    Raises:
        MissingRuntimeError: If they differ, and Pillow is not installed.
    """
    if old == new:
        return ""
    was, now = _read(old), _read(new)
    if was is None or now is None:
        return "it is another one"
    data_known = was.data is not None and now.data is not None
    if data_known and was.data != now.data and similarity is None:
        return "its figure shows other data, texts or colours"
    bound = _MAX_CHANGE_OF_SAME_DATA if data_known else _MAX_CHANGE
    if len(was.frames) != len(now.frames):
        return f"it has {len(now.frames)} frames instead of {len(was.frames)}"
    for before, after in zip(was.frames, now.frames, strict=True):
        if text := _frame_difference(before, after, similarity, bound):
            return text
    return ""


def _frame_difference(was: Any, now: Any, similarity: float | None, bound: int) -> str:
    (width, height), (new_width, new_height) = was.size, now.size
    stretch = max(abs(new_width / width - 1), abs(new_height / height - 1))
    if stretch > _MAX_STRETCH and similarity is None:
        return f"it has {new_width} x {new_height} pixels instead of {width} x {height}"
    change = _change(was, now.resize(was.size), bound)
    if similarity is not None:
        alike = 1 - change.average
        return "" if alike >= similarity else f"its similarity is {alike:.2f}"
    if change.largest <= bound:
        return ""
    left, top, right, bottom = change.box
    return f"it is another one between x {left} and {right}, y {top} and {bottom}"


def _change(was: Any, now: Any, bound: int) -> _Change:
    from PIL import ImageChops, ImageFilter, ImageStat

    blur = ImageFilter.GaussianBlur(_BLUR)
    apart = ImageChops.difference(was.filter(blur), now.filter(blur))
    bands = apart.split()
    strongest = bands[0]
    for band in bands[1:]:
        strongest = ImageChops.lighter(strongest, band)
    seen = strongest.point([255 * (level > bound) for level in range(256)])
    box = seen.getbbox() or (0, 0, *was.size)
    average = sum(ImageStat.Stat(ImageChops.difference(was, now)).mean) / len(bands) / 255
    largest: Any = strongest.getextrema()[1]
    return _Change(largest, average, box)


class _Image(NamedTuple):
    """The frames of an image on white, and the hash of its figure's data if it is noted."""

    frames: list[Any]
    data: str | None


def _read(data: str) -> _Image | None:
    """Return an image, or None if it is none."""
    try:
        from PIL import Image, ImageSequence
    except ImportError as error:
        raise MissingRuntimeError(_NO_PILLOW) from error
    try:
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            noted = image.info.get(DATA_KEY)
            frames = [_on_white(Image, frame) for frame in ImageSequence.Iterator(image)]
            return _Image(frames, noted)
    except (OSError, ValueError, binascii.Error, SyntaxError, Image.DecompressionBombError):
        return None


def _on_white(module: Any, frame: Any) -> Any:
    opaque = frame.convert("RGBA")
    page = module.new("RGBA", opaque.size, "white")
    return module.alpha_composite(page, opaque).convert("RGB")
