"""Mount points: static HTML in which a browser shows a live widget while there is a kernel.

An output with a widget's own MIME type shows an error, and not its static form, once the kernel is
gone. So the output holds the static form alone, and the widget finds it by its mount point.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from chatnb.markdown.html import SafeHtml, element
from chatnb.markdown.mimebundle import Mimebundle

if TYPE_CHECKING:
    from anywidget import AnyWidget
    from ipywidgets import DOMWidget

WIDGET_VIEW: Literal["application/vnd.jupyter.widget-view+json"] = (
    "application/vnd.jupyter.widget-view+json"
)
"""The MIME type that shows a widget."""


def mount_point(inner: SafeHtml, class_name: str, name: str = "") -> SafeHtml:
    """Wrap static HTML so that a widget can take its place."""
    return element("div", inner, class_=class_name, data_chatnb_mount=name or None)


def widget_mimebundle(widget: DOMWidget | AnyWidget) -> Mimebundle:
    """Return the MIME bundle that shows a widget in an output of its own."""
    shown = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {WIDGET_VIEW: shown}


def publish(
    mimebundle: Mimebundle,
    display_id: str = "",
    *,
    metadata: Mapping[str, Any] | None = None,
    update: bool = False,
) -> None:
    """Show a MIME bundle as an output, or in place of the output with that id."""
    from IPython.display import publish_display_data

    transient = {"display_id": display_id} if display_id else None
    publish_display_data(dict(mimebundle), dict(metadata or {}), transient=transient, update=update)
