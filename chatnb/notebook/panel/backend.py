"""The backend of a panel: its conversation on disk, the chat that replies, and the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from IPython.core.getipython import get_ipython

from chatnb.chat_models.registry import ready_models
from chatnb.concurrency.locks import Lock
from chatnb.concurrency.waiting import Outcome, outcome_of
from chatnb.conversations import Conversation
from chatnb.conversations.paths import NodePath
from chatnb.errors import ConfigurationError
from chatnb.notebook.approvals import given_tool_name, is_function_allowed, with_function_allowed
from chatnb.notebook.chats import (
    NO_MODEL_INSIDE,
    find_chat_model,
    get_chat_name,
    runnable_from_chat,
)
from chatnb.notebook.panel.requests import Settings
from chatnb.notebook.panel.variables import notebook_variables, suggestions_about
from chatnb.notebook.session import notebook_path
from chatnb.notebook.widgets.footer import footer_text
from chatnb.notebook.widgets.formatting import count
from chatnb.runnables.base import Runnable
from chatnb.store import Node, Store, shared_store
from chatnb.store.rows import UNNAMED
from chatnb.tools.execution import Approve
from chatnb.tools.loop import ToolLoop
from chatnb.tools.openai_schema import ToolLike, flat_tools

T = TypeVar("T")

_NAME_STEM = "panel"


@dataclass(frozen=True)
class StoredConversation:
    """A conversation as it was last read from the disk, with its settings."""

    name: str
    path: NodePath
    siblings: Mapping[str, Sequence[str]]
    settings: Mapping[str, Any]


class PanelBackend:
    """A conversation, which is created with its first message, and the chat that replies."""

    # A panel in which nothing was sent leaves nothing in the store. All methods may wait for the
    # disk or for a model's package: the event loop calls them on threads, one at a time. Settings
    # are kept with the conversation; of a model its name is kept, if it has one.

    def __init__(
        self,
        name: str | None,
        chat: Any,
        tools: Sequence[ToolLike],
        suggestions: Sequence[str] | None = None,
    ) -> None:
        self.current = None if name is None else Conversation(name)
        self._creating = Lock()
        self._settings: dict[str, Any] = {}
        self.tools: list[ToolLike] = flat_tools(tools)
        self._suggestions = None if suggestions is None else list(suggestions)
        kept = self._kept_settings().get("model") if chat is None else None
        self._chat = runnable_from_chat(kept if isinstance(kept, str) else chat)
        self.model = chat if isinstance(chat, str) else kept or get_chat_name(self._chat)
        self._chats = {self.model: self._chat}
        self.find_models()
        self.runnable(lambda call: True)  # Raises now if a tool is not one.

    def create(self) -> Conversation:
        """Return the conversation, which exists from now on."""
        with self._creating:
            if self.current is None:
                shell = get_ipython()
                origin = notebook_path(shell) if shell else ""
                created = Conversation(shared_store().begin(_NAME_STEM, origin))
                created.change_settings(**self._settings, **{UNNAMED: True})
                self.current = created
            return self.current

    def path(self) -> NodePath:
        """Return the messages of the selected branch."""
        return self.current.shared_path() if self.current else NodePath()

    def read(self) -> StoredConversation:
        """Read what is shown of the conversation."""
        conversation, path = self.current, self.path()
        siblings = conversation.forks() if conversation else {}
        settings = self._kept_settings()
        # The name that the store gave it is no title: it would replace "Chat" at the first message.
        name = conversation.name if conversation and not settings.get(UNNAMED) else ""
        return StoredConversation(name, path, siblings, settings)

    def change(self, work: Callable[[], T]) -> tuple[Outcome[T], Outcome[StoredConversation]]:
        """Do some work, and read what is shown after it."""
        return outcome_of(work), outcome_of(self.read)

    def node(self, id: str) -> Node:
        """Return a message by its id."""
        if self.current is None:
            raise LookupError("There are no messages yet.")
        return self.current.node(id)

    def store(self) -> Store:
        """Return the store that keeps the conversation, or will."""
        return self.current.store if self.current else shared_store()

    def params(self, stored: StoredConversation) -> dict[str, Any]:
        """Return the parameters of a call."""
        temperature = stored.settings.get("temperature")
        if temperature is None or find_chat_model(self._chat) is None:
            return {}
        return {"temperature": temperature}

    def runnable(self, approve: Approve) -> Runnable[Any, Any]:
        """Return the chat, with its tools if it has any; `approve` is asked before each call."""
        return ToolLoop(self._chat, self.tools, approve=approve) if self.tools else self._chat

    def change_settings(self, settings: Settings) -> None:
        """Change some settings: all of them, or none."""
        model = settings.get("model", self.model)
        chat = self._chats.get(model) or runnable_from_chat(model)
        if settings.get("temperature") is not None and find_chat_model(chat) is None:
            raise ConfigurationError(NO_MODEL_INSIDE)
        kept: dict[str, Any] = {key: value for key, value in settings.items() if key != "model"}
        if "system" in kept:
            kept["system"] = kept["system"] or None
        if model != self.model:
            kept["model"] = model
        self._keep_settings(kept)
        self._chat, self.model = chat, model
        self._chats[model] = chat
        self.find_models()

    def find_models(self) -> None:
        """Name the models that have replied here, and those that are available now."""
        given = self._suggestions
        self.suggestions = suggestions_about(notebook_variables()) if given is None else given
        self.models = list(dict.fromkeys([self.model, *self._chats, *ready_models()]))

    def about(self) -> str:
        """Return the model that replies, its limits and its tools, in one line."""
        model, names = (
            find_chat_model(self._chat),
            [given_tool_name(tool) or "" for tool in self.tools],
        )
        limit = getattr(model, "max_tokens", None)
        return footer_text(
            f"{self.model} replies",
            f"at most {limit:,} tokens each" if isinstance(limit, int) else "",
            f"{count(len(names), 'tool')}: {', '.join(names)}" if names else "",
        )

    def allow(self, tool: str) -> None:
        """Always allow a tool in this conversation, in this notebook, while its function stays."""
        self._keep_settings(with_function_allowed(self._kept_settings(), self.tools, tool))

    def is_allowed(self, stored: StoredConversation, tool: str) -> bool:
        """Return whether every call of a tool is allowed."""
        return not self.tools or is_function_allowed(stored.settings, self.tools, tool)

    def _kept_settings(self) -> dict[str, Any]:
        return self.current.settings if self.current else dict(self._settings)

    def _keep_settings(self, settings: dict[str, Any]) -> None:
        """Set some settings by name; None removes one."""
        if self.current is None:
            self._settings |= settings
        elif any(self.current.settings.get(name) != value for name, value in settings.items()):
            self.current.change_settings(**settings)
