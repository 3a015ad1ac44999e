"""Tool calls as cells and panels show them: states, decisions, and their static form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypedDict, get_args

from chatnb.markdown.html import SafeHtml, element
from chatnb.notebook.widgets.formatting import one_line, shortened
from chatnb.notebook.widgets.html import WRAPPED
from chatnb.schema.characters import replace_surrogates
from chatnb.schema.content.reply_parts import ProviderCall
from chatnb.schema.messages import ToolMessage
from chatnb.terminal import SafeText, with_visible_characters
from chatnb.tools.execution import REJECTED

CallState = Literal["asking", "running", "done", "failed", "rejected"]
Decision = Literal["once", "always", "reject"]

CODE = "code"
"""The argument of a tool that is shown as Python code."""
_MAX_ARGUMENTS = 300
_MAX_REASON = 20_000
_MAX_SHORT = 80
_MAX_SHOWN = 20_000  # A notebook keeps it with every reply.
_SUMMARY = "cursor: pointer; overflow: hidden; text-overflow: ellipsis; white-space: nowrap;"
_PASSAGE = (
    f"{WRAPPED} max-height: 320px; overflow: auto; "
    "margin: 4px 0 4px 4px; padding-left: 12px; "
    "border-left: 1px solid var(--jp-border-color2, #e0e0e0);"
)


class ItemToolCall(TypedDict):
    """A tool call with its state and result."""

    id: str
    name: str
    arguments: str
    state: CallState
    result: str


@dataclass(frozen=True)
class Decide:
    """Allow or reject a tool call."""

    type: ClassVar = "decide"
    call: str
    decision: Decision
    reason: str = ""


def parse_decision(content: object) -> Decide | None:
    """Parse the decision of a browser, which is untrusted; None for any other message."""
    if not isinstance(content, dict) or content.get("type") != Decide.type:
        return None
    call, decision, reason = (content.get(name) for name in ("call", "decision", "reason"))
    known = next((name for name in get_args(Decision) if name == decision), None)
    if not isinstance(call, str) or known is None:
        return None
    text = replace_surrogates(reason[:_MAX_REASON]) if isinstance(reason, str) else ""
    return Decide(call, known, text)


def call_id(message_id: str, index: int) -> str:
    """Return the id of a message's tool call. Models reuse their own ids, or give none."""
    return f"{message_id}.{index}"


def result_state(result: ToolMessage, *, rejected: bool) -> CallState:
    """Return the state of a call that has a result."""
    if rejected:
        return "rejected"
    return "failed" if result.status == "error" else "done"


def arguments_text(args: Any) -> str:
    """Write the arguments of a call as JSON, as far as they are read."""
    return args if isinstance(args, str) else json.dumps(args or {}, indent=2, ensure_ascii=False)


def call_line(name: str, arguments: str, *, is_whole: bool = False) -> str:
    """Write a call as Python does, its arguments up to a length: `weather(city="Paris")`.

    One that somebody decides about `is_whole`, with escapes for what would not be seen.
    """
    try:
        given = json.loads(arguments)
    except ValueError:  # Still streaming, or no JSON.
        given = None
    shown = " ".join(arguments.split())
    if isinstance(given, dict):
        shown = ", ".join(
            f"{key}={json.dumps(value, ensure_ascii=False)}"
            for key, value in given.items()
            if key != CODE or not isinstance(value, str)
        )
    if is_whole:
        shown = with_visible_characters(shown)
    return f"{name}({one_line(shown, len(shown) if is_whole else _MAX_ARGUMENTS)})"


def code_argument(args: Any) -> str | None:
    """Return the argument of a call that is code to show as such, if there is one."""
    code = args.get(CODE) if isinstance(args, dict) else None
    return code if isinstance(code, str) else None


def provider_calls(calls: Sequence[ProviderCall], message_id: str = "") -> list[ItemToolCall]:
    """Return the calls of tools that the provider ran, to be shown with all others."""
    return [
        ItemToolCall(
            id=call_id(f"{message_id}.provider", index),
            name=call.name,
            arguments=arguments_text(call.args),
            state="failed" if call.failed else "done",
            result=call.result,
        )
        for index, call in enumerate(calls)
    ]


def codes_of_calls(calls: Sequence[ItemToolCall]) -> list[str]:
    """Return the code that calls have run."""
    done = (json.loads(call["arguments"]) for call in calls if call["state"] == "done")
    return [code for code in map(code_argument, done) if code is not None]


def call_text(call: ItemToolCall) -> str:
    """Write a call that is over in one line, with what came of it as far as that is short."""
    line = call_line(call["name"], call["arguments"])
    result = one_line(call["result"], _MAX_SHORT)
    if call["state"] == "done":
        return f"{line} → {result}" if result else line
    if call["state"] == "rejected" and result.startswith(REJECTED):
        return f"{line}: rejected{result.removeprefix(REJECTED)}"
    return f"{line}: {call['state']}" + (f", {result}" if result else "")


def call_fold(call: ItemToolCall) -> SafeHtml:
    """Return a call that is over, folded: its line, and its arguments and result in full."""
    parts = [element("summary", call_text(call), style=_SUMMARY)]
    parts += [
        element("pre", shortened(text, _MAX_SHOWN), style=_PASSAGE)
        for text in (SafeText(_shown_arguments(call["arguments"])), call["result"])
        if text
    ]
    return element("details", *parts, class_="chatnb-call-static")


def _shown_arguments(arguments: str) -> str:
    """Return the arguments, or the code alone that is the only one."""
    try:
        given = json.loads(arguments)
    except ValueError:
        return arguments
    code = code_argument(given)
    return code if code is not None and len(given) == 1 else arguments
