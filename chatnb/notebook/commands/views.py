"""`%chat panel` and `%chat usage`: commands that open a view."""

from __future__ import annotations

from IPython.core.error import UsageError
from IPython.display import display

from chatnb.notebook.cell.display import reply_mimebundle
from chatnb.notebook.commands import command
from chatnb.notebook.session import Session
from chatnb.notebook.widgets.mounting import publish

_NO_CONTEXT = "No context has been sent yet. `%%chat --context cells` sends the cells above."
_NOT_SENT = "This is what the model would get; nothing has been sent."


@command("panel", "[NAME]", "open a conversation in a panel", "panel")
def panel(session: Session, name: str | None = None) -> None:
    """Show the panel of the conversation that cells continue, or of the one that is named."""
    from chatnb.notebook.panel.panel import ChatPanel

    conversation = session.conversations[name]
    display(ChatPanel(session.defaults.model, name=conversation.name))


@command(
    "context", "[CONTEXT]", "show what --context sent last, or what it would send now", "context"
)
def context(session: Session, typed: str = "") -> None:
    """Show the last context, or gather one and send nothing."""
    from chatnb.notebook.cell.context import DEFAULT_TOKENS, context_of

    if not typed:
        publish(reply_mimebundle(session.last_context or _NO_CONTEXT))
        return
    try:
        found = context_of(session.shell, typed, session.defaults.context_tokens or DEFAULT_TOKENS)
    except ValueError as error:
        raise UsageError(f"%chat context: {error}.") from None
    heading = f"{_NOT_SENT} It is {found.summary}."
    publish(reply_mimebundle("\n\n".join(filter(None, [heading, found.text]))))


@command("usage", "", "show the calls of this session with their tokens and cost", "usage")
def usage(session: Session) -> None:
    """Show the table of the session's calls."""
    from chatnb.notebook.usage_table.table import UsageTable

    display(UsageTable(session.usage))
