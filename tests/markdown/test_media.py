"""Pictures and sounds as addresses, elements and outputs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnb.markdown.html import SafeHtml
from chatnb.markdown.media import (
    AUDIO_TYPES,
    IMAGE_TYPES,
    is_base64,
    media_html,
    media_mimebundle,
    media_url,
)

DATA = "iVBORw0KGgo="


@pytest.mark.parametrize("mime", IMAGE_TYPES)
def test_a_picture_is_an_output_of_its_own_type(mime: str) -> None:
    """Front ends that show no pictures have its name."""
    assert media_mimebundle(mime, DATA, "Sky\x1b") == {mime: DATA, "text/plain": "[Sky\\x1b]"}
    assert media_html(mime, DATA, "A <sky>", "width: 5px") == (
        f'<img src="data:{mime};base64,{DATA}" alt="A &lt;sky&gt;" style="width: 5px"></img>'
    )


@pytest.mark.parametrize("mime", AUDIO_TYPES)
def test_a_sound_is_an_element_that_plays_it(mime: str) -> None:
    """Notebooks have no type of outputs for sounds."""
    player = f'<audio controls src="data:{mime};base64,{DATA}"></audio>'
    bundle = media_mimebundle(mime, DATA, "Rain")
    assert bundle == {"text/html": player, "text/plain": "[Rain]"}
    assert isinstance(bundle.get("text/html"), SafeHtml)


@pytest.mark.parametrize(
    ("mime", "data"),
    [
        ("image/svg+xml", DATA), ("image/bmp", DATA), ("text/html", DATA), ("", DATA),
        ("image/png", ""), ("image/png", "="), ("image/png", "abc"), ("image/png", "ab\ncd"),
        ("image/png", "a==="), ("image/png", "ab=c"), ("image/png", "ab-_"),
        ("image/png", "abc\u00e9"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(mime: str, data: str) -> None:
    """The error is a ValueError that says so, for every output."""
    for write in (media_url, media_html, lambda mime, data: media_mimebundle(mime, data, "x")):
        with pytest.raises(ValueError, match="No picture or sound that is shown: ") as caught:
            write(mime, data)
        assert str(caught.value).endswith(f": {mime}")


@given(st.text("Az09+/=", max_size=12))
def test_base64_has_its_padding(data: str) -> None:
    """Of one or two characters, which complete the last four."""
    digits = data.rstrip("=")
    padding = len(data) - len(digits)
    is_valid = digits != "" and "=" not in digits and padding <= 2 and len(data) % 4 == 0
    assert is_base64(data) is is_valid
