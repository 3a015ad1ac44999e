"""Values of the notebook that go to a model as files: figures, images, and paths of files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from chatnb.errors import error_line
from chatnb.notebook.attachments import LIMITS, Attachment, excess
from chatnb.optional_packages import installed
from chatnb.schema.content.parts import media_type_of, picture_png

ARRAY_FORMAT = "image"
"""The format specification, `{array:image}`, that makes a picture of a numpy array."""


def attachment_of(name: str, value: Any) -> Attachment | None:
    """Return a value as a file with this name; None for one that is better sent as text.

    Raises:
        ValueError: If it is a picture or a file that cannot be had.
    """
    if isinstance(value, Path):
        return file_at(value) if value.expanduser().is_file() else None
    if _is_displayed(value) and type(value).__name__ == "SVG":
        return Attachment(f"{name}.svg", "text/plain", str(value.data).encode())
    data = _media(value) if _is_displayed(value) else _picture(value)
    return None if data is None else _named(name, data)


def array_attachment(name: str, array: Any) -> Attachment:
    """Return a numpy array of numbers as a picture.

    Raises:
        ValueError: If it has not the shape of one: height x width, with or without 3 or 4 colours.
    """
    numpy, image = installed("numpy", "{array:image}"), installed("PIL.Image", "{array:image}")
    pixels = numpy.asarray(array)
    shape = " x ".join(map(str, pixels.shape)) or "no shape"
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)):
        raise ValueError(f"a picture is height x width (x 3 or 4), and this has {shape}")
    if not pixels.size or pixels.dtype.kind not in "biuf":
        raise ValueError(f"a picture is of real numbers, and this has {pixels.dtype} of {shape}")
    if pixels.dtype != numpy.uint8:
        pixels = _scaled(numpy, pixels)
    data = picture_png(image.fromarray(pixels))
    assert data is not None
    return _named(name, data)


def file_at(path: str | Path) -> Attachment:
    """Return a file of the disk.

    Raises:
        ValueError: If it cannot be read, or is too large.
    """
    found = Path(path).expanduser()
    try:
        size, limit = found.stat().st_size, LIMITS["attachment_bytes"]
        if not found.is_file() and not found.is_dir():
            raise ValueError("it is a device or a pipe, which may have no end")
        with found.open("rb") as file:
            data = file.read(limit + 1)  # Files of the system itself have no size.
        if (size := max(size, len(data))) > limit:
            raise ValueError(f"it {excess(size, limit)}")
        return Attachment(found.name, "", data)
    except OSError as error:
        raise ValueError(error_line(error)) from None


def _named(name: str, data: bytes) -> Attachment:
    mime = media_type_of(data) or "image/png"
    return Attachment(f"{name}.{mime.rpartition('/')[2]}", mime, data)


def _picture(value: Any) -> bytes | None:
    library = type(value).__module__.partition(".")[0]
    if library == "numpy" and getattr(value, "dtype", None) == "O":
        value = value.ravel().tolist()  # The axes of `plt.subplots(2, 2)`.
    if isinstance(value, list | tuple):
        drawn = cast("Iterable[Any]", value)
        figures = {id(figure): figure for each in drawn if (figure := _figure(each)) is not None}
        return picture_png(figures.popitem()[1]) if len(figures) == 1 else None
    if library == "plotly" and hasattr(value, "to_image"):
        return _plotly_png(value)
    figure = _figure(value)
    return picture_png(value if figure is None else figure)


def _is_displayed(value: Any) -> bool:
    """Return whether a value is one of `IPython.display`."""
    return type(value).__module__.startswith("IPython.") and hasattr(value, "data")


def _media(value: Any) -> bytes | None:
    """Return the bytes of a picture or sound of `IPython.display`."""
    if type(value).__name__ not in ("Image", "Audio"):
        return None
    if not isinstance(value.data, bytes):
        raise ValueError("it has only an address, and nothing is fetched")
    return value.data


def _figure(value: Any) -> Any:
    """Return the figure of axes, of what is drawn in them, or of an animation."""
    if type(value).__module__.partition(".")[0] not in ("matplotlib", "seaborn", "mpl_toolkits"):
        return None
    if hasattr(value, "new_frame_seq"):
        return value._fig
    figure = getattr(value, "figure", None)  # seaborn's grids have a `savefig`, too.
    return value if figure is None and hasattr(value, "savefig") else figure


def _plotly_png(figure: Any) -> bytes:
    try:
        return figure.to_image(format="png")
    except RuntimeError as error:  # kaleido's, which shows a page to Chrome.
        raise ValueError(
            f"plotly makes no picture of it ({' '.join(error_line(error).split())})"
        ) from None
    except (ValueError, ImportError) as error:
        raise ValueError(
            f"plotly makes no picture of it ({error_line(error)}). Install kaleido: "
            "pip install kaleido"
        ) from None


def _scaled(numpy: Any, pixels: Any) -> Any:
    """Return numbers as bytes: those from 0 to 1 as they are, others from least to most."""
    if pixels.dtype == bool:
        return pixels.astype(numpy.uint8) * 255
    numbers = numpy.nan_to_num(pixels.astype(float))
    low, high = float(numbers.min(initial=0)), float(numbers.max(initial=1))
    return ((numbers - low) / (high - low) * 255).astype(numpy.uint8)


def shown_bytes(size: int) -> str:
    """Return a number of bytes for people."""
    return f"{size / 1024**2:.1f} MB" if size >= 1024**2 else f"{max(1, size // 1024)} KB"
