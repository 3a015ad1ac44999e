"""The cell option --context: what a prompt takes along of the notebook around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from IPython.core.error import UsageError

from chatnb.notebook.attachments import Attachment, fenced
from chatnb.notebook.cell.failed_cell import describe_value, failed_cell, last_error
from chatnb.notebook.options import CELLS, ERROR, VARIABLES, parse_context
from chatnb.notebook.panel.variables import notebook_variables
from chatnb.notebook.prompt import Prompt
from chatnb.notebook.session import Session
from chatnb.notebook.values import as_text, is_table, without_secrets
from chatnb.notebook.widgets.formatting import count, truncate
from chatnb.redaction import environment_secrets, is_secret_name, redact
from chatnb.schema.messages import HumanMessage
from chatnb.schema.token_counts import count_tokens_approximately

DEFAULT_TOKENS = 4_000
"""The budget of a context, in tokens as they are counted without a model's tokenizer."""
FILE_NAME = "context.md"

_MAX_SOURCE = 4_000
_MAX_OUTPUT = 2_000
_MAX_VARIABLES = 60
_SHOWN_ROWS = 3
_OURS = ("%%chat", "%chat", "%load_ext chatnb")


class Context(NamedTuple):
    """The text of a context, as Markdown, and what is in it."""

    text: str
    summary: str

    @property
    def attachment(self) -> Attachment:
        """The context as a file that goes along with a prompt."""
        return Attachment(FILE_NAME, "text/markdown", self.text.encode())


class _Section(NamedTuple):
    """A part of a context, whose pieces are written as far as there is room for them."""

    title: str
    noun: str
    pieces: Sequence[Callable[[], str]]
    newest_first: bool = False

    def within(self, budget: int) -> tuple[list[str], int]:
        """Return the pieces that a budget has room for, in their order, and their tokens."""
        kept, used = list[str](), 0
        for write in reversed(self.pieces) if self.newest_first else self.pieces:
            text = redact(write(), environment_secrets())
            tokens = count_tokens_approximately([HumanMessage(text)])
            if used + tokens > budget:
                break
            kept.append(text)
            used += tokens
        return kept[::-1] if self.newest_first else kept, used


def with_context(session: Session, wanted: str, prompt: Prompt) -> Prompt:
    """Return a prompt with the context that its cell asks for."""
    budget = session.defaults.context_tokens or DEFAULT_TOKENS
    try:
        context = context_of(session.shell, wanted, budget)
    except ValueError as error:
        raise UsageError(f"%%chat --context: {error}.") from None
    session.last_context = context.text
    if not context.text:
        return prompt._replace(notes=[*prompt.notes, f"Context: {context.summary}."])
    note = f"Context: {context.summary}; %chat context shows it."
    return prompt._replace(
        attachments=[*prompt.attachments, context.attachment], notes=[*prompt.notes, note]
    )


def context_of(shell: Any, typed: str, tokens: int = DEFAULT_TOKENS) -> Context:
    """Gather a context within a budget: the newest cells, and the first variables, are kept."""
    # Secrets in texts are redacted, as everywhere; of variables that are no tables there are no
    # values at all, and of the last error what `%chat explain` sends.
    texts, summaries = list[str](), list[str]()
    left = tokens
    for word in parse_context(typed).split(","):
        section = _section(shell, word)
        kept, used = section.within(left)
        left -= used
        if kept:
            texts.append("\n\n".join([section.title, *kept]))
        summaries.append(_summary(len(kept), len(section.pieces), section.noun))
    total = f"about {tokens - left:,} of at most {tokens:,} tokens"
    return Context("\n\n".join(texts), f"{', '.join(summaries)}, {total}")


def _section(shell: Any, word: str) -> _Section:
    if word == VARIABLES:
        return _Section("Variables of the notebook:", "variable", _variables(shell))
    if word == ERROR:
        error = last_error()
        found = [] if error is None else [lambda: failed_cell(shell, error).to_markdown()]
        return _Section("The last error:", "error", found)
    cells = [partial(_cell, shell, *cell) for cell in cells_that_ran(shell).items()]
    last = len(cells) if word == CELLS else int(word)
    title = "Cells of the notebook that ran before, the last one at the end:"
    return _Section(title, "cell", cells[-last:], newest_first=True)


def _summary(kept: int, all_: int, noun: str) -> str:
    return count(all_, noun) if kept == all_ else f"{kept:,} of {count(all_, noun)}"


def cells_that_ran(shell: Any) -> dict[int, str]:
    """Return the source of each cell that has run, but those of chatnb, by its number."""
    sources = shell.history_manager.input_hist_raw if shell.history_manager else []
    # The last one is the cell that asks.
    numbered = enumerate(sources[: shell.execution_count])
    return {number: source for number, source in numbered if number and _is_content(source)}


def _is_content(source: str) -> bool:
    lines = source.strip().splitlines()
    return bool(lines) and not (lines[0].startswith("%%chat") or all(map(_is_ours, lines)))


def _is_ours(line: str) -> bool:
    return line.strip().startswith(_OURS)


def _cell(shell: Any, number: int, source: str) -> str:
    shown = _shortened(source.strip(), _MAX_SOURCE)
    parts = [f"In [{number}]:\n{fenced(shown, 'python')}"]
    output = _output(shell, number)
    if output:
        parts.append(f"Out [{number}]:\n{fenced(_shortened(output, _MAX_OUTPUT), 'text')}")
    return "\n\n".join(parts)


def _output(shell: Any, number: int) -> str:
    """Return what a cell printed and returned, and its error, as text."""
    history = shell.history_manager
    # Before IPython 9 only results are kept, and no prints.
    kept = getattr(history, "outputs", {}).get(number, ())
    texts = [_text_of(output.bundle) for output in kept]
    if not kept and number in history.output_hist_reprs:
        texts = [str(history.output_hist_reprs[number])]
    error = getattr(history, "exceptions", {}).get(number)
    if error:
        texts.append(f"{error.get('ename')}: {error.get('evalue')}")
    return "\n".join(filter(None, (text.strip() for text in texts)))


def _text_of(bundle: Mapping[str, Any]) -> str:
    text = bundle.get("stream", bundle.get("text/plain", ""))
    pictures = [f"[{kind}]" for kind in bundle if kind.startswith("image/")]
    return "\n".join(["".join(text), *pictures])


def _shortened(text: str, limit: int) -> str:
    kept, left_out = truncate(text, limit)
    return f"{kept}\n... ({left_out:,} more characters)" if left_out else kept


def _variables(shell: Any) -> list[Callable[[], str]]:
    """Return what writes a line for each variable, and the first rows of tables, these first."""
    own = dict(reversed(notebook_variables(shell).items()))
    tables_first = sorted(own, key=lambda name: not is_table(own[name]))
    return [partial(_variable, name, own[name]) for name in tables_first[:_MAX_VARIABLES]]


def _variable(name: str, value: Any) -> str:
    line = f"- `{name}`: {describe_value(value)}"
    if not is_table(value) or is_secret_name(name):
        return line
    return f"{line}; its first rows:\n\n{as_text(without_secrets(value[:_SHOWN_ROWS])[0])}"
