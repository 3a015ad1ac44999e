"""`%chat panel` and `%chat usage`: commands that open a view."""

from __future__ import annotations

from IPython.display import display

from chatnb.errors import ChatnbError
from chatnb.notebook.commands import command
from chatnb.notebook.session import Session, without_traceback


@command("panel", "[NAME]", "open a conversation in a panel")
def panel(session: Session, name: str | None = None) -> None:
    """Show the panel of the conversation that cells continue, or of the one that is named."""
    from chatnb.notebook.panel.panel import ChatPanel

    conversation = session.conversations[name]
    try:
        opened = ChatPanel(session.defaults.model, name=conversation.name)
    except ChatnbError as error:
        raise without_traceback(error) from None
    display(opened)


@command("usage", "", "show the calls of this session with their tokens and cost")
def usage(session: Session) -> None:
    """Show the table of the session's calls."""
    from chatnb.notebook.usage_table.table import UsageTable

    display(UsageTable(session.usage))
