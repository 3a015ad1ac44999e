"""The session of a notebook: its defaults, chat models, conversations, usage and shell."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeVar

from chatnb.cassettes.active import is_replaying
from chatnb.conversations import Conversation
from chatnb.errors import ChatnbError
from chatnb.notebook.chats import Chat, SessionModels, find_chat_model
from chatnb.notebook.widgets.formatting import error_lines
from chatnb.schema.messages import BaseMessage, SystemMessage
from chatnb.store import Store, shared_store
from chatnb.tracing.usage_tracking import UsageTracker, add_global_tracker

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from chatnb.notebook.cell.outputs import CellOutputs

E = TypeVar("E", bound=BaseException)

MAIN = "main"
"""The name in cells of the notebook's own conversation, whatever its name in the store."""
_NAME_WITHOUT_NOTEBOOK = "session"
_AUTOMATIC_MODEL = "OpenAI if OPENAI_API_KEY is set, else the embedded model"
_MAX_SHOWN = 60
_EMBEDDED_NOTICE = (
    "No API key is set, so the small model beside this kernel answered: plausible prose, "
    "unreliable facts. %%chat -m MODEL chooses another."
)
# A server that runs here answers at once; the first reply is not held up for another.
_SERVER_SECONDS = 0.2


class Session:
    """The state that the cells and commands of one notebook share."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell
        self.defaults = SessionDefaults()
        self.last_context = ""
        self.conversations = Conversations(lambda: notebook_path(shell))
        self.questions: dict[str, str] = {}
        """The id of the prompt that each cell has sent last."""
        self.usage = UsageTracker()
        add_global_tracker(self.usage)
        self._models = SessionModels()
        self._noticed_embedded = False
        self._cell_outputs: CellOutputs | None = None

    @property
    def cell_outputs(self) -> CellOutputs:
        """The part of the notebook's page that knows the outputs of cells."""
        from chatnb.notebook.cell.outputs import CellOutputs

        # `Widget.close_all()` of ipywidgets closes it.
        if self._cell_outputs is None or self._cell_outputs.comm is None:
            self._cell_outputs = CellOutputs()
        return self._cell_outputs

    def take_asked_again(self) -> bool:
        """Return once whether the cell that runs was asked again by its button."""
        return self._cell_outputs is not None and self._cell_outputs.take_asked_again()

    async def await_page(self) -> None:
        """Await the answer of the page to the first output, for as long as one may take."""
        if self._cell_outputs is not None:
            await self._cell_outputs.await_answer()

    def model(self, name: str | None = None) -> Chat:
        """Return the chat of that name or in that variable; without a name the default one."""
        if name is None and self.defaults.model is not None:
            return self.defaults.model
        try:
            return self._models.get(name, self.shell.user_ns)
        except ChatnbError as error:
            raise without_traceback(error) from None

    def embedded_notice(self, chat: Chat) -> str:
        """Return a notice the first time that the embedded model replies, else nothing."""
        from chatnb.chat_models import ChatLocal

        if self._noticed_embedded or not isinstance(find_chat_model(chat), ChatLocal):
            return ""
        self._noticed_embedded = True
        return f"{_EMBEDDED_NOTICE}{_running_notice()}"


def _running_notice() -> str:
    """Return a sentence about a server of models that runs on this machine, if there is one."""
    from chatnb.chat_models.registry import running_servers

    servers = {} if is_replaying() else running_servers(_SERVER_SECONDS)
    if not servers:
        return ""
    name, models = next(iter(servers.items()))
    return f" {name} runs here: %%chat -m {name}:{models[0]}."


@dataclass
class SessionDefaults:
    """The settings of cells that set none of their own; None leaves a setting to the model.

    Args:
        model: The chat model, or another chat.
        model_name: Its name as it was typed.
        system: The system prompt of conversations without one.
        temperature: Sampling temperature, 0 to 2.
        max_tokens: The maximum number of tokens of a reply.
        context: What prompts take along of the notebook, as `--context` takes it.
        context_tokens: The budget of a context, in tokens.

    Example:
        >>> SessionDefaults(temperature=0.2).params({"temperature": None, "max_tokens": 7})
        {'temperature': 0.2, 'max_tokens': 7}
    """

    model: Chat | None = None
    model_name: str | None = None
    system: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    context: str | None = None
    context_tokens: int | None = None

    def with_system(self, messages: Sequence[BaseMessage]) -> list[BaseMessage]:
        """Return a conversation with the default system prompt, unless it has one of its own."""
        if self.system and not (messages and isinstance(messages[0], SystemMessage)):
            return [SystemMessage(self.system), *messages]
        return list(messages)

    def params(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a call: the cell's, else the defaults, without those not set."""
        merged = {
            name: getattr(self, name) if value is None else value for name, value in given.items()
        }
        return {name: value for name, value in merged.items() if value is not None}

    def __str__(self) -> str:
        rows = {
            "model": self.model_name or _AUTOMATIC_MODEL,
            "system": "none" if self.system is None else f"{self.system!r:.{_MAX_SHOWN}}",
            "temperature": "the model's own" if self.temperature is None else self.temperature,
            "max_tokens": "the model's own" if self.max_tokens is None else self.max_tokens,
            "context": self.context or "none",
        }
        if self.context_tokens is not None:
            rows["context_tokens"] = self.context_tokens
        return "\n".join(f"{name:14}  {value}" for name, value in rows.items())


class Conversations:
    """The conversations that cells continue."""

    # A notebook's own conversation, `main`, starts again with each kernel: a notebook that is run
    # from the top after a restart sends what it sent the first time. It is stored under the
    # notebook's name (`analysis`, then `analysis.2`...), so that `%chat resume` finds the earlier
    # ones. Every other name means the same conversation in every notebook.

    def __init__(self, origin: Callable[[], str]) -> None:
        self._origin = origin
        self._main: str | None = None
        self._current: str | None = None
        self._read: dict[tuple[int, str], Conversation] = {}

    def __getitem__(self, name: str | None) -> Conversation:
        """Return the conversation of that name; without a name, the one that cells continue."""
        store, stored = self.store, self.stored_name(name) or self._start_main()
        key = (id(store), stored)
        if key not in self._read:
            self._read[key] = Conversation(stored, store=store)
        return self._read[key]

    def stored_name(self, name: str | None) -> str | None:
        """Return a conversation's name in the store; None for `main` while it is empty."""
        name = name or self._current or MAIN
        return self._main if name == MAIN else name

    @property
    def store(self) -> Store:
        """The store that keeps them."""
        try:
            return shared_store()
        except ChatnbError as error:
            raise without_traceback(error) from None

    def names(self) -> list[str]:
        """Return the names that `-c` takes: `main`, and all in the store."""
        return [MAIN, *(kept.name for kept in self.store.summaries())]

    def resume(self, name: str) -> None:
        """Continue a conversation in cells without `-c`."""
        self._current = None if name in (MAIN, self._main) else name

    def start_main_again(self) -> None:
        """Continue with an empty `main`."""
        self._main = self._current = None

    def previous(self) -> str | None:
        """Return the newest conversation that an earlier kernel of this notebook had, or None."""
        origin = self._origin()
        names = (
            kept.name
            for kept in self.store.summaries()
            if origin and kept.origin == origin and kept.name != self._main
        )
        return next(names, None)

    def forget(self, name: str) -> None:
        """Remove a conversation from the store, and continue it no more."""
        try:
            self.store.forget(name)
        except ChatnbError as error:
            raise without_traceback(error) from None
        finally:
            self._main = None if self._main == name else self._main
            self._current = None if self._current == name else self._current

    def _start_main(self) -> str:
        origin = self._origin()
        self._main = self.store.begin(PurePath(origin).stem or _NAME_WITHOUT_NOTEBOOK, origin)
        return self._main


def notebook_path(shell: InteractiveShell) -> str:
    """Return the path of the notebook that a shell runs, or "" where the front end does not tell.

    Jupyter's server sets it in the kernel's environment, VS Code in a variable.
    """
    path = shell.user_ns.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME") or ""
    return str(path)


class ReplyInterrupted(KeyboardInterrupt):
    """The kernel was interrupted while a reply streamed; its partial text is kept."""

    def __init__(self) -> None:
        super().__init__("the reply was stopped and its partial text is kept")


def without_traceback(error: E) -> E:
    """Make IPython show an error as its message and notes, without the frames that led to it."""
    lines = error_lines(error)
    error._render_traceback_ = lambda: lines  # type: ignore[attr-defined]
    return error
