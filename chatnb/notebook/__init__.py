"""chatnb in IPython and Jupyter; no other package imports them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError

from chatnb.errors import ChatnbError
from chatnb.notebook.completion import completion_matcher
from chatnb.notebook.jupyter_ai import register_ai
from chatnb.notebook.kernel import is_within_cell
from chatnb.notebook.magics import (
    OPTIONS,
    ChatMagics,
    await_chat,
    keep_question_marks,
)
from chatnb.notebook.warm_up import start_warm_up
from chatnb.notebook.widgets.footer import footer_mimebundle
from chatnb.notebook.widgets.front_end import awaits_cells, in_interactive_notebook
from chatnb.notebook.widgets.mounting import publish
from chatnb.runnables.batches.progress import set_bar_factory
from chatnb.runnables.log_stream import set_run_viewer
from chatnb.schema.run_logs.log import RunLogPatch
from chatnb.store import store_path

_AFTER_ERROR = "%chat explain says what went wrong; %chat fix proposes a corrected cell."
_WELCOME = "Begin a cell with %%chat and write a question below it. %chat shows what else there is."


# The code of a view is loaded when the first of its kind is shown.
def _answer_tables(answer: Any) -> Any:
    from chatnb.notebook.tables.answers import answer_mimebundle

    return answer_mimebundle(answer)


def _result_table(result: Any) -> Any:
    from chatnb.notebook.tables.answers import result_mimebundle

    return result_mimebundle(result)


def _evaluation_table(evaluation: Any) -> Any:
    from chatnb.notebook.tables.evaluation import evaluation_mimebundle

    return evaluation_mimebundle(evaluation)


_SHOWN_AS_TABLES = {
    ("pydantic.main", "BaseModel"): _answer_tables,
    ("chatnb.schema.results", "LLMResult"): _result_table,
    ("chatnb.evaluation.evaluate", "Evaluation"): _evaluation_table,
}


def register(shell: Any) -> None:
    """Register the magics, completions and views in a shell; a second time does nothing."""
    if "ChatMagics" in shell.magics_manager.registry:
        return
    magics = ChatMagics(shell)
    shell.register_magics(magics)
    register_ai(shell)
    shell.Completer.custom_matchers.append(completion_matcher(magics.session, OPTIONS))
    for (module, name), shown in _SHOWN_AS_TABLES.items():
        shell.display_formatter.mimebundle_formatter.for_type_by_name(module, name, shown)
    set_run_viewer(_run_log_tree)
    set_bar_factory(_progress_bar)
    shell.input_transformers_cleanup.append(keep_question_marks)
    if awaits_cells(getattr(shell, "kernel", None)):
        shell.input_transformers_post.append(await_chat)
    _offer_explanation(shell)
    if not in_interactive_notebook():
        return
    start_warm_up(magics.session)
    if _is_first_use():
        publish(footer_mimebundle(_WELCOME))


def _offer_explanation(shell: Any) -> None:
    """Say under the first cell that fails what explains it."""

    def offer(result: Any) -> None:
        error = result.error_before_exec or result.error_in_exec
        # An error of chatnb or of a command says itself what to do.
        if not isinstance(error, Exception) or isinstance(error, ChatnbError | UsageError):
            return
        if is_within_cell():  # The model that has run the code is told.
            return
        shell.events.unregister("post_run_cell", offer)
        if in_interactive_notebook():
            publish(footer_mimebundle(_AFTER_ERROR))

    shell.events.register("post_run_cell", offer)


def _is_first_use() -> bool:
    """Return whether nothing was ever kept here; without a store there is no telling."""
    path = store_path()
    return path != ":memory:" and not Path(path).exists()


def _run_log_tree(patches: AsyncGenerator[RunLogPatch, None]) -> Any:
    from chatnb.notebook.run_tree.tree import RunLogTree

    return RunLogTree(patches)


def _progress_bar(total: int | None) -> Any:
    from chatnb.notebook.tables.progress import notebook_bar

    return notebook_bar(total)
