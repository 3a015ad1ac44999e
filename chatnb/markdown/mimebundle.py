"""The MIME bundles of everything that notebooks display: only safe text goes into them."""

from __future__ import annotations

from typing import Any, TypedDict

from chatnb.markdown.html import SafeHtml
from chatnb.markdown.safe_markdown import SafeMarkdown
from chatnb.terminal import SafeText

Mimebundle = TypedDict(
    "Mimebundle",
    {
        "text/plain": SafeText,
        "text/markdown": SafeMarkdown,
        "text/html": SafeHtml,
        "application/vnd.jupyter.widget-view+json": dict[str, Any],
    },
    total=False,
)
"""An output by MIME type."""
