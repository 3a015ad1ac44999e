"""A conversation by its name: what was said is on disk, in this process or another."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import EllipsisType
from typing import Any, cast

from chatnb.conversations.asking import acceptable
from chatnb.conversations.draft import Draft
from chatnb.conversations.tree import Tree, settled
from chatnb.conversations.writing import conversation_markdown
from chatnb.schema.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from chatnb.store import Node, Status, Store, shared_store


class Conversation:
    """Turns between a user and a model, which outlive the process.

    Its messages are a tree: to edit is to add another message in the same place, and nothing is
    ever overwritten. One path through the tree is the conversation as it is shown and asked.
    Another process may go on with it at the same time: `refresh` takes in what it said.

    Args:
        name: What it is called; the same name resumes it.
        store: Where it is kept. Default: the user's own, or the one that CHATNB_STORE names.

    Raises:
        ConfigurationError: If the store cannot be used.

    Example:
        >>> from chatnb.schema import AIMessage, HumanMessage
        >>> talk = Conversation("ideas", store=Store(":memory:"))
        >>> talk.system = "Be brief."
        >>> asked = talk.add(HumanMessage("A name for a boat?"))
        >>> replied = talk.add(AIMessage("Ada."))
        >>> [said.text for said in talk.asking("Another?")]
        ['Be brief.', 'A name for a boat?', 'Ada.', 'Another?']
        >>> edited = talk.add(HumanMessage("A name for a cat?"), parent=asked.parent)
        >>> talk.messages
        [HumanMessage(content='A name for a cat?')]
        >>> talk.select(asked.id)
        >>> talk.messages[-1]
        AIMessage(content='Ada.')
    """

    def __init__(self, name: str, *, store: Store | None = None) -> None:
        if not name.strip():
            raise ValueError("A conversation needs a name")
        self._name = name
        self._store = store or shared_store()
        self._lock = threading.RLock()
        self._forget_what_was_read()
        self.refresh()

    def __repr__(self) -> str:
        return f"Conversation({self._name!r})"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from chatnb.markdown.safe_markdown import safe_markdown

        return {"text/plain": repr(self), "text/markdown": safe_markdown(self.to_markdown())}

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name

    @property
    def store(self) -> Store:
        """Where it is kept."""
        return self._store

    @property
    def settings(self) -> dict[str, Any]:
        """What is kept beside the messages: system, model, temperature."""
        self.refresh()
        return dict(self._settings)

    def change_settings(self, **settings: Any) -> None:
        """Set some settings by name; None takes one away."""
        self._store.change_settings(self._name, settings)
        self.refresh()

    @property
    def system(self) -> str | None:
        """What the model is told before the first message."""
        return cast("str | None", self.settings.get("system"))

    @system.setter
    def system(self, system: str | None) -> None:
        self.change_settings(system=system or None)

    @property
    def model(self) -> str | None:
        """The name of the model that answers, as it was given."""
        return cast("str | None", self.settings.get("model"))

    @model.setter
    def model(self, model: str | None) -> None:
        self.change_settings(model=model)

    @property
    def temperature(self) -> float | None:
        """How freely the model chooses its words."""
        return cast("float | None", self.settings.get("temperature"))

    @temperature.setter
    def temperature(self, temperature: float | None) -> None:
        self.change_settings(temperature=temperature)

    @property
    def messages(self) -> list[BaseMessage]:
        """The messages on the chosen path, in order, without the system prompt."""
        return [node.message for node in self.path()]

    @property
    def tip(self) -> str | None:
        """The message that a new question follows: the last one, but for a turn that streams."""
        path = settled(self._path())
        return path[-1].id if path else None

    @property
    def version(self) -> int:
        """Goes up with each change that `refresh` saw."""
        return self._version

    def path(self) -> list[Node]:
        """The nodes on the chosen path, in order, as they are on disk now."""
        self.refresh()
        return self._path()

    def nodes(self) -> list[Node]:
        """The messages of all branches, those that were deleted left out, as they came."""
        self.refresh()
        return list(self._tree.nodes.values())

    def node(self, node_id: str) -> Node:
        """A message by its id, as it was when last read.

        Raises:
            LookupError: If there is none, or it was deleted.
        """
        found = self._tree.nodes.get(node_id)
        if found is None:
            raise LookupError(f"The conversation {self._name!r} has no message {node_id!r}")
        return found

    def asking(self, prompt: str | BaseMessage) -> list[BaseMessage]:
        """The messages that put a prompt to the model.

        Args:
            prompt: The user's text, or a message.

        Returns:
            The system prompt, what was said before (without a turn that is still streaming,
            without empty replies, and with a result for each call that was never run), the prompt.
        """
        self.refresh()
        asked = HumanMessage(prompt) if isinstance(prompt, str) else prompt
        return [*self.said_to(self.tip), asked]

    def said_to(self, node_id: str | None) -> list[BaseMessage]:
        """The messages that have the model go on after one of them, the system prompt first.

        Args:
            node_id: The last message to tell; None for the system prompt alone.
        """
        system = cast("str | None", self._settings.get("system"))
        told = [SystemMessage(system)] if system else list[BaseMessage]()
        return [*told, *acceptable([node.message for node in self._tree.path_to(node_id)])]

    def branches(self, node_id: str) -> list[str]:
        """The ids of the messages that stand in one place, this one among them, oldest first."""
        self.node(node_id)
        return self._tree.branches(node_id)

    def select(self, node_id: str) -> None:
        """Choose the path through a message, and on along the newest that follow it."""
        self.node(node_id)
        self._choose(self._tree.newest_below(node_id))

    def end_at(self, node_id: str | None) -> None:
        """Choose the path that ends with a message, or an empty one; the rest stays."""
        if node_id is not None:
            self.node(node_id)
        self._choose(node_id)

    def add(
        self,
        message: BaseMessage,
        *,
        parent: str | EllipsisType | None = ...,
        status: Status = "done",
        facts: Mapping[str, Any] | None = None,
    ) -> Node:
        """Write a message and choose the path that it ends.

        Args:
            message: Any message. What JSON cannot hold of it is written as its repr.
            parent: The message that it follows, None for a first message. Default: `tip` for a
                HumanMessage, for any other the last message.
            status: How it ended.
            facts: What there is to say of it, as JSON.

        Returns:
            The node that it became.

        Raises:
            LookupError: If there is no such parent.
            ValueError: If the message is of a kind that cannot be read back.
        """
        with self._lock:
            above = self._above(message, parent)
            id = self._store.add(self._name, message, parent=above, status=status, facts=facts)
            self._leaf = id
            self.refresh()
            return self.node(id)

    def begin_reply(
        self,
        parent: str | EllipsisType | None = ...,
        *,
        facts: Mapping[str, Any] | None = None,
    ) -> Draft:
        """Begin a reply that streams.

        Args:
            parent: The message that it answers. Default: the last one.
            facts: What is known before its first word: model...

        Returns:
            What takes its pieces.
        """
        begun = self.add(AIMessage(""), parent=parent, status="streaming", facts=facts)
        return Draft(self._store, begun.id, self.refresh)

    def delete(self, node_id: str) -> None:
        """Hide a message and all that follows it; `restore` brings them back.

        The path goes on with another branch in its place, if there is one. Only `forget` removes
        what was said from the disk.

        Raises:
            LookupError: If there is no such message.
        """
        parent = self.node(node_id).parent
        was_shown = any(node.id == node_id for node in self._path())
        self._store.hide(node_id)
        self.refresh()
        if was_shown:
            self._choose(self._tree.newest_below(parent))

    def restore(self, node_id: str) -> None:
        """Show again what `delete` hid."""
        self._store.unhide(node_id)
        self.refresh()
        self.select(node_id)

    def start_again(self) -> str | None:
        """Begin anew under this name; what was said before goes on under another.

        Returns:
            The other name, such as `ideas.2`; None if nothing had been said.
        """
        aside = self._store.set_aside(self._name)
        self.refresh()
        return aside

    def forget(self) -> None:
        """Remove all that was said, and the settings, from the disk for good."""
        self._store.forget(self._name)
        self.refresh()

    def refresh(self) -> bool:
        """Take in what other processes wrote.

        Where they went on from the end of the path, so does the path; a branch of theirs leaves
        it as it is.

        Returns:
            Whether anything changed since the last time.
        """
        with self._lock:
            changes = self._store.changes(
                self._name, conversation=self._number, since=self._version
            )
            if changes is None:
                was_there = bool(self._number)
                self._forget_what_was_read()
                return was_there
            if (changes.conversation, changes.version) == (self._number, self._version):
                return False
            is_another = changes.conversation != self._number
            if is_another:
                self._forget_what_was_read()
                self._leaf = changes.leaf
            self._number, self._version = changes.conversation, changes.version
            self._settings = changes.settings
            self._nodes.update((node.id, node) for node in changes.nodes)
            seen, self._tree = self._tree.newest, Tree(self._nodes.values())
            leaf = self._nearest(self._leaf)
            self._leaf = leaf if is_another else self._tree.newest_below(leaf, after=seen)
            return True

    def to_markdown(self) -> str:
        """The chosen path as Markdown: who spoke, and what they said.

        The text is as the model wrote it; `chatnb.markdown` makes it fit to be displayed.
        """
        return conversation_markdown(self._name, self.path(), self.system)

    def _forget_what_was_read(self) -> None:
        self._number, self._version = 0, -1
        self._leaf: str | None = None
        self._settings: dict[str, Any] = {}
        self._nodes: dict[str, Node] = {}
        self._tree = Tree([])

    def _path(self) -> list[Node]:
        with self._lock:
            return self._tree.path_to(self._leaf)

    def _choose(self, leaf: str | None) -> None:
        with self._lock:
            self._store.select(self._name, leaf)
            self.refresh()
            self._leaf = leaf

    def _above(self, message: BaseMessage, parent: str | EllipsisType | None) -> str | None:
        if parent is None or isinstance(parent, str):
            return parent if parent is None else self.node(parent).id
        if isinstance(message, HumanMessage):
            return self.tip
        path = self._path()
        return path[-1].id if path else None

    def _nearest(self, leaf: str | None) -> str | None:
        """A message, or what it followed if it was deleted."""
        while leaf is not None and leaf not in self._tree.nodes:
            above = self._nodes.get(leaf)
            leaf = above.parent if above else None
        return leaf
