"""The `%%chat` and `%chat` magics."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from chatnb.notebook.cell.turn import CellTurn, RunningCell
from chatnb.notebook.commands import run_command
from chatnb.notebook.jupyter_ai import prompt_variables, usage_error
from chatnb.notebook.options import NONE, CellOptions, cell_options
from chatnb.notebook.prompt import prompt_from_cell
from chatnb.notebook.session import Session
from chatnb.notebook.widgets.front_end import current_kernel, receives_while_awaiting
from chatnb.terminal import SafeText

_MAGIC_CALL = "get_ipython().run_cell_magic('chat', "
_AWAITED_CALL = "await get_ipython().magics_manager.registry['ChatMagics'].chat_awaited("


@magics_class
class ChatMagics(Magics):
    """The magics of a shell, on one session."""

    shell: InteractiveShell  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.session = Session(shell)

    @cell_options
    @no_var_expand
    @line_cell_magic
    def chat(self, line: str, cell: str | None = None) -> None:
        """Send a prompt to a chat model: options on the %%chat line, the prompt below it.

        The reply streams into the cell as Markdown and stays there when the notebook is saved;
        follow-up cells continue the same conversation, and so does a cell that is run again.
        `_reply` holds the last reply as an AIMessage. Stop, or an interrupt, keeps the partial
        reply.

        {name} in the prompt is replaced by the variable's value ({name.attribute}, {name[0]},
        {name[:5]}, {name["key"]} and {name:.2f} too; a table is inserted as Markdown, a function
        as its source). A figure, an image and a pathlib.Path go along as files, and so does a
        numpy array as {name:image}. {Err} is the last error. Braces around anything else stay as
        they are; a line under the reply names those that would run code, or that no variable fits.
        {{name}} writes {name}.

        Conversations are stored on disk (CHATNB_STORE names the file, :memory: keeps nothing),
        also when the kernel dies in the middle of a reply. Cells without -c continue main, the
        notebook's own conversation. It starts again with each kernel, so that a notebook that is
        run from the top sends the same messages as before; %chat resume continues the previous
        one, and %chat resume NAME any other. -c NAME is one conversation in every notebook.

        --code puts the reply's code into a new cell below, --schema makes `_reply` an object of a
        type, and --compare sends the prompt to several models and leaves the conversation as it
        is. Code that a model writes runs only in a tool, with your approval.

        %chat new [NAME] starts a conversation again; %chat list lists them; %chat alone lists all
        commands.
        """
        with _printable_usage_errors():
            if cell is None:
                run_command(self.session, line)
                return
            running, interrupted = self._start(line, cell, awaited=False), False
        try:
            running.wait()
        except KeyboardInterrupt:
            interrupted = True
        running.finish(interrupted=interrupted)

    async def chat_awaited(self, line: str, cell: str) -> None:
        """Run `%%chat` as a cell that awaits its reply."""
        awaited = receives_while_awaiting(current_kernel())
        with _printable_usage_errors():
            running, interrupted = self._start(line, cell, awaited=awaited), False
        try:
            await running.wait_async()
            await self.session.await_page()
        except (asyncio.CancelledError, KeyboardInterrupt):
            interrupted = True
        running.finish(interrupted=interrupted)

    def _start(self, line: str, cell: str, *, awaited: bool) -> RunningCell:
        options = OPTIONS.read(line)
        prompt = prompt_from_cell(cell, prompt_variables(self.shell), options.file or ())
        context = options.context or self.session.defaults.context
        if context not in (None, NONE):
            from chatnb.notebook.cell.context import with_context

            prompt = with_context(self.session, context, prompt)
        if not options.compare:
            return CellTurn(self.session, options, prompt, awaited=awaited)
        from chatnb.notebook.cell.comparison import Comparison

        return Comparison(self.session, options, prompt, awaited=awaited)


@contextmanager
def _printable_usage_errors() -> Generator[None]:
    # IPython prints them as they are, and they quote names that came from files.
    try:
        yield
    except UsageError as error:
        raise usage_error(SafeText(str(error))) from None


OPTIONS = CellOptions(vars(ChatMagics)["chat"].parser)
"""The options of a %%chat line."""


def keep_question_marks(lines: list[str]) -> list[str]:
    """Rewrite `%chat` lines that end with a question mark, which IPython takes for its own."""
    if lines and lines[0].startswith("%%"):
        return lines
    return [_with_question_mark(line) for line in lines]


def _with_question_mark(line: str) -> str:
    words = line.strip()
    if words.startswith("?"):  # IPython takes it before a command, too.
        words = f"{words.lstrip('?')}?"
    if not words.startswith("%chat") or not words.endswith("?"):
        return line
    command = words.removeprefix("%chat")
    if not command.strip("?"):
        command = " help"  # IPython would show the help of %%chat.
    if not command.startswith(" "):
        return line
    indent = line[: len(line) - len(line.lstrip())]
    return f"{indent}get_ipython().run_line_magic('chat', {command.strip()!r})\n"


def await_chat(lines: list[str]) -> list[str]:
    """Rewrite a `%%chat` cell into an awaited call: magics themselves cannot be async."""
    if not lines or not lines[0].startswith(_MAGIC_CALL):
        return lines
    return [lines[0].replace(_MAGIC_CALL, _AWAITED_CALL, 1), *lines[1:]]
