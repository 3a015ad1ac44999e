"""`%%chat` and `%chat`: a cell's text goes to a chat model."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import shlex
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from chatnb.chat_models import BaseChatModel
from chatnb.errors import ChatnbError
from chatnb.notebook.chosen_model import EMBEDDED_NOTICE, ChosenModels
from chatnb.notebook.commands import run_command
from chatnb.notebook.conversations import Conversations, notebook_of
from chatnb.notebook.failures import ReplyInterrupted, in_one_line
from chatnb.notebook.frontends import Frontend, frontend_for, is_watched
from chatnb.notebook.log_feed import LogFeed
from chatnb.notebook.prompt import fill
from chatnb.notebook.turn import Reply, Turn
from chatnb.notebook.turn_on_disk import TurnOnDisk
from chatnb.runnables.loop_thread import package_loop
from chatnb.tracing.counting import count_always
from chatnb.tracing.usage_tracker import UsageTracker

if TYPE_CHECKING:
    from chatnb.notebook.views.run_tree import RunLogTree

_LONG_OPTIONS = (
    "--model",
    "--system",
    "--temperature",
    "--max-tokens",
    "--conversation",
    "--output",
    "--log",
)
_OPTIONS = (
    "The options are -m/--model, -s/--system, -t/--temperature, --max-tokens, "
    "-c/--conversation, -o/--output and --log; %%chat? explains them."
)


class _Asked(NamedTuple):
    """A cell's question on its way."""

    turn: Turn
    frontend: Frontend
    on_disk: TurnOnDisk
    variable: str | None
    notice: str
    tree: RunLogTree | None


@magics_class
class ChatMagics(Magics):
    """The magics and what they remember: conversations and models."""

    shell: InteractiveShell  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.conversations = Conversations(partial(notebook_of, shell))
        self.session_calls = UsageTracker()
        count_always(self.session_calls)
        self._models = ChosenModels()
        self._said_embedded = False

    @magic_arguments()
    @argument(
        "-m",
        "--model",
        help="Who answers: PROVIDER:MODEL such as openai:gpt-4o-mini or local:smollm2, or a "
        "variable that holds a chat model. Default: OpenAI if OPENAI_API_KEY is set, else the "
        "embedded model.",
    )
    @argument("-s", "--system", help="What the model is told first, for the whole conversation.")
    @argument(
        "-t", "--temperature", type=float, help="0 for the likeliest words, up to 2 for others."
    )
    @argument("--max-tokens", type=int, help="The most tokens to answer with.")
    @argument(
        "-c",
        "--conversation",
        help="The conversation to go on with, by any name you like; one name is one conversation, "
        "in every notebook and on every day. Default: main, this notebook's own, which begins "
        "anew with the kernel.",
    )
    @argument("-o", "--output", metavar="VARIABLE", help="A variable that gets the reply.")
    @argument("--log", action="store_true", help="Show the tree of the runs under the reply.")
    @line_cell_magic
    def chat(self, line: str, cell: str | None = None) -> None:
        """Ask a chat model: options on the %%chat line, the prompt below it.

        The reply streams into the cell as Markdown and stays there when the notebook is saved;
        follow-up cells go on with the same conversation. `_reply` holds the last reply as an
        AIMessage. Stop, or an interrupt, keeps what has come.

        {name} in the prompt is replaced by the variable's value ({name.attribute}, {name[0]} and
        {name["key"]} too; a table goes in as Markdown, a function as its source). Braces around
        anything else stay as they are; {{name}} writes {name}.

        What is said is kept on disk (CHATNB_STORE names the file, :memory: keeps nothing), also
        when the kernel dies in the middle of a reply. Cells without -c go on with main, the
        notebook's own conversation. It begins anew with each kernel, so that a notebook that is
        run from the top asks what it asked before; %chat resume takes up the last one again, and
        %chat resume NAME any other. -c NAME is one conversation in every notebook.

        %chat new [NAME] starts a conversation again; %chat list lists them; %chat alone says what
        else there is.
        """
        if cell is None:
            run_command(self, line)
            return
        asked = self._ask(line, cell, awaited=False)
        try:
            reply, interrupted = asked.turn.wait(), False
        except KeyboardInterrupt:
            reply, interrupted = asked.turn.last_words(), True
        self._keep(asked, reply, interrupted=interrupted)

    async def chat_awaited(self, line: str, cell: str) -> None:
        """`%%chat` where the kernel hears the browser while the cell awaits."""
        asked = self._ask(line, cell, awaited=True)
        try:
            reply, interrupted = await asked.turn.wait_async(), False
        except (asyncio.CancelledError, KeyboardInterrupt):
            reply, interrupted = asked.turn.last_words(), True
        self._keep(asked, reply, interrupted=interrupted)

    def _ask(self, line: str, cell: str, *, awaited: bool) -> _Asked:
        """Start the turn that a cell asks for."""
        options = self._options(line)
        prompt = self._prompt(cell)
        try:
            model = self._models.get(options.model, self.shell.user_ns)
        except ChatnbError as error:
            raise in_one_line(error) from None
        params = {"temperature": options.temperature, "max_tokens": options.max_tokens}
        given = {name: value for name, value in params.items() if value is not None}
        feed = LogFeed() if options.log else None
        conversation = self.conversations[options.conversation]
        if options.system is not None:
            conversation.system = options.system
        on_disk = TurnOnDisk(conversation, prompt, model)
        turn = Turn(model, on_disk.messages, given, feed, on_disk.keep)
        frontend = frontend_for(self.shell, model.model_name, turn.stop, awaited=awaited)
        turn.start(frontend)
        tree = None if feed is None else self._tree(feed, frontend)
        notice = "" if options.model else self._embedded_notice(model)
        return _Asked(turn, frontend, on_disk, options.output, notice, tree)

    def _tree(self, feed: LogFeed, frontend: Frontend) -> RunLogTree:
        """The tree of a reply's runs; live under the reply where somebody watches."""
        from chatnb.notebook.views.run_tree import RunLogTree

        tree = RunLogTree(feed)
        if self._is_watched():
            frontend.make_room()
            display(tree)
        return tree

    def _is_watched(self) -> bool:
        kernel = getattr(self.shell, "kernel", None)
        return kernel is not None and is_watched(kernel)

    def _keep(self, asked: _Asked, reply: Reply, *, interrupted: bool) -> None:
        """Leave the reply in the variables, the conversation and the cell."""
        names = ["_reply", *([asked.variable] if asked.variable else [])]
        self.shell.push(dict.fromkeys(names, reply.message))
        try:
            asked.on_disk.end(reply)
        finally:
            asked.frontend.finish(reply, asked.notice)
        if asked.tree is not None and not self._is_watched():
            package_loop.run(asked.tree.wait())
            display(asked.tree)
        if interrupted:
            raise in_one_line(ReplyInterrupted()) from None
        if isinstance(reply.error, ChatnbError):
            raise in_one_line(reply.error)
        if reply.error is not None:
            raise reply.error

    def _options(self, line: str) -> argparse.Namespace:
        try:
            options = _PARSER.parse_args(shlex.split(line))
        except (UsageError, ValueError) as error:
            raise UsageError(f"%%chat: {error}{_meant(line)}. {_OPTIONS}") from None
        if options.output is not None and not options.output.isidentifier():
            raise UsageError(f"%%chat -o takes the name of a variable, not {options.output!r}.")
        return options

    def _prompt(self, cell: str) -> str:
        if not cell.strip():
            raise UsageError("Write the prompt on the lines below %%chat.")
        try:
            return fill(cell.strip("\n"), self.shell.user_ns)
        except LookupError as error:
            raise UsageError(str(error.args[0])) from None

    def _embedded_notice(self, model: BaseChatModel) -> str:
        from chatnb.chat_models import ChatLocal

        if self._said_embedded or not isinstance(model, ChatLocal):
            return ""
        self._said_embedded = True
        return EMBEDDED_NOTICE


_PARSER: argparse.ArgumentParser = vars(ChatMagics)["chat"].parser


def _meant(line: str) -> str:
    """A guess at the option that was mistyped."""
    typed = [word.partition("=")[0] for word in line.split() if word.startswith("-")]
    for word in typed:
        close = difflib.get_close_matches(word, _LONG_OPTIONS, n=1)
        if word not in _LONG_OPTIONS and len(word) > 2 and close:
            return f" (did you mean {close[0]}?)"
    return ""
