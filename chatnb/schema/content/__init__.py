"""Content parts: making them, and reading and writing every form that is known of them.

Importing it loads nothing else; each name is loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.lazy_names import lazy_names

if TYPE_CHECKING:
    from chatnb.schema.content.parts import audio_part, file_part, image_part, text_part

__all__ = ["audio_part", "file_part", "image_part", "text_part"]

__getattr__, __dir__ = lazy_names(
    __name__, {"chatnb.schema.content.parts": "audio_part file_part image_part text_part"}
)
