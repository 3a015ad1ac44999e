"""A conversation by its name, on disk and shared between processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from types import EllipsisType
from typing import TYPE_CHECKING, Any, cast

from chatnb.concurrency.locks import Lock
from chatnb.conversations.draft import Draft
from chatnb.conversations.markdown import conversation_markdown
from chatnb.conversations.paths import MessageTree, NodePath, RequestMessages
from chatnb.errors import DeletedMessageError
from chatnb.schema.characters import replace_surrogates
from chatnb.schema.conversion import CheckedMessages
from chatnb.schema.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from chatnb.store import Node, Status, Store, shared_store
from chatnb.terminal import SafeText, replace_control_characters

if TYPE_CHECKING:
    from chatnb.markdown.mimebundle import Mimebundle
    from chatnb.markdown.safe_markdown import SafeMarkdown

_MAX_NAME = 200


class Conversation:
    """Turns between a user and a model that outlive the process.

    Its messages are a tree: an edit adds another message beside the old one, and nothing is
    overwritten. One path through the tree is selected; it is shown and sent to the model. Another
    process may continue the conversation at the same time: `refresh` reads its messages.

    Args:
        name: Its name; the same name resumes it.
        store: The store that keeps it. Default: the user's, or the one that CHATNB_STORE names.

    Raises:
        ConfigurationError: If the store cannot be used.

    Example:
        >>> from chatnb.schema import AIMessage, HumanMessage
        >>> conversation = Conversation("ideas", store=Store(":memory:"))
        >>> conversation.system = "Be brief."
        >>> question = conversation.add(HumanMessage("A name for a boat?"))
        >>> reply = conversation.add(AIMessage("Ada."))
        >>> [message.text for message in conversation.request_messages("Another?")]
        ['Be brief.', 'A name for a boat?', 'Ada.', 'Another?']
        >>> edit = conversation.add(HumanMessage("A name for a cat?"), parent=question.parent)
        >>> conversation.messages
        [HumanMessage(content='A name for a cat?')]
        >>> conversation.select(question.id)
        >>> conversation.messages[-1]
        AIMessage(content='Ada.')
    """

    def __init__(self, name: str, *, store: Store | None = None) -> None:
        self._name = check_name(name)
        self._store = store or shared_store()
        self._lock = Lock()
        self._reset()
        self.refresh()

    def __reduce__(self) -> Any:
        return _open_conversation, (self._name, self._store)

    def __repr__(self) -> str:
        return f"Conversation({self._name!r})"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Mimebundle:
        return {"text/plain": SafeText(repr(self)), "text/markdown": self.to_markdown()}

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @property
    def store(self) -> Store:
        """The store that keeps it."""
        return self._store

    @property
    def settings(self) -> dict[str, Any]:
        """Its settings: system, model, temperature."""
        self.refresh()
        return dict(self._settings)

    def change_settings(self, **settings: Any) -> None:
        """Set `settings` by name, such as `system`; None removes one."""
        self._store.change_settings(self._name, settings)
        self.refresh()

    @property
    def system(self) -> str | None:
        """The system prompt."""
        return cast("str | None", self.settings.get("system"))

    @system.setter
    def system(self, system: str | None) -> None:
        self.change_settings(system=system or None)

    @property
    def model(self) -> str | None:
        """The name of its chat model, as it was given."""
        return cast("str | None", self.settings.get("model"))

    @model.setter
    def model(self, model: str | None) -> None:
        self.change_settings(model=model)

    @property
    def temperature(self) -> float | None:
        """Sampling temperature, 0 to 2."""
        return cast("float | None", self.settings.get("temperature"))

    @temperature.setter
    def temperature(self, temperature: float | None) -> None:
        self.change_settings(temperature=temperature)

    @property
    def messages(self) -> list[BaseMessage]:
        """The messages on the selected path, in order, without the system prompt."""
        return [node.message for node in self.path()]

    @property
    def tip(self) -> str | None:
        """The id of the message that a new question follows: the last one that is not streaming."""
        with self._lock:
            return self._tree.settled(self._leaf)

    @property
    def version(self) -> int:
        """Increases with each change that `refresh` has read."""
        return self._version

    @property
    def elsewhere(self) -> int:
        """The number of messages on other branches, such as those that others began meanwhile."""
        with self._lock:
            return len(self._tree.nodes) - len(self._tree.path_to(self._leaf))

    def path(self) -> list[Node]:
        """Return the nodes on the selected path, in order, as they are on disk now."""
        return list(self.shared_path())

    def shared_path(self) -> NodePath:
        """Return what `path` does, at a cost that does not grow with the conversation."""
        self.refresh()
        with self._lock:
            return self._tree.path_to(self._leaf)

    def nodes(self) -> list[Node]:
        """Return the messages of all branches, oldest first, without deleted ones."""
        self.refresh()
        return list(self._tree.nodes.values())

    def node(self, node_id: str) -> Node:
        """Return the message with the id `node_id`, as it was when last read.

        Raises:
            LookupError: If there is none, or it was deleted.
        """
        found = self._tree.nodes.get(node_id)
        if found is None:
            raise LookupError(f"The conversation {self._name!r} has no message {node_id!r}")
        return found

    def request_messages(self, prompt: str | BaseMessage) -> list[BaseMessage]:
        """Return the messages of a request that sends a prompt to the model.

        Args:
            prompt: The user's text, or a message.

        Returns:
            The system prompt, the messages so far (without a turn that is still streaming, without
            empty replies, and with a result for each tool call that was never run), the prompt.
        """
        self.refresh()
        last = HumanMessage(prompt) if isinstance(prompt, str) else prompt
        return [*self.messages_through(self.tip), last]

    def messages_through(self, node_id: str | None) -> list[BaseMessage]:
        """Return the messages of a request that ends with an existing one, the system prompt first.

        Args:
            node_id: The last message; None for the system prompt alone.
        """
        system = cast("str | None", self._settings.get("system"))
        start = [SystemMessage(system)] if system else []
        with self._lock:
            return CheckedMessages(start, self._request.through(self._tree.path_to(node_id)))

    # The names of earlier versions.
    asking = request_messages
    said_to = messages_through

    def branches(self, node_id: str) -> list[str]:
        """Return the ids of `node_id` and the alternatives to that message, oldest first."""
        self.node(node_id)
        return self._tree.branches(node_id)

    def forks(self) -> Mapping[str, Sequence[str]]:
        """Return the ids of a message and its alternatives, for each message that has any."""
        with self._lock:
            return self._tree.forks()

    def is_replying(self, node_id: str) -> bool:
        """Return whether a reply is streaming at the end of the branch of `node_id`."""
        with self._lock:
            last = self._tree.newest_below(node_id)
            return last is not None and self.node(last).status == "streaming"

    def select(self, node_id: str) -> None:
        """Select the path through `node_id`, and on through the newest messages below it."""
        self.node(node_id)
        self._choose(self._tree.newest_below(node_id))

    def end_at(self, node_id: str | None) -> None:
        """Select the path that ends with `node_id`, or an empty one; nothing is deleted."""
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
        """Add a message and select the path that ends with it.

        Args:
            message: Any message. Values that JSON cannot hold are written as their repr.
            parent: The id of the message before it, None for a first message. Default: the end of
                the path, with what other processes have added there until now; for a HumanMessage
                without a turn that is still streaming.
            status: Its status.
            facts: Its metadata, as JSON.

        Returns:
            The new node.

        Raises:
            LookupError: If there is no such parent.
            DeletedMessageError: If another process has deleted the parent; nothing is added.
            ValueError: If the type of the message cannot be read back.
        """
        above, after = self._above(message, parent)
        return self._add(message, parent=above, after=after, status=status, facts=facts)

    def replying(
        self,
        parent: str | EllipsisType | None = ...,
        *,
        facts: Mapping[str, Any] | None = None,
    ) -> Draft:
        """Return a reply that streams within a `with` block.

        Any exit of the block marks the reply: as done, as stopped by an interrupt or a
        cancellation, or as failed.

        Args:
            parent: The id of the message that it answers. Default: the last one.
            facts: Metadata that is known at its start: model...

        Returns:
            The draft; it takes the chunks.

        Raises:
            DeletedMessageError: Within `with`, if another process has deleted the parent.

        Example:
            >>> from chatnb.schema import AIMessageChunk, HumanMessage
            >>> conversation = Conversation("ideas", store=Store(":memory:"))
            >>> question = conversation.add(HumanMessage("A name for a boat?"))
            >>> with conversation.replying() as draft:
            ...     draft.append(AIMessageChunk("Ada."))
            >>> conversation.path()[-1].status
            'done'
        """
        message, id = AIMessage(""), self._store.new_id()
        above, _ = self._above(message, parent)  # It answers what this process has seen.
        add = partial(self._add, message, parent=above, status="streaming", facts=facts, id=id)
        return Draft(self._store, id, self.refresh, add)

    def begin_reply(
        self,
        parent: str | EllipsisType | None = ...,
        *,
        facts: Mapping[str, Any] | None = None,
    ) -> Draft:
        """Start a reply that streams until its `finish` is called; see `replying`.

        Args:
            parent: The id of the message that it answers. Default: the last one.
            facts: Metadata that is known at its start: model...

        Returns:
            The draft; it takes the chunks.
        """
        return self.replying(parent, facts=facts).begin()

    def delete(self, node_id: str) -> None:
        """Hide the message `node_id` and all that follow it; `restore` shows them again.

        The path continues with another branch there, if there is one. Only `forget` removes
        messages from the disk.

        Raises:
            LookupError: If there is no such message.
        """
        parent = self.node(node_id).parent
        with self._lock:
            was_selected = self._tree.is_on_path(node_id, self._leaf)
        self._store.hide(node_id)
        self.refresh()
        if was_selected:
            self._choose(self._tree.newest_below(parent))

    def restore(self, node_id: str) -> None:
        """Show the message `node_id` again, which `delete` hid, and all that follow it."""
        self._store.unhide(node_id)
        self.refresh()
        self.select(node_id)

    def start_again(self) -> str | None:
        """Start an empty conversation under this name; the old one gets another name.

        Returns:
            The name of the old one, such as `ideas.2`; None if it was empty.
        """
        aside = self._store.set_aside(self._name)
        self.refresh()
        return aside

    def forget(self) -> None:
        """Remove all messages and settings from the disk for good.

        Raises:
            NotForgottenError: If they are deleted, but the file still holds their text, since
                another process is reading it.
        """
        try:
            self._store.forget(self._name)
        finally:
            self.refresh()

    def refresh(self) -> bool:
        """Read what other processes have written.

        Messages that they added at the end of the selected path extend it; a branch that they
        started elsewhere does not change it.

        Returns:
            True if anything changed since the last time.
        """
        with self._lock:
            changes = self._store.changes(
                self._name, conversation=self._number, since=self._version
            )
            if changes is None:
                existed = bool(self._number)
                self._reset()
                return existed
            is_known = (changes.conversation, changes.version) == (self._number, self._version)
            if is_known and self._tree.newest <= self._seen:
                return False
            is_another = changes.conversation != self._number
            if is_another:
                self._reset()
                self._leaf = changes.leaf
            try:
                self._tree.update(changes.nodes)
            except ValueError as error:
                raise self._store.error(error) from error
            self._number, self._version = changes.conversation, changes.version
            self._settings = changes.settings
            leaf = self._tree.nearest(self._leaf)
            self._leaf = leaf if is_another else self._tree.newest_below(leaf, after=self._seen)
            self._seen = self._tree.newest
            return True

    def to_markdown(self) -> SafeMarkdown:
        """Return the selected path as Markdown that is safe to display.

        Each message has a heading. Nothing in it executes or fetches anything.
        """
        from chatnb.markdown.safe_markdown import safe_markdown

        return safe_markdown(conversation_markdown(self._name, self.path(), self.system))

    def _reset(self) -> None:
        self._number, self._version = 0, -1
        self._leaf: str | None = None
        self._seen = 0  # The number of the newest message that may have extended the path.
        self._settings: dict[str, Any] = {}
        self._tree, self._request = MessageTree(), RequestMessages()

    def _add(self, message: BaseMessage, **values: Any) -> Node:
        try:
            id = self._store.add(self._name, message, **values)
        except DeletedMessageError:
            self.refresh()
            raise
        with self._lock:
            self.refresh()
            # What others have added below it meanwhile extends the path with the next refresh.
            self._leaf, node = id, self.node(id)
            self._seen = node.number
            return node

    def _choose(self, leaf: str | None) -> None:
        self._store.select(self._name, leaf)
        with self._lock:
            self.refresh()
            self._leaf = leaf

    def _above(
        self, message: BaseMessage, parent: str | EllipsisType | None
    ) -> tuple[str | None, int | None]:
        """Return the id of the parent and, where the path is extended, the newest number on it."""
        if parent is None or isinstance(parent, str):
            return parent if parent is None else self.node(parent).id, None
        with self._lock:
            is_question = isinstance(message, HumanMessage)
            return self._tree.settled(self._leaf) if is_question else self._leaf, self._seen


def check_name(name: str) -> str:
    """Return the name of a conversation; raise a ValueError for one that cannot be shown."""
    if not isinstance(name, str) or not name.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValueError("A conversation needs a name")
    if len(name) > _MAX_NAME or replace_control_characters(replace_surrogates(name)) != name:
        raise ValueError(
            f"The name of a conversation is one line of at most {_MAX_NAME} characters, "
            f"not {name!r:.80}"
        )
    return name


def _open_conversation(name: str, store: Store) -> Conversation:
    return Conversation(name, store=store)
