"""`%chat` alone and `%chat help`: the page of all commands."""

from __future__ import annotations

from collections.abc import Iterator

from IPython.core.error import UsageError

from chatnb.errors.documentation import section_address, see_section
from chatnb.markdown.html import SafeHtml, element
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.notebook.commands import SECTIONS, Command, all_commands, command
from chatnb.notebook.session import Session
from chatnb.notebook.widgets.html import MUTED, NO_MATH, UI_FONT
from chatnb.notebook.widgets.mounting import publish
from chatnb.terminal import SafeText, print_line

_INTRODUCTION = (
    "To ask, write %%chat on a cell's first line and the prompt below it. "
    "{name} in a prompt inserts a variable."
)
_CELLS = {
    "%%chat -m MODEL": "ask another model than the default one",
    "%%chat --code": "put the code of the reply into a new cell",
    "%%chat --compare MODEL,MODEL": "show the replies of several models side by side",
    "%%chat?": "explain every option of a cell",
}
_GRID = (
    "display: grid; grid-template-columns: fit-content(50%) minmax(0, 1fr); gap: 2px 16px; "
    + UI_FONT
)
_LAST = "padding-top: 8px;"
_TITLE = "grid-column: 1 / -1; font-weight: 600; padding-top: 8px;"


@command("help", "[COMMAND]", "show this page, or what a command takes")
def help_page(session: Session, name: str | None = None) -> None:
    """Show all commands, or one."""
    if name is None:
        publish(_page())
        return
    found = all_commands().get(name.rstrip("?"))
    if found is None:
        raise UsageError(f"There is no command %chat {name}. %chat lists all of them.")
    print_line(f"{found.usage}\n{found.summary}\n{see_section(found.section)}")


def _page() -> Mimebundle:
    sections = list(_sections())
    width = max(len(usage) for _, rows in sections for usage in rows)
    texts = [
        "\n".join([title, *(f"  {usage:{width}}   {text}" for usage, text in rows.items())])
        for title, rows in sections
    ]
    shown = (part for section in sections for part in _section(*section))
    return {
        "text/plain": SafeText("\n\n".join([_INTRODUCTION, *texts, see_section("cell")])),
        "text/html": element(
            "div",
            element("div", _INTRODUCTION, style=MUTED),
            element("div", *shown, style=_GRID),
            element("div", "See ", _link(section_address("cell")), style=f"{MUTED} {_LAST}"),
            class_=NO_MATH,
        ),
    }


def _link(address: str) -> SafeHtml:
    return element("a", address, href=address, target="_blank", rel="noopener noreferrer")


def _sections() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the title of each section of the page, with its usages and what they do."""
    yield "Cells", _CELLS
    commands = all_commands().values()
    for file, title in SECTIONS.items():
        yield title, {known.usage: known.summary for known in commands if _file(known) == file}


def _file(known: Command) -> str:
    return known.run.__module__.rpartition(".")[2]


def _section(title: str, rows: dict[str, str]) -> Iterator[SafeHtml]:
    yield element("div", title, style=_TITLE)
    for usage, text in rows.items():
        yield element("div", element("code", usage))
        yield element("div", text)
