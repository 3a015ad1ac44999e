"""chatnb in IPython and Jupyter: the only rooms that know them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from importlib.metadata import version
from typing import Any

from chatnb.notebook.completion import matcher_for
from chatnb.notebook.magics import OPTIONS, ChatMagics
from chatnb.notebook.views.answer import show_answers
from chatnb.notebook.views.results import show_results
from chatnb.runnables.progress_bar import draw_with
from chatnb.runnables.watching import show_with
from chatnb.schema.run_log import RunLogPatch

_MAGIC_CALL = "get_ipython().run_cell_magic('chat', "
_AWAITED_CALL = "await get_ipython().magics_manager.registry['ChatMagics'].chat_awaited("


def register(shell: Any) -> None:
    """Make the magics known to a shell; once is enough, twice does no harm."""
    if "ChatMagics" in shell.magics_manager.registry:
        return
    magics = ChatMagics(shell)
    shell.register_magics(magics)
    shell.Completer.custom_matchers.append(matcher_for(magics, OPTIONS))
    show_answers(shell)
    show_results(shell)
    show_with(_tree_of)
    draw_with(_bar_of)
    if _hears_while_awaiting(shell):
        shell.input_transformers_post.append(await_chat)


def _tree_of(patches: AsyncGenerator[RunLogPatch, None]) -> Any:
    from chatnb.notebook.views.run_tree import RunLogTree

    return RunLogTree(patches)


def _bar_of(total: int) -> Any:
    from chatnb.notebook.views.progress import notebook_bar

    return notebook_bar(total)


def await_chat(lines: list[str]) -> list[str]:
    """Rewrite a `%%chat` cell into an awaited call: magics themselves cannot be async.

    Example:
        >>> await_chat(["get_ipython().run_cell_magic('chat', '-t 0', 'Hi')"])
        ["await get_ipython().magics_manager.registry['ChatMagics'].chat_awaited('-t 0', 'Hi')"]
    """
    if not lines or not lines[0].startswith(_MAGIC_CALL):
        return lines
    return [lines[0].replace(_MAGIC_CALL, _AWAITED_CALL, 1), *lines[1:]]


def _hears_while_awaiting(shell: Any) -> bool:
    """From 7.4 on ipykernel takes a browser's messages while a cell awaits, on its main shell."""
    if getattr(shell, "kernel", None) is None or not shell.autoawait:
        return False
    major, minor = version("ipykernel").split(".")[:2]
    return (int(major), int(minor)) >= (7, 4)
