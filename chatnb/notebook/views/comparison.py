"""What a comparison of models leaves in the notebook file: columns that need no widget."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import cache
from typing import Literal, NamedTuple

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from chatnb.chat_models import BaseChatModel
from chatnb.markdown.safe_markdown import safe_markdown
from chatnb.notebook.turn import Reply
from chatnb.notebook.views.numbers import price, price_digits
from chatnb.schema.model_call import ModelCall

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SIGN = re.compile(r"([\\`*_\[\]<>|~$&!#])")
_QUIET = (
    "color: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, #757575)); "
    "font-size: var(--jp-ui-font-size1, 13px); font-variant-numeric: tabular-nums;"
)
_CODE = (
    "margin: 0 0 1em; padding: 0.5em 2em; overflow-x: auto; white-space: pre; overflow-wrap: normal"
)
COLUMNS = "repeat(auto-fit, minmax(min(100%, 220px), 1fr))"
"""Side by side where there is room for it, else below each other."""
GAP = "16px 32px"
_OUTCOMES = {"stopped": "Stopped", "failed": "Broke off"}


class Answer(NamedTuple):
    """A column.

    Args:
        name: What the cell calls the model.
        text: What it said.
        seconds: From the call to the end.
        took: Tokens and cost, as far as they are known.
        outcome: `done`, `stopped` or `failed`.
        error: What it failed with, in one line, or nothing.
    """

    name: str
    text: str
    seconds: float
    took: str = ""
    outcome: Literal["done", "stopped", "failed"] = "done"
    error: str = ""

    @staticmethod
    def of(name: str, model: BaseChatModel, reply: Reply) -> Answer:
        """The column of a reply."""
        error = "" if reply.error is None else f"{type(reply.error).__name__}: {reply.error}"
        took = _took(model, reply)
        return Answer(name, reply.message.text, reply.seconds, took, reply.outcome, error)

    @property
    def facts(self) -> str:
        """The row under the column.

        Example:
            >>> Answer("a", "Hi", 1.0, "8 tokens in, 40 out").facts
            '8 tokens in, 40 out · 1.0 s'
        """
        facts = [_OUTCOMES.get(self.outcome, ""), self.took, f"{self.seconds:.1f} s"]
        return " · ".join(filter(None, facts))


def comparison_bundle(answers: Sequence[Answer]) -> dict[str, str]:
    """The columns as HTML; and below each other as Markdown and as text.

    Args:
        answers: The columns in order.

    Example:
        >>> bundle = comparison_bundle([Answer("a", "*Hi*", 1.0), Answer("b", "Ho", 2.0)])
        >>> print(bundle["text/markdown"])
        #### a
        <BLANKLINE>
        *Hi*
        <BLANKLINE>
        1.0 s
        <BLANKLINE>
        #### b
        <BLANKLINE>
        Ho
        <BLANKLINE>
        2.0 s
    """
    columns = "".join(map(_html, answers))
    grid = f"display: grid; grid-template-columns: {COLUMNS}; gap: {GAP};"
    return {
        "text/html": f'<div class="chatnb-comparison" style="{grid}">{columns}</div>',
        "text/markdown": "\n\n".join(map(_markdown, answers)),
        "text/plain": "\n\n".join(map(_plain, answers)),
    }


def bold(text: str) -> str:
    """A line in bold, in Markdown in which all that it says is text.

    Example:
        >>> print(bold("a*b"))
        **a\\*b**
    """
    return f"**{_plain_line(text)}**" if text else ""


def _plain_line(text: str) -> str:
    return _SIGN.sub(r"\\\1", " ".join(text.split()))


def _took(model: BaseChatModel, reply: Reply) -> str:
    told = reply.message.response_metadata.get("model_name") or model.model_name
    provider = str(getattr(model, "provider", ""))
    call = ModelCall(told, provider, usage=reply.message.usage_metadata)
    facts = list[str]()
    if call.usage:
        facts.append(f"{call.count('input'):,} tokens in, {call.count('output'):,} out")
    if call.cost is not None:
        facts.append(price(call.cost, price_digits([call.cost])))
    return " · ".join(facts)


def _html(answer: Answer) -> str:
    title = f'<div style="font-weight: 600; margin-bottom: 8px">{html.escape(answer.name)}</div>'
    shown = _renderer().render(safe_markdown(answer.text))
    error = f"<p><strong>{html.escape(answer.error)}</strong></p>" if answer.error else ""
    facts = f'<div style="{_QUIET}">{html.escape(answer.facts)}</div>'
    inner = f"{title}{shown}{error}{facts}"
    return f'<div style="min-width: 0; overflow-wrap: anywhere">{inner}</div>'


def _markdown(answer: Answer) -> str:
    title = f"#### {_plain_line(answer.name)}"
    parts = [title, safe_markdown(answer.text), bold(answer.error), answer.facts]
    return "\n\n".join(part for part in parts if part)


def _plain(answer: Answer) -> str:
    parts = [answer.name, answer.text, answer.error, answer.facts]
    return _CONTROL.sub(lambda odd: f"\\x{ord(odd[0]):02x}", "\n".join(filter(None, parts)))


@cache
def _renderer() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    made.core.ruler.push("chatnb_styles", _style)
    for kind in ("fence", "code_block"):
        made.add_render_rule(kind, _code_html)
    return made


def _style(state: StateCore) -> None:
    """What JupyterLab gives to Markdown outputs and not to HTML."""
    for token in state.tokens:
        if token.type in ("th_open", "td_open"):
            token.attrs.setdefault("style", "text-align: left")


def _code_html(_: object, tokens: Sequence[Token], place: int, options: object, env: object) -> str:
    code = html.escape(tokens[place].content.rstrip("\n"))
    return f'<pre style="{_CODE}"><code>{code}</code></pre>\n'
