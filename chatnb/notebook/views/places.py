"""Places in a page: static HTML that a browser shows a live view in, as long as there is a kernel.

An output with a widget's own MIME type shows an error, and not its static form, once the kernel is
gone. So the output holds the static form alone, and the widget finds it by its name.
"""

from __future__ import annotations

import html
import os
from typing import TYPE_CHECKING, Any

from chatnb.notebook.frontends import is_watched

if TYPE_CHECKING:
    from chatnb.notebook.views.placed_view import PlacedView

_WIDGET = "application/vnd.jupyter.widget-view+json"
_IN_VSCODE = "VSCODE_PID"
"""Where this is set, a widget lives only in an output of its own MIME type."""


def is_watched_here() -> bool:
    """Whether this code runs in a notebook that somebody looks at."""
    from IPython.core.getipython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    return kernel is not None and is_watched(kernel)


def placed(inner: str, class_name: str, place: str = "") -> str:
    """Static HTML, as a place for the live view.

    Args:
        inner: The HTML.
        class_name: The class of the element around it.
        place: The name under which the view finds it; none if there is no view.

    Example:
        >>> placed("<p>Hi</p>", "chatnb-run-log", "a1")
        '<div class="chatnb-run-log" data-chatnb-place="a1"><p>Hi</p></div>'
    """
    marked = f' data-chatnb-place="{html.escape(place)}"' if place else ""
    return f'<div class="{class_name}"{marked}>{inner}</div>'


def with_view(bundle: dict[str, str], view: PlacedView | None) -> dict[str, Any]:
    """A static bundle, and in VS Code the widget of it as well.

    Args:
        bundle: The bundle, its HTML a place of the view's name.
        view: The view, if there is one.
    """
    if view is None or _IN_VSCODE not in os.environ:
        return dict(bundle)
    shown = {"version_major": 2, "version_minor": 0, "model_id": view.model_id}
    return {**bundle, _WIDGET: shown}
