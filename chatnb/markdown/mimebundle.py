"""The MIME bundles of everything that notebooks display: only safe text goes into them."""

from __future__ import annotations

from typing import Any, NewType, TypedDict

from chatnb.markdown.html import SafeHtml
from chatnb.markdown.safe_markdown import SafeMarkdown
from chatnb.terminal import SafeText

Base64 = NewType("Base64", str)
"""Binary data in base64, checked by `media.is_shown`."""

Mimebundle = TypedDict(
    "Mimebundle",
    {
        "text/plain": SafeText,
        "text/markdown": SafeMarkdown,
        "text/html": SafeHtml,
        "image/png": Base64,
        "image/jpeg": Base64,
        "image/gif": Base64,
        "image/webp": Base64,
        "application/vnd.jupyter.widget-view+json": dict[str, Any],
    },
    total=False,
)
"""An output by MIME type."""
