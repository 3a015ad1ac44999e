"""The front end that shows outputs, by what it says of itself or by what a user has chosen.

| view | meaning |
|---|---|
| `live` | widgets in a page, and replies that stream |
| `static` | a program runs the notebook: one output each, once it is whole |
| `text` | plain text, as it comes |
"""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from typing import Any, Literal, TypeAlias, get_args

from chatnb.concurrency.waiting import has_threads
from chatnb.errors import ConfigurationError

View: TypeAlias = Literal["live", "static", "text"]
Form: TypeAlias = Literal["mounted", "widget", "static", "text"]
StopWith: TypeAlias = Literal["message", "interrupt", "nothing"]

VIEWS: tuple[View, ...] = get_args(View)
_VARIABLE = "CHATNB_VIEW"
_chosen: View | None = None
_page_answers = True


def choose_view(view: View | None) -> None:
    """Set the view of this kernel; None lets the front end tell."""
    global _chosen
    _chosen = view


def chosen_view() -> View | None:
    """Return the view that `%chat config view=` or the environment sets.

    Raises:
        ConfigurationError: If the environment names no view.
    """
    named = os.environ.get(_VARIABLE)
    if _chosen or not named:
        return _chosen
    try:
        return view_named(named)
    except ValueError:
        raise ConfigurationError(
            f"{_VARIABLE} takes {', '.join(VIEWS)}, not {named!r:.40}."
        ) from None


def view_named(name: str) -> View:
    """Return the view of a name; raise a ValueError if there is none."""
    return VIEWS[VIEWS.index(name)]  # pyright: ignore[reportArgumentType]


def set_page_answers(answers: bool) -> None:
    """Keep whether the front end has answered to a widget; jupyter console never does."""
    global _page_answers
    _page_answers = answers


def is_page_known() -> bool:
    """Return whether the front end tells without being asked that it shows widgets."""
    if cell_id() or "google.colab" in sys.modules:
        return True
    # A kernel that cannot hear an answer while the cell runs believes Jupyter's server.
    return not receives_while_awaiting(current_kernel()) and "JPY_SESSION_NAME" in os.environ


def awaits_cells(kernel: Any) -> bool:
    """Return whether `%%chat` is awaited: to receive messages, or as nothing else can wait."""
    return not has_threads() or receives_while_awaiting(kernel)


def receives_while_awaiting(kernel: Any) -> bool:
    """Return whether the kernel receives the browser's messages while a cell awaits."""
    # JupyterLite hands its kernel no message before the cell has ended.
    if kernel is None or not has_threads() or not kernel.shell.autoawait:
        return False
    # ipykernel does from 7.4 on, on its main shell.
    major, minor = version("ipykernel").split(".")[:2]
    return (int(major), int(minor)) >= (7, 4)


def stops_with(*, awaited: bool) -> StopWith:
    """Return what stops the reply of a cell: JupyterLite's page cannot reach a cell that runs."""
    if awaited:
        return "message"
    return "interrupt" if has_threads() else "nothing"


def current_view() -> View:
    """Return the view of widgets."""
    kernel, chosen = current_kernel(), chosen_view()
    if kernel is None and not _in_marimo():
        return "static" if chosen == "static" else "text"
    if chosen is not None:
        return chosen
    # Voilà runs the cells without input, and shows their widgets afterwards.
    if not (_in_marimo() or _in_voila() or _takes_input(kernel)):
        return "static"
    return "live" if _page_answers else "text"


def cell_view() -> View:
    """Return the view of replies while their cell runs."""
    kernel = current_kernel()
    waits = kernel is None or _takes_input(kernel)
    return chosen_view() or (current_view() if waits else "static")


def in_interactive_notebook() -> bool:
    """Return whether a person watches the cell run."""
    return cell_view() == "live"


def widget_form() -> Form:
    """Return the form in which an output shows a widget."""
    view = current_view()
    if view != "live":
        return "static" if view == "static" or current_kernel() is None else "text"
    return "widget" if _has_outputs_of_their_own() else "mounted"


def current_kernel() -> Any:
    """Return the kernel that runs this code; None in a terminal."""
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None)


def cell_id() -> str:
    """Return the id of the cell that runs, where the front end tells it."""
    kernel = current_kernel()
    if kernel is None:
        return ""
    # The kernel of JupyterLite has one channel.
    parent = kernel.get_parent("shell") if has_threads() else kernel.get_parent()
    id = (parent.get("metadata") or {}).get("cellId")
    return id if isinstance(id, str) else ""


def in_lab_page() -> bool:
    """Return whether the cell that runs is in JupyterLab or Notebook 7."""
    # Only they and VS Code tell the id of a cell. A page of theirs has all widgets of its kernel.
    return bool(cell_id()) and not _has_outputs_of_their_own()


def _takes_input(kernel: Any) -> bool:
    """Return whether a person uses the kernel, and not a program that runs notebooks."""
    # nbclient, nbconvert, papermill and nbval cannot be asked for input.
    return bool(getattr(kernel, "_allow_stdin", True))


def _in_voila() -> bool:
    # It sets the variables of CGI in the environment of its kernels.
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila/")


def _in_marimo() -> bool:
    marimo: Any = sys.modules.get("marimo")
    return marimo is not None and marimo.running_in_notebook()


def _has_outputs_of_their_own() -> bool:
    """Return whether an output cannot find the widgets of its page, but only hold one."""
    if "google.colab" in sys.modules or _in_voila() or _in_marimo():
        return True
    # VS Code tells the address of a cell, JupyterLab its name. Only where neither is told does the
    # environment count: the kernel may run elsewhere, and JupyterLab in VS Code's terminal.
    id = cell_id()
    return id.startswith("vscode-") if id else "VSCODE_PID" in os.environ
