"""The data of matplotlib's figures, noted in their images by kernels of notebooks under test."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import wraps
from importlib import import_module
from typing import Any

from chatnb.cassettes.after_import import after_import

DATA_KEY = "chatnb-data"
"""The text in a PNG file that holds the hash of its figure's data."""

# What an artist shows, where it has it: the names of methods without arguments.
_SHOWN = (
    "get_visible", "get_text", "get_color", "get_xydata", "get_linestyle", "get_linewidth",
    "get_marker", "get_facecolor", "get_edgecolor", "get_alpha", "get_hatch", "get_offsets",
    "get_sizes", "get_array", "get_clim", "get_xlim", "get_ylim", "get_xlabel", "get_ylabel",
    "get_zlim", "get_xscale", "get_yscale",
)  # fmt: skip
_LABELS = ("get_xticklabels", "get_yticklabels", "get_texts")


def note_figure_data() -> None:
    """Have the data of each figure noted in its PNG, whenever matplotlib is imported."""
    # Other versions of a font library draw the same figure in other pixels, more of them than a
    # changed letter has. The data tell these apart.
    after_import({"matplotlib.backends.backend_agg": _wrap_printing})


def figure_digest(figure: Any) -> str:
    """Return a hash of what a figure shows: its texts, numbers and colours."""
    written = "\n".join(_described(figure))
    return hashlib.sha256(written.encode()).hexdigest()[:16]


def _wrap_printing(module: Any) -> None:
    canvas = module.FigureCanvasAgg
    print_png = canvas.print_png

    @wraps(print_png)
    def noted(
        self: Any, filename_or_obj: Any, *, metadata: Any = None, pil_kwargs: Any = None
    ) -> Any:
        given: dict[str, Any] = metadata or {}
        metadata = {**given, DATA_KEY: figure_digest(self.figure)}
        return print_png(self, filename_or_obj, metadata=metadata, pil_kwargs=pil_kwargs)

    canvas.print_png = noted


def _described(figure: Any) -> Iterator[str]:
    for artist in figure.get_children():
        # The background of a figure with tight bounds is as large as its letters.
        yield from _colours(artist) if artist is figure.patch else _artist(artist)
        if not hasattr(artist, "get_xlim"):
            continue
        for child in artist.get_children():
            yield from _artist(child)
        for name in _LABELS:
            labels: Any = getattr(artist, name, list[Any])()
            yield from (str(label.get_text()) for label in labels)


def _artist(artist: Any) -> Iterator[str]:
    yield type(artist).__name__
    for name in _SHOWN:
        method = getattr(artist, name, None)
        if method is not None:
            yield f"{name} {_written(method())}"
    for path, transform in _paths(artist):
        yield f"path {_written(transform.transform(path.vertices))}"
    for text in getattr(artist, "get_texts", list[Any])():  # Of a legend.
        yield str(text.get_text())


def _colours(patch: Any) -> Iterator[str]:
    yield f"{_written(patch.get_facecolor())} {_written(patch.get_edgecolor())}"


def _paths(artist: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the paths of patches and collections, in the units of their data."""
    if hasattr(artist, "get_patch_transform"):
        yield artist.get_path(), artist.get_patch_transform()
    elif hasattr(artist, "get_paths"):
        from matplotlib.transforms import IdentityTransform

        yield from ((path, IdentityTransform()) for path in artist.get_paths())


def _written(value: Any) -> str:
    """Write a value with numbers of six digits: the last ones differ between machines."""
    numpy: Any = import_module("numpy")
    if value is None or isinstance(value, str | bool | int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    try:
        masked = numpy.ma.asarray(value, dtype=float)
        numbers: list[float] = masked.filled(numpy.nan).ravel().tolist()
    except (TypeError, ValueError):
        return str(value)
    return " ".join(f"{number:.6g}" for number in numbers)
