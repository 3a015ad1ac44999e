"""Everything that is displayed, saved or exported is safe, whatever a model or a file says."""

from __future__ import annotations

import json
import shlex
import unicodedata
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from markdown_it import MarkdownIt

from chatnb import errors
from chatnb.chat_models import ScriptedChatModel
from chatnb.chat_models.registry import Availability
from chatnb.cli import doctor
from chatnb.conversations import Conversation, to_ipynb
from chatnb.markdown.safe_markdown import SafeMarkdown, join_blocks
from chatnb.notebook import register
from chatnb.notebook.cell.display import reply_mimebundle
from chatnb.notebook.cell.proposal import Proposal, diff, proposal_mimebundle
from chatnb.notebook.cell.terminal import TerminalDisplay
from chatnb.notebook.panel.transcript import panel_mimebundle, transcript_cells
from chatnb.notebook.reply_stream import Reply
from chatnb.notebook.run_tree.static import run_tree_mimebundle
from chatnb.notebook.session import without_traceback
from chatnb.notebook.tables.answers import answer_html, answer_markdown
from chatnb.notebook.tables.comparison import Answer, comparison_mimebundle
from chatnb.notebook.tables.conversations import (
    conversations_mimebundle,
    found_mimebundle,
    history_mimebundle,
)
from chatnb.notebook.tables.progress import bar_mimebundle
from chatnb.notebook.tables.providers import ProviderTable
from chatnb.notebook.usage_table.table import UsageTable
from chatnb.notebook.widgets.footer import footer_mimebundle
from chatnb.schema import (
    AIMessage,
    ChatMessage,
    HumanMessage,
    RunLog,
    RunLogPatch,
    SystemMessage,
    ToolMessage,
)
from chatnb.schema.model_call import ModelCall
from chatnb.store import Store
from chatnb.store.nodes import Summary
from chatnb.store.search import Found
from chatnb.tracing import LoggingHandler
from tests.support.traced_runs import at, model, replied

IMAGE = "<img src=x onerror=alert(1)>"
HOSTILE = (
    f"a {IMAGE}\n\n```\n{IMAGE}",
    f"```\n{IMAGE}\n```",
    f"![x](https://e.test/x) [l](javascript:x) {IMAGE} \x1b]0;t\x07\u202e",
    f"x\n\n[a]: https://e.test 'b\n\n{IMAGE}\n\n```\n{IMAGE}\n```\n'",
    f"<details open ontoggle=alert(1)>\n~~~\n$$\n{IMAGE} \x9b2J \r \x1b]52;c;x\x1b\\ \u2067",
)


def conversation(text: str) -> Conversation:
    """A conversation with the text everywhere that an imported file may have it."""
    # Others are refused when they are read.
    name = "".join(filter(str.isprintable, " ".join(f"n {text}".split())))[:200].strip()
    made = Conversation(name, store=Store(":memory:"))
    made.system = text
    for message in (
        HumanMessage(text, name=text),
        AIMessage(text),
        ChatMessage(text, role=text),
        SystemMessage(text),
        AIMessage(text),
        ToolMessage(text, tool_call_id=text),
    ):
        made.add(message)
    return made


def run_log(text: str) -> RunLog:
    state = {"id": "0", "streamed_output": [text], "final_output": text, "logs": {}}
    root = {"name": text, "inputs": text}
    return RunLog(RunLogPatch({"op": "replace", "path": "", "value": state}, root=root))


def cells(made: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    """Yield the Markdown cells and the outputs of a notebook as MIME bundles."""
    for cell in made:
        if cell["cell_type"] == "markdown":
            yield {"text/markdown": "".join(cell["source"])}
        for output in cell.get("outputs", ()):
            yield {name: "".join(lines) for name, lines in output["data"].items()}


def display(value: Any) -> Any:
    return value._repr_mimebundle_()


MIMEBUNDLES: dict[str, Callable[[str], Any]] = {
    "reply": reply_mimebundle,
    "message": lambda text: display(AIMessage(text, name=text)),
    "conversation": lambda text: display(conversation(text)),
    "exported Markdown": lambda text: {"text/markdown": conversation(text).to_markdown()},
    "exported notebook": lambda text: cells(json.loads(to_ipynb(conversation(text)))["cells"]),
    "panel": lambda text: panel_mimebundle(conversation(text).path()),
    "panel as cells": lambda text: cells(transcript_cells(conversation(text).path())),
    "proposal": lambda text: [
        proposal_mimebundle(Proposal(1, "a", text, diff("a", text)), decision)
        for decision in (None, "accepted")
    ],
    "comparison": lambda text: comparison_mimebundle(
        [Answer(text, text, text, "failed", text), Answer(text, text, text)]
    ),
    "usage table": lambda text: display(UsageTable([ModelCall(text, text, text, error=text)])),
    "usage Markdown": lambda text: {
        "text/markdown": UsageTable(ModelCall(text, text, text)).to_markdown()
    },
    "run tree": lambda text: run_tree_mimebundle(run_log(text)),
    "history": lambda text: history_mimebundle(text, conversation(text).path(), text),
    "no history": lambda text: history_mimebundle(text, [], None),
    "conversations": lambda text: conversations_mimebundle(
        [Summary(text, text, 1, 0.0, 0.0, text, {})], text, text
    ),
    "found": lambda text: found_mimebundle([Found(text, "1", text, 0.0, text, ((0, 3),))]),
    "progress": lambda text: bar_mimebundle(1, 2, 1.0, text),
    "providers": lambda text: display(ProviderTable([Availability(text, text, None, text)])),
    "footer": lambda text: footer_mimebundle(text, text, text),
    "typed answer": lambda text: {
        "text/html": answer_html([{text: [text]}, {text: {text: text}}]),
        "text/markdown": answer_markdown(text, {text: [text, {text: text}]}),
    },
}


class Active(HTMLParser):
    """Collect the elements and attributes that could act."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found = list[str]()
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        acts = [name for name, value in attrs if name.startswith("on") or _runs(value)]
        self.found += acts + ([tag] if tag in ("img", "script", "iframe") else [])


def _runs(value: str | None) -> bool:
    return (value or "").strip().lower().startswith("javascript:")


def steers(text: str) -> bool:
    """Return whether a text could steer a terminal."""
    return any(
        (unicodedata.category(c) == "Cc" and c not in "\t\n")
        or unicodedata.bidirectional(c) in ("LRO", "RLO", "LRE", "RLE", "PDF", "LRI", "RLI", "PDI")
        for c in text
    )


def outputs(made: Any) -> list[Any]:
    return [made] if isinstance(made, dict) else list(made)


@pytest.mark.parametrize("name", MIMEBUNDLES)
def test_nothing_displayed_or_exported_acts(name: str) -> None:
    """Markdown, with tags let through, and HTML do nothing; plain text steers no terminal."""
    renderer = MarkdownIt("commonmark", {"html": True}).enable("table")
    for text in HOSTILE:
        shown = outputs(MIMEBUNDLES[name](text))
        assert shown
        for output in shown:
            assert not Active(renderer.render(output.get("text/markdown", ""))).found, text
            assert not Active(output.get("text/html", "")).found, text
            assert not steers(output.get("text/plain", "")), text


def log_line(text: str) -> str:
    run = replied(model("m"))
    run.name = text
    lines = list[str]()

    class Logger:
        def isEnabledFor(self, level: int) -> bool:
            return True

        def log(self, level: int, form: str, line: str) -> None:
            lines.append(form % line)

    handler = LoggingHandler(content=True)
    handler.logger = Logger()  # type: ignore[assignment]
    run.fail(errors.ServerError(text), at(2))
    handler.on_error(run)
    return "".join(lines)


def error_texts(text: str) -> Iterator[str]:
    """Yield what every class of error says."""
    made: list[BaseException] = [
        errors.ModelError(text, hint=text, request_id=text),
        errors.ConfigurationError(text),
        errors.MissingVariableError([text], [text]),
        errors.OutputParserError(text, text=text),
        errors.StructuredOutputError(text, hint=text),
        errors.ToolArgumentsError(text, [text]),
        errors.ToolRoundsError(text, []),
    ]
    made += [errors.BatchError.of({}, {0: error}, []) for error in made if type(error) is not str]
    for error in made:
        yield str(error)
        yield from without_traceback(error)._render_traceback_()  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", HOSTILE[2:])
def test_nothing_printed_steers_a_terminal(
    text: str,
    bare_shell: InteractiveShell,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Streamed replies, footers, commands, errors, messages, logs and the command line do not."""
    register(bare_shell)
    line = shlex.quote(" ".join(text.split()))
    bare_shell.push({"odd": ScriptedChatModel([text, text])})
    for cell in (
        "%%chat -m odd\nHi",
        f"%chat resume {line}",
        f"%chat export x.{line}",
        f"%chat config system={line}",
        f"%chat models {line}",
        "%%chat --compare odd,scripted:x\nHi",
        f"%%chat -m {line}\nHi",
    ):
        bare_shell.run_cell(cell)
    display = TerminalDisplay(text)
    display.append(text)
    display.finish(Reply(AIMessage(text), "done", 1.0), text)
    AIMessage(text, name=text).pretty_print()
    monkeypatch.setattr("sys.executable", text)
    doctor.run(doctor.argparse.Namespace())
    printed = "".join(capfd.readouterr())
    # The shell colours the names of its own errors.
    for colour in ("\x1b[31m", "\x1b[39m", "\x1b[0m"):
        printed = printed.replace(colour, "")
    assert not [line for line in printed.splitlines() if steers(line)]
    assert printed.count("onerror") + printed.count("x1b") > 3
    assert not steers(log_line(text))
    assert not [said for said in error_texts(text) if steers(said)]


def test_blocks_are_safe_together() -> None:
    """A fence that one block leaves open does not let out what stands in the fence of another."""
    opened, fenced = SafeMarkdown("Hi\n\n```"), SafeMarkdown(f"```\n{IMAGE}\n```")
    assert IMAGE in fenced
    assert IMAGE not in join_blocks(opened, fenced)
    assert type(join_blocks(opened, "", fenced)) is SafeMarkdown
