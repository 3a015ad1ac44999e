"""Errors for content parts that a provider cannot take.

The error of a request is raised before anything is sent, and names the part and its source.
"""

from __future__ import annotations

import reprlib
from collections.abc import Container

from chatnb.errors import UnsupportedContentError
from chatnb.schema.content.blocks import Block, Part, is_known


def unsupported(taker: str, part: str) -> UnsupportedContentError:
    """Return the error for a part of a message that a provider cannot take."""
    hint = "Leave it out, write it in another form, or use another model."
    return UnsupportedContentError(f"{taker} no {part}.", hint=hint)


def unwrapped(block: Part, taker: str, refused: Container[str] = ()) -> Block:
    """Return the part within a `non_standard` block, unless the provider is known to refuse it."""
    part: Block = block["value"]
    type_ = str(part.get("type"))
    if is_known(part) or type_ == "non_standard" or not isinstance(part.get("type"), str | None):
        raise unsupported(
            taker, f"{type_.removeprefix('input_')} in this form: {reprlib.repr(part)}"
        )
    if type_ in refused:
        raise unsupported(taker, type_)
    return part


def media_name(block: Part) -> str:
    """Return a block's media and its source, for an error."""
    if "url" in block:
        return f"{block['type']} by URL"
    if "file_id" in block:
        return f"{block['type']} by file id"
    if "mime_type" in block:
        return f"{block['type']} of the type {block['mime_type']}"
    return f"{block['type']} without mime_type"
