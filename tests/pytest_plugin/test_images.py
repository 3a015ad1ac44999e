"""Images compared as a person sees them, and the data of figures compared exactly."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import pytest

from chatnb.pytest_plugin.figure_data import note_figure_data
from chatnb.pytest_plugin.images import image_difference
from chatnb.pytest_plugin.outputs import Comparison, difference

Image = pytest.importorskip("PIL.Image")
matplotlib = pytest.importorskip("matplotlib")


def encoded(image: Any, format: str = "PNG", **options: Any) -> str:
    file = io.BytesIO()
    image.save(file, format, **options)
    return base64.b64encode(file.getvalue()).decode()


def drawn(change: Callable[[Any], object] | None = None) -> Any:
    """Return a picture with a shape and some dots."""
    image = Image.new("RGB", (120, 80), "white")
    image.paste("steelblue", (10, 20, 60, 70))
    for x in range(70, 110, 8):
        image.paste("black", (x, 30, x + 4, 34))
    if change:
        change(image)
    return image


@pytest.fixture
def plotted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Plot a figure as a kernel under test does."""
    from matplotlib.backends import backend_agg
    from matplotlib.figure import Figure

    canvas: Any = backend_agg.FigureCanvasAgg
    monkeypatch.setattr(canvas, "print_png", canvas.print_png)
    note_figure_data()

    def plot(heights: tuple[float, ...] = (3, 5, 4), title: str = "Scores", **rc: Any) -> str:
        with matplotlib.rc_context(rc):
            figure = Figure(figsize=(3, 2))
            axes = figure.add_subplot()
            axes.bar(["a", "b", "c"], heights)
            axes.plot([1, 2, 3], label="line")
            axes.set_title(title)
            axes.legend()
            file = io.BytesIO()
            figure.savefig(file, format="png", bbox_inches="tight")
        return base64.b64encode(file.getvalue()).decode()

    return plot


def test_the_same_picture_may_have_other_bytes() -> None:
    """Compressed otherwise, with other metadata, or with shades that are a little different."""
    old = encoded(drawn())
    for new in (
        encoded(drawn(), compress_level=0),
        encoded(drawn(), optimize=True),
        encoded(drawn().convert("RGBA")),
        encoded(drawn().point(lambda v: max(0, v - 6))),
    ):
        assert new != old
        assert image_difference(old, new) == ""
    assert image_difference(encoded(drawn(), "JPEG", quality=95),
                            encoded(drawn(), "JPEG", quality=90)) == ""  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda image: image.paste("white", (10, 20, 60, 24)), "y 1"),
        (lambda image: image.paste("white", (86, 30, 90, 34)), "x 8"),
        (lambda image: image.paste("indianred", (10, 20, 60, 70)), "it is another one between"),
    ],
)
def test_another_picture_is_another_one(change: Callable[[Any], object], said: str) -> None:
    """A lower bar, a dot that is gone, another colour: it says where; a similarity that is enough
    lets them pass, and one that is not does not."""
    pair = encoded(drawn()), encoded(drawn(change))
    assert said in image_difference(*pair)
    assert image_difference(*pair, 0.5) == ""
    assert "its similarity is" in image_difference(*pair, 0.999)


def test_sizes_frames_and_what_is_no_image() -> None:
    """Each is a difference of its own."""
    wide = drawn().resize((200, 80))
    text = image_difference(encoded(drawn()), encoded(wide))
    assert "200 x 80 pixels instead of 120 x 80" in text
    moving = encoded(drawn(), "GIF", save_all=True, append_images=[wide.resize((120, 80))])
    assert "2 frames instead of 1" in image_difference(encoded(drawn(), "GIF"), moving)
    assert image_difference(encoded(drawn()), "AAAA") == "it is another one"


@pytest.mark.slow
def test_a_figure_with_other_data_is_caught_whatever_its_pixels(
    plotted: Callable[..., str],
) -> None:
    """A bar that is a hundredth higher, one letter of a title; but not the same figure drawn by
    another font library, which changes more pixels."""
    old = plotted()
    assert image_difference(old, plotted()) == ""
    for changed in (plotted((3, 5.01, 4)), plotted(title="Scoras")):
        assert "other data" in image_difference(old, changed)
    redrawn = plotted(**{"text.hinting": "none", "text.antialiased": False})
    assert redrawn != old
    assert image_difference(old, redrawn) == ""


def test_images_within_outputs() -> None:
    """They are compared beside the text of a display; exactly, if a tag says so."""

    def shown(data: str) -> list[dict[str, Any]]:
        return [{"output_type": "display_data", "data": {"text/plain": "<Figure>",
                 "image/png": data}, "metadata": {}}]  # fmt: skip

    old, again = shown(encoded(drawn())), shown(encoded(drawn(), compress_level=0))
    assert difference(old, again) == ""
    assert difference(old, again, Comparison(is_exact=True)) == (
        "image/png differs: the image is another one."
    )
    other = shown(encoded(drawn(lambda image: image.paste("red", (0, 0, 40, 40)))))
    assert difference(old, other).startswith("image/png differs: it is another one between x 0")
    wrapped = shown("\n".join([old[0]["data"]["image/png"][:60], old[0]["data"]["image/png"][60:]]))
    assert difference(old, wrapped, Comparison(is_exact=True)) == ""
