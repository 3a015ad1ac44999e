"""The tools of a cell, the calls of its reply, and their approval: --tools and --approve."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from IPython.core.error import UsageError

from chatnb.concurrency.main_thread import main_thread_work
from chatnb.concurrency.threads import in_thread
from chatnb.concurrency.waiting import await_done
from chatnb.conversations import Conversation
from chatnb.errors import ChatnbError
from chatnb.notebook.approvals import (
    NOBODY_TO_ASK,
    Approvals,
    Verdict,
    is_function_allowed,
    with_function_allowed,
)
from chatnb.notebook.chats import Chat, find_chat_model, get_chat_name
from chatnb.notebook.kernel import wake_main_loop
from chatnb.notebook.session import Session
from chatnb.notebook.widgets.formatting import value_text
from chatnb.notebook.widgets.front_end import cell_view
from chatnb.notebook.widgets.tool_calls import (
    Decide,
    ItemToolCall,
    arguments_text,
    call_id,
    call_line,
    code_argument,
    result_state,
)
from chatnb.runnables.functions import RunnableLambda
from chatnb.schema.messages import AIMessage, ToolCall, ToolMessage
from chatnb.terminal import print_code, with_visible_characters, write_text
from chatnb.tools.execution import Approve, Reject
from chatnb.tools.loop import ToolLoop
from chatnb.tools.openai_schema import ToolLike, flat_tools

_POLICIES: Mapping[str, Approve | None] = {
    "all": lambda call: True,
    "none": lambda call: Reject("--approve none allows no calls."),
    "ask": None,
}
_NO_MODEL = (
    "%%chat --tools needs a chat model, and {name} is none. Give it the tools where it is made."
)
_MAX_ANSWERS = 3
_NOBODY = (
    "Calls of tools were rejected, since a program runs the notebook. `--approve all`, or "
    "--approve with a function of the call, says which are allowed."
)


class CellTools:
    """The tools of a cell, and the rule by which calls are approved.

    Args:
        tools: The tools.
        approve: Decides about a call; None asks the user.
        conversation: Returns the conversation, which keeps the functions that are always allowed.
    """

    def __init__(
        self,
        tools: Sequence[ToolLike] = (),
        approve: Approve | None = None,
        conversation: Callable[[], Conversation] | None = None,
    ) -> None:
        self.tools = list(tools)
        self.approve = approve
        self._conversation = conversation

    def chat(self, chat: Chat, approve: Approve) -> Chat:
        """Return the chat with the tools, if there are any; `approve` is asked before each call."""
        if not self.tools:
            return chat
        if isinstance(chat, ToolLoop) or find_chat_model(chat) is None:
            raise UsageError(_NO_MODEL.format(name=get_chat_name(chat)))
        try:
            return ToolLoop(chat, self.tools, approve=approve)
        except (TypeError, ValueError) as error:
            raise UsageError(f"%%chat --tools: {error}") from None

    def is_allowed(self, tool: str) -> bool:
        """Return whether every call of a tool is allowed without a question."""
        # A chat that brought tools of its own asks for itself.
        if not self.tools:
            return True
        if self.approve or self._conversation is None:
            return False
        return is_function_allowed(self._conversation().settings, self.tools, tool)

    def allow(self, tool: str) -> None:
        """Always allow a tool in this conversation, in this notebook, while its function stays."""
        if self._conversation is None:
            return
        conversation = self._conversation()
        conversation.change_settings(
            **with_function_allowed(conversation.settings, self.tools, tool)
        )


def asks_by(*, awaited: bool) -> str | None:
    """Return the way in which a cell can ask its user; None if there is nobody."""
    view = cell_view()
    if view == "static":
        return None
    # A kernel that hears no clicks while a cell runs can still ask for a line of text.
    return "buttons" if view == "live" and awaited else "question"


def cell_tools(
    session: Session, options: argparse.Namespace, conversation: Callable[[], Conversation]
) -> CellTools:
    """Return the tools of a cell's options.

    Raises:
        UsageError: If a name is no variable, or holds no tools.
    """
    if options.tools is None:
        if options.approve is not None:
            raise UsageError("%%chat --approve is for --tools, which names the tools.")
        return CellTools()
    namespace = session.shell.user_ns
    tools = [
        tool
        for name in options.tools.split(",")
        for tool in _tools_from_variable(name.strip(), namespace)
    ]
    return CellTools(tools, _policy(options.approve or "ask", namespace), conversation)


def _tools_from_variable(name: str, namespace: Mapping[str, Any]) -> list[ToolLike]:
    if name not in namespace:
        raise UsageError(
            f"%%chat --tools takes variables with tools, as in --tools look_up,run_python, and "
            f"{name!r} is none. Define a function or import it first, as with: "
            "from chatnb.tools import run_python"
        )
    return flat_tools([namespace[name]])


def _policy(name: str, namespace: Mapping[str, Any]) -> Approve | None:
    if name in _POLICIES:
        return _POLICIES[name]
    if not callable(namespace.get(name)):
        raise UsageError(
            f"%%chat --approve takes all, none, ask, or a variable with a function, not {name!r}."
        )
    return namespace[name]


class CellCalls:
    """The tool calls of a cell's reply, from their approval to their results.

    Args:
        tools: The tools and their rule.
        asks: The way in which the user is asked: by `buttons`, by a `question`, or by none.
    """

    # Everything but `handle` happens on the package's event loop.

    def __init__(self, tools: CellTools, asks: str | None) -> None:
        self.items = list[ItemToolCall]()
        self.show: Callable[[Sequence[ItemToolCall]], None] = lambda items: None
        self._tools = tools
        self._ids = list[tuple[str, str]]()  # Of each item: the model's id, and that of the round.
        self._rounds = 0
        self._nobody = asks is None and tools.approve is None and bool(tools.tools)
        approve = self._own_approval(asks)
        self._approvals = Approvals(tools.is_allowed, approve, interactive=asks is not None)

    def chat(self, chat: Chat, approve: Approve) -> Chat:
        """Return the chat with the tools; `approve` is asked before each call."""
        return self._tools.chat(chat, approve)

    @property
    def notice(self) -> str:
        """A line under a reply whose calls were rejected because nobody was there."""
        rejected = any(item["state"] == "rejected" for item in self.items)
        return _NOBODY if self._nobody and rejected else ""

    def add(self, message: AIMessage) -> None:
        """Add the calls of a message that has ended."""
        self._rounds += 1
        round_id = str(self._rounds)
        self._approvals.add(round_id, message)
        for index, call in enumerate([*message.tool_calls, *message.invalid_tool_calls]):
            id = call_id(round_id, index)
            pending = self._approvals.calls.get(id)
            self.items.append(
                ItemToolCall(
                    id=id,
                    name=call["name"] or "",
                    arguments=arguments_text(call["args"]),
                    state=pending.state if pending else "rejected",
                    result="",
                )
            )
            self._ids.append((round_id, call["id"] or ""))
        self._show()

    async def next_verdict(self, call: ToolCall) -> Verdict:
        """Wait for the verdict on the next call."""
        verdict = await self._approvals.next_verdict(call)
        self._show()
        return verdict

    def end(self, result: ToolMessage) -> bool:
        """Show the result of a call; return whether the call was rejected."""
        rejected = self._approvals.end(result)
        key = (str(self._rounds), result.tool_call_id)
        for item, id in zip(self.items, self._ids, strict=True):
            if id == key and not item["result"]:
                item["state"] = result_state(result, rejected=rejected)
                item["result"] = value_text(result)
                break
        self._show()
        return rejected

    def stopped_results(self) -> list[ToolMessage]:
        """Return results for the calls that run, as the reply is stopped."""
        return self._approvals.stopped_results()

    def stop(self) -> None:
        """Show calls without a result as not made: the reply has ended."""
        for item in self.items:
            if item["state"] in ("asking", "running"):
                item["state"] = "rejected"

    async def decide(self, request: Decide) -> None:
        """Take the decision of a click."""
        tool = self._approvals.take(request)
        if tool is not None:
            await in_thread(partial(self._tools.allow, tool))
        self._show()

    def _show(self) -> None:
        for item in self.items:
            pending = self._approvals.calls.get(item["id"])
            if pending is not None:
                item["state"] = pending.state
        self.show([item.copy() for item in self.items])

    def _own_approval(self, asks: str | None) -> Callable[[ToolCall], Awaitable[Any]] | None:
        if self._tools.approve is not None:
            return RunnableLambda[ToolCall, Any](self._tools.approve).ainvoke
        return self._ask_question if asks == "question" else None

    async def _ask_question(self, call: ToolCall) -> Verdict:
        if await in_thread(partial(self._tools.is_allowed, call["name"])):
            return True
        asked = main_thread_work.submit(partial(_question, call), wake_main_loop)
        answer = await await_done(
            asked, lambda: main_thread_work.cancel(asked, KeyboardInterrupt())
        )
        if answer == "always":
            await in_thread(partial(self._tools.allow, call["name"]))
        return NOBODY_TO_ASK if answer is None else answer != "no"


def _question(call: ToolCall) -> str | None:
    """Ask about a call in a terminal; return yes, no or always, None if nobody answers."""
    arguments = arguments_text(call["args"])
    # As a whole: nobody should allow what is out of sight.
    write_text(f"{call_line(call['name'], arguments, is_whole=True)}\n")
    code = code_argument(call["args"])
    if code is not None:
        print_code(with_visible_characters(code))
    for _ in range(_MAX_ANSWERS):
        try:
            typed = input("May it be called? [y]es, [n]o, [a]lways: ").strip().lower()
        except (EOFError, ChatnbError, NotImplementedError):
            return None
        except Exception as error:
            # ipykernel's StdinNotImplementedError, which cannot be named without it.
            if "stdin" in type(error).__name__.lower():
                return None
            raise
        found = [word for word in ("yes", "no", "always") if typed and word.startswith(typed)]
        if found:
            return found[0]
    return "no"
