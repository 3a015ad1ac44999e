"""The outputs of a notebook with a text in them: from a model, a file, a name or an error."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from chatnb import ChatPanel, Conversation, RunLog, ScriptedChatModel
from chatnb.chat_models.registry import Availability
from chatnb.errors import ServerError
from chatnb.evaluation import evaluate
from chatnb.notebook import register
from chatnb.notebook.cell.proposal import Proposal, diff, proposal_mimebundle
from chatnb.notebook.run_tree.static import run_tree_mimebundle
from chatnb.notebook.tables.answers import answer_html, answer_markdown
from chatnb.notebook.tables.evaluation import evaluation_mimebundle
from chatnb.notebook.tables.progress import bar_mimebundle
from chatnb.notebook.tables.providers import ProviderTable
from chatnb.notebook.usage_table.static import usage_mimebundle
from chatnb.schema import AIMessage, HumanMessage, SystemMessage, ToolMessage
from chatnb.schema.model_call import ModelCall
from chatnb.terminal import replace_control_characters
from tests.support.model_calls import tokens
from tests.support.run_logs import LogWriter, failure

Bundle = dict[str, Any]
STDERR = "application/vnd.jupyter.stderr"
UNTRUSTED = "text/markdown; untrusted"
_PAGE = "https://trap.test/"


class Surfaces:
    """A notebook that a program runs, and what it shows of a text.

    Args:
        shell: An IPython without a kernel.
        folder: Where exports go.
    """

    def __init__(self, shell: InteractiveShell, folder: Path) -> None:
        self._shell, self._folder = shell, folder
        shell.kernel = SimpleNamespace(  # type: ignore[attr-defined]
            _allow_stdin=False, shell=shell, get_parent=lambda *_: {}
        )
        shell.run_line_magic("xmode", "Minimal")
        register(shell)
        self._exports = 0

    def outputs(self, text: str) -> list[tuple[str, Bundle]]:
        """Return each surface's name, and what it shows of a text, by MIME type."""
        # As the wire does, which no surrogate comes through.
        text = text.encode(errors="replace").decode()
        self._conversation = _conversation(text)
        with _no_event_loop():
            shown = [(name, shown) for name in SURFACES for shown in getattr(self, name)(text)]
            self._conversation.forget()
        return shown

    def finished_cell(self, text: str) -> Iterator[Bundle]:
        """The reply that stays in the file, and its footer."""
        yield from self._cell("%%chat -m said\nHi", AIMessage(text, response_metadata=_named(text)))

    def broken_cell(self, text: str) -> Iterator[Bundle]:
        """A partial reply, and the error below it."""
        yield from self._cell("%%chat -m said\nHi", [text, ServerError(text, hint=text)])

    def reply_parts(self, text: str) -> Iterator[Bundle]:
        """Media, sources and calls of the provider's tools beside the text of a cell's reply."""
        yield from self._cell("%%chat -m said\nHi", reply_with_parts(text))

    def evaluation(self, text: str) -> Iterator[Bundle]:
        """The table of an evaluation, with its outputs below the full score."""
        model = ScriptedChatModel([text], model_name=text)
        yield evaluation_mimebundle(evaluate({text: model}, [text], [lambda _: False]))

    def comparison(self, text: str) -> Iterator[Bundle]:
        """`--compare`, with a text and an error in each column."""
        self._shell.push({"other": ScriptedChatModel([[text, ServerError(text)]])})
        yield from self._cell("%%chat --compare said,other\nHi", text)

    def schema_cell(self, text: str) -> Iterator[Bundle]:
        """An object as a table, or the error that it is none."""
        self._shell.push({"SCHEMA": {"title": text, "type": "object"}})
        for reply in (json.dumps({text: [text, {text: text}]}), text):
            yield from self._cell("%%chat -m said --schema SCHEMA\nHi", reply)

    def typed_answer(self, text: str) -> Iterator[Bundle]:
        """A Pydantic object."""
        for data in ({text: text}, [{text: text}, {"a": [text]}], text):
            yield {"text/html": answer_html(data), "text/markdown": answer_markdown(text, data)}

    def history(self, _: str) -> Iterator[Bundle]:
        """`%chat history`, of a conversation whose name and messages came from a file."""
        name = shlex.quote(self._conversation.name)
        yield from self._run(f"%chat resume {name}", "%chat history", "%chat resume main")

    def conversation_list(self, _: str) -> Iterator[Bundle]:
        """`%chat list`."""
        yield from self._run("%chat list")

    def search(self, _: str) -> Iterator[Bundle]:
        """`%chat search`, for a word beside the text."""
        yield from self._run("%chat search heron")

    def export_notebook(self, _: str) -> Iterator[Bundle]:
        """`%chat export x.ipynb`: cells and outputs."""
        yield from _cells(json.loads(self._exported("ipynb"))["cells"])

    def export_markdown(self, _: str) -> Iterator[Bundle]:
        """`%chat export x.md`, which JupyterLab's preview does not trust."""
        yield {UNTRUSTED: self._exported("md")}

    def conversation(self, _: str) -> Iterator[Bundle]:
        """A conversation as a cell's value, and its messages."""
        for value in (self._conversation, *self._conversation.messages):
            yield from self._run("display(value)", value=value)

    def panel(self, _: str) -> Iterator[Bundle]:
        """The transcript of a panel in the file."""
        with closing(self._panel()) as panel:
            yield from self._run("display(panel)", panel=panel)

    def panel_cells(self, _: str) -> Iterator[Bundle]:
        """`panel.to_cells()`."""
        with closing(self._panel()) as panel:
            yield from _cells(panel.to_cells())

    def usage_table(self, text: str) -> Iterator[Bundle]:
        """A usage table, of models and prompts."""
        usage = tokens(3, 2)
        calls = [ModelCall(name, text, text, usage, finish_reason=text, error=text) for name in
                 (text, f"{text} 2")]  # fmt: skip
        yield usage_mimebundle(calls)

    def run_tree(self, text: str) -> Iterator[Bundle]:
        """A run tree without its widget."""
        yield run_tree_mimebundle(run_log(text))

    def explanation(self, text: str) -> Iterator[Bundle]:
        """`%chat explain`, by a model and by an error of ours."""
        self._shell.push({"said": ScriptedChatModel([text]), "text": text})
        list(self._run("%chat use said", "raise ValueError(text)"))
        yield from self._run("%chat explain")
        sys.last_value = sys.last_exc = ServerError(text, hint=text)
        yield from self._run("%chat explain")
        vars(sys).pop("last_exc")  # Python 3.11 does not replace it by later errors.

    def proposal(self, text: str) -> Iterator[Bundle]:
        """The diff of `%chat edit`, with the text in the new code or in the old."""
        for old, new in (("x = 1", text), (text, "x = 1")):
            yield proposal_mimebundle(Proposal(1, old, new, diff(old, new)))

    def error(self, text: str) -> Iterator[Bundle]:
        """Errors that no cell of ours has caught, and usage errors that name what was typed."""
        line = " ".join(text.split())
        self._shell.push({"said": ScriptedChatModel([ServerError(text, hint=text)])})
        yield from self._run("said.invoke('Hi')", f"%chat {line}", f"%%chat {line}\nHi")
        quoted = shlex.quote(line)
        yield from self._run(
            f"%chat resume {quoted}", f"%chat use {quoted}", f"%chat import {quoted}"
        )

    def progress_bar(self, text: str) -> Iterator[Bundle]:
        """The bar of a batch, with an error behind it."""
        yield bar_mimebundle(1, 2, 1.0, f"1 failed, {text}")

    def providers(self, text: str) -> Iterator[Bundle]:
        """The table of providers, with a model's file or a server's list in it."""
        yield ProviderTable([Availability(text, text, None, text)])._repr_mimebundle_()

    def _cell(self, source: str, reply: Any) -> Iterator[Bundle]:
        model = ScriptedChatModel([reply], model_name="said")
        yield from self._run(source, said=model)

    def _run(self, *sources: str, **variables: Any) -> Iterator[Bundle]:
        """Run cells and yield their outputs, with the streams as JupyterLab shows them."""
        self._shell.push(variables)
        for source in sources:
            with capture_output() as captured:
                self._shell.run_cell(source)
            yield from (output.data for output in captured.outputs)
            if printed := captured.stdout + captured.stderr:
                yield {STDERR: printed}

    def _panel(self) -> ChatPanel:
        return ChatPanel(ScriptedChatModel(["x"]), name=self._conversation.name)

    def _exported(self, suffix: str) -> str:
        self._exports += 1
        path = self._folder / f"{self._exports}.{suffix}"
        list(self._run(f"%chat export {path} {shlex.quote(self._conversation.name)}"))
        return path.read_text(encoding="utf-8")


SURFACES = [name for name in vars(Surfaces) if not name.startswith("_") and name != "outputs"]


@contextmanager
def _no_event_loop() -> Iterator[None]:
    """Hide the loop that Playwright leaves running on this thread, as a kernel has none there."""
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)


def _conversation(text: str) -> Conversation:
    """Store what a file that is imported may hold."""
    name = " ".join(replace_control_characters(text).split())[:200] or "x"
    conversation = Conversation(name)
    conversation.system = text
    conversation.add(HumanMessage(f"heron {text}"))
    call = {"id": "1", "name": text, "args": {text: text}}
    conversation.add(AIMessage(text, tool_calls=[call], response_metadata=_named(text)))
    conversation.add(ToolMessage(text, tool_call_id="1", name=text, status="error"))
    conversation.add(reply_with_parts(text))
    conversation.add(SystemMessage(text))
    return conversation


def reply_with_parts(text: str) -> AIMessage:
    """Return a reply with a text wherever a provider can write one beside the reply's own."""
    media = {"data": text, "mime_type": text, "transcript": text, "format": text}
    notes = [{"type": "url_citation", "url": url, "title": text} for url in (text, _PAGE + text)]
    calls = [
        {"type": "web_search_call", "id": "1", "status": text, "action": {"query": text}},
        {"type": "file_search_call", "id": "2", "queries": [text], "results": [{"text": text}]},
        {"type": "code_interpreter_call", "id": "3", "code": text, "outputs": [{"logs": text}]},
        {"type": "mcp_call", "id": "4", "name": text, "arguments": text, "error": text},
        {"type": "image_generation_call", "id": "5", "result": text, "output_format": text},
        {"type": text, "id": "6", "text": text},
    ]
    parts = [{"type": "output_text", "text": text, "annotations": notes}]
    kwargs = {"output_items": [*calls, {"type": "message", "content": parts}], "audio": media}
    urls = [text, f"data:image/png;base64,{text}", f"data:{text};base64,AAAA", _PAGE + text]
    return AIMessage(
        [
            {"type": "text", "text": text},
            *({"type": "image_url", "image_url": {"url": url}} for url in urls),
        ],
        additional_kwargs=kwargs,
        response_metadata=_named(text),
    )


def run_log(text: str, chunks: Sequence[str] = ()) -> RunLog:
    """Return the log of a run with a text wherever a model, tool or error can write one."""
    writer = LogWriter(text, {text: text})
    for type_ in ("llm", "tool"):
        key = writer.start(text, type_, inputs={text: text})
        for chunk in chunks or [text]:
            writer.token(key, chunk)
        writer.end(key, AIMessage(text, response_metadata=_named(text)))
    failed = writer.start(text, "chain")
    writer.end(failed, error=failure(text, text))
    writer.finish(error=failure(text, text))
    return RunLog(*writer.patches)


def _named(text: str) -> dict[str, Any]:
    return {"model_name": text, "finish_reason": text}


def _cells(cells: Sequence[Bundle]) -> Iterator[Bundle]:
    """Yield Markdown cells and outputs; the code of cells is an editor's, which shows it only."""
    for cell in cells:
        if cell["cell_type"] == "markdown":
            yield {"text/markdown": "".join(cell["source"])}
        for output in cell.get("outputs", ()):
            yield {mime: "".join(data) for mime, data in output["data"].items()}
