"""`%%chat` and `%chat`: a cell's text goes to a chat model."""

from __future__ import annotations

import argparse
import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display

from chatnb.chat_models import BaseChatModel
from chatnb.errors import ChatnbError
from chatnb.notebook.cell_options import CellOptions
from chatnb.notebook.chosen_model import EMBEDDED_NOTICE, ChosenModels
from chatnb.notebook.code_cell import code_cell, put_below
from chatnb.notebook.commands import run_command
from chatnb.notebook.comparison import Comparison, contestants_of
from chatnb.notebook.conversations import Conversations, notebook_of
from chatnb.notebook.expectations import Expectation, ReplyUnexpected, expectation_of
from chatnb.notebook.failures import ReplyInterrupted, in_one_line
from chatnb.notebook.frontends import Frontend, frontend_for, is_watched
from chatnb.notebook.log_feed import LogFeed
from chatnb.notebook.prompt import fill
from chatnb.notebook.session_defaults import SessionDefaults
from chatnb.notebook.turn import Reply, Turn
from chatnb.notebook.turn_on_disk import TurnOnDisk
from chatnb.notebook.typed_reply import TypedReply
from chatnb.runnables.loop_thread import package_loop
from chatnb.tracing.counting import count_always
from chatnb.tracing.usage_tracker import UsageTracker

if TYPE_CHECKING:
    from chatnb.conversations import Conversation
    from chatnb.notebook.views.run_tree import RunLogTree


class _Asked(NamedTuple):
    """A cell's question on its way."""

    turn: Turn
    frontend: Frontend
    on_disk: TurnOnDisk
    variable: str | None
    notice: str
    tree: RunLogTree | None
    expected: Expectation
    typed: TypedReply | None = None
    code: bool = False


@magics_class
class ChatMagics(Magics):
    """The magics and what they remember: conversations and models."""

    shell: InteractiveShell  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self.conversations = Conversations(partial(notebook_of, shell))
        self.session_calls = UsageTracker()
        count_always(self.session_calls)
        self.defaults = SessionDefaults()
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
    @argument("--code", action="store_true", help="Put the reply's code into a new cell below.")
    @argument("--schema", metavar="TYPE", help="A variable with the type that the answer is to be.")
    @argument("--compare", metavar="M1,M2", help="Ask several models, and show them side by side.")
    @argument(
        "--expect",
        metavar="TEXT",
        help="A text that the reply has to contain, in any case of letters; or a regular "
        'expression between slashes, in quotes: "/[0-9]+/". Otherwise the cell fails.',
    )
    @argument(
        "--expect-schema",
        metavar="VARIABLE",
        help="A type, such as a Pydantic model, that the reply's JSON has to be of.",
    )
    @no_var_expand
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

        --code puts the reply's code into a new cell below, --schema makes `_reply` an object of a
        type, and --compare asks several models, which the conversation does not keep. Nothing that
        a model wrote is run.

        %chat new [NAME] starts a conversation again; %chat list lists them; %chat alone tells what
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

    def _ask(self, line: str, cell: str, *, awaited: bool) -> _Asked | Comparison:
        """Start the turn that a cell asks for."""
        options = OPTIONS.read(line)
        expected = expectation_of(options, self.shell.user_ns)
        prompt = self._prompt(cell)
        try:
            if options.compare:
                return self._compare(options, prompt, awaited=awaited)
            model = self.model(options.model)
        except ChatnbError as error:
            raise in_one_line(error) from None
        typed = TypedReply(options.schema, self.shell.user_ns) if options.schema else None
        given = self._params(options) | (typed.params if typed else {})
        feed = LogFeed() if options.log else None
        conversation = self._conversation(options)
        on_disk = TurnOnDisk(conversation, prompt, model)
        turn = Turn(model, self.defaults.told(on_disk.messages), given, feed, on_disk.keep)
        frontend = frontend_for(self.shell, model.model_name, turn.stop, awaited=awaited)
        turn.start(frontend if typed is None else typed.frontend(frontend))
        tree = None if feed is None else self._tree(feed, frontend)
        chosen = options.model or self.defaults.model
        notice = "" if chosen else self._embedded_notice(model)
        asked = _Asked(turn, frontend, on_disk, options.output, notice, tree, expected)
        return asked._replace(typed=typed, code=options.code)

    def _compare(self, options: argparse.Namespace, prompt: str, *, awaited: bool) -> Comparison:
        """Start a turn with each of several models, on what the conversation has."""
        contestants = contestants_of(options.compare, self.model)
        messages = self.defaults.told(self._conversation(options).asking(prompt))
        comparison = Comparison(contestants, messages, self._params(options), options.output)
        comparison.start(self.shell, awaited=awaited)
        return comparison

    def _conversation(self, options: argparse.Namespace) -> Conversation:
        """The conversation that a cell goes on with, with the cell's system prompt."""
        conversation = self.conversations[options.conversation]
        if options.system is not None:
            conversation.system = options.system
        return conversation

    def _params(self, options: argparse.Namespace) -> dict[str, Any]:
        """The parameters of a cell's calls."""
        given = {"temperature": options.temperature, "max_tokens": options.max_tokens}
        return self.defaults.params(given)

    def model(self, name: str | None) -> BaseChatModel:
        """The model of that name or in that variable; without a name the session's.

        Raises:
            ConfigurationError: If there is no such model, or it lacks a key or its weights.
        """
        if name is None and self.defaults.model is not None:
            return self.defaults.model
        return self._models.get(name, self.shell.user_ns)

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

    def _keep(self, asked: _Asked | Comparison, reply: Any, *, interrupted: bool) -> None:
        """Leave the reply in the variables, the conversation and the cell."""
        if isinstance(asked, Comparison):
            asked.keep(self.shell, reply, interrupted=interrupted)
        else:
            self._keep_reply(asked, reply, interrupted=interrupted)

    def _keep_reply(self, asked: _Asked, reply: Reply, *, interrupted: bool) -> None:
        kept, shown = reply.message, None
        if asked.typed is not None:
            kept, reply, shown = asked.typed.read(reply)
        names = ["_reply", *([asked.variable] if asked.variable else [])]
        self.shell.push(dict.fromkeys(names, kept))
        notices = [asked.notice, self._put_code_below(reply) if asked.code else ""]
        try:
            asked.on_disk.end(reply)
        finally:
            asked.frontend.finish(reply, " ".join(filter(None, notices)), shown)
        if asked.tree is not None and not self._is_watched():
            package_loop.run(asked.tree.wait())
            display(asked.tree)
        if interrupted:
            raise in_one_line(ReplyInterrupted()) from None
        if isinstance(reply.error, ChatnbError):
            raise in_one_line(reply.error)
        if reply.error is not None:
            raise reply.error
        try:
            asked.expected.check(reply.message)
        except ReplyUnexpected as error:
            raise in_one_line(error) from None

    def _put_code_below(self, reply: Reply) -> str:
        """Put the reply's code into the next cell; why not, if not."""
        if reply.outcome != "done":
            return ""
        found = code_cell(reply.message.text, self.shell.find_cell_magic)
        if found.source is not None:
            put_below(self.shell, found.source)
        return found.why_not

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


OPTIONS = CellOptions(vars(ChatMagics)["chat"].parser)
"""What a %%chat line may say."""
