"""The styles that static HTML shares."""

from __future__ import annotations

MUTED_COLOR = "color: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, #757575));"
UI_FONT = (
    "font-family: var(--jp-ui-font-family, var(--vscode-font-family, sans-serif)); "
    "font-size: var(--jp-ui-font-size1, 13px); line-height: 1.5; "
    "font-variant-numeric: tabular-nums;"
)
MUTED = f"{MUTED_COLOR} {UI_FONT}"
"""The style of footers and notes."""
# JupyterLab typesets what stands between dollars in HTML, prices included, but not in these.
NO_MATH = "tex2jax_ignore mathjax_ignore"
