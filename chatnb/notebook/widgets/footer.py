"""Footers: the quiet line of metadata under replies, columns, runs and tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce

from chatnb.chat_models.wire.finish_reasons import is_cut_off
from chatnb.markdown.html import SafeHtml, element
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.markdown.safe_markdown import SafeMarkdown, plain_markdown, safe_markdown
from chatnb.notebook.widgets.formatting import duration, price, shortened
from chatnb.notebook.widgets.html import MUTED, NO_MATH
from chatnb.notebook.widgets.tool_calls import ItemToolCall, call_fold, call_text
from chatnb.schema.content.reply_parts import reply_parts
from chatnb.schema.messages import AIMessage, BaseMessage
from chatnb.schema.usage import UsageMetadata, add_usage, usage_text
from chatnb.terminal import SafeText

# A notebook keeps it with every reply.
_MAX_REASONING = 20_000
# Titles, the only marks that models write into all of their reasoning; as in reasoning.ts.
_BOLD = re.compile(r"\*\*([^\s*](?:[^*\n]*[^\s*])?)\*\*")
# As the live view has it, so that an open one stays as high as it is.
_REASONING_STYLE = (
    "white-space: pre-wrap; overflow-wrap: anywhere; max-width: 640px; margin-top: 4px; "
    "padding-left: 12px; border-left: 1px solid var(--jp-border-color2, #e0e0e0); "
    "font-family: var(--jp-content-font-family, system-ui, sans-serif); "
    "font-size: var(--jp-content-font-size1, 14px); "
    "line-height: var(--jp-content-line-height, 1.6);"
)
# Its last four lines.
_FRAME_STYLE = (
    "display: flex; flex-direction: column-reverse; max-height: 6.4em; margin-bottom: 4px; "
    "overflow: auto; font-size: var(--jp-content-font-size1, 14px);"
)

_OPENED_STYLE = f"{_REASONING_STYLE} margin-bottom: 8px"  # Room before the answer.
_SUMMARY_STYLE = "width: fit-content; padding: 2px 0; line-height: 20px; cursor: pointer;"
# All begin a footer.
_OUTCOMES = {"stopped": "Stopped", "failed": "Broke off"}
_OUTCOMES_WITHOUT_REPLY = {
    "stopped": "Stopped before anything arrived",
    "failed": "Nothing arrived",
    "done": "The reply is empty",
}
_CUT_OFF = "cut off at the token limit"


def footer_text(*parts: str) -> str:
    """Join the parts of a footer, without empty ones."""
    return " · ".join(filter(None, parts))


def cost_text(dollars: float | None) -> str:
    """Write one price, or nothing where it is not known."""
    return "" if dollars is None else price(dollars)


def outcome_text(message: AIMessage, outcome: str) -> str:
    """Write how a reply ended, as a sentence begins, or nothing where it is whole."""
    parts = reply_parts(message)
    has_arrived = message.content or message.reasoning or message.tool_calls or any(parts)
    text = (_OUTCOMES if has_arrived else _OUTCOMES_WITHOUT_REPLY).get(outcome, "")
    if not is_cut_off(message.response_metadata):
        return text
    return f"{text}: {_CUT_OFF}" if text else _CUT_OFF.capitalize()


def reply_footer(
    message: AIMessage,
    model: str,
    *,
    seconds: float,
    outcome: str = "done",
    cost: float | None = None,
) -> str:
    """Write the footer of a reply: outcome, model, usage, duration, speed and cost, where known."""
    metadata, usage = message.response_metadata, message.usage_metadata
    is_cached = bool(metadata.get("from_cache"))  # Reading a cache has no speed of a model.
    speed = usage["output_tokens"] / seconds if usage and seconds > 0 and not is_cached else 0
    return footer_text(
        outcome_text(message, outcome),
        metadata.get("model_name") or model,
        usage_text(usage),
        f"{seconds:.1f} s",
        f"{speed:,.0f} tokens/s" if speed else "",
        cost_text(cost),
        "cached" if is_cached else "",
    )


def total_usage(messages: Sequence[BaseMessage]) -> UsageMetadata | None:
    """Return the tokens of all replies together; None if none reports them."""
    usages = (message.usage_metadata for message in messages if isinstance(message, AIMessage))
    return reduce(add_usage, usages, None)


def footer_mimebundle(
    text: str,
    notice: str = "",
    reasoning: str = "",
    calls: Sequence[ItemToolCall] = (),
    reasoning_seconds: float | None = None,
) -> Mimebundle:
    """Return the mimebundle of a footer: Markdown, and HTML where something is folded in it."""
    lines = [line for line in (text, notice) if line]
    all_lines = [*map(call_text, calls), *lines]
    footer = Mimebundle(
        {
            "text/markdown": _quiet_markdown(all_lines),
            "text/plain": SafeText("\n".join(all_lines)),
        }
    )
    thoughts = [reasoning_fold(reasoning.strip(), reasoning_seconds)] if reasoning.strip() else []
    if calls or thoughts:
        told = (element("div", line) for line in lines)
        shown = [*map(call_fold, calls), *told, *thoughts]
        footer["text/html"] = element("div", *shown, class_=f"chatnb-footer {NO_MATH}", style=MUTED)
    return footer


def _quiet_markdown(lines: Sequence[str]) -> SafeMarkdown:
    """Write lines in the emphasis by which js/src/replies/footer.ts finds footers."""
    text = "\\\n".join(map(plain_markdown, lines))
    return safe_markdown(f"_*{text}*_" if text else "")


def reasoning_mimebundle(
    reasoning: str, seconds: float | None = None, *, is_alone: bool = False
) -> Mimebundle:
    """Return the output above a reply with the model's reasoning, folded, or nothing."""
    if not reasoning.strip():
        return {}
    fold = reasoning_fold(reasoning.strip(), seconds, is_alone=is_alone)
    class_name = f"chatnb-thoughts {NO_MATH}"
    shown = element("div", fold, class_=class_name, style=f"{MUTED} margin-bottom: 0;")
    return {"text/html": shown, "text/plain": SafeText("")}


def reasoning_fold(
    reasoning: str, seconds: float | None = None, *, is_alone: bool = False
) -> SafeHtml:
    """Return the model's reasoning of bounded length, folded under its title.

    What is all of a reply is open, with its last lines in sight.
    """
    style = _REASONING_STYLE if is_alone else _OPENED_STYLE
    parts = _BOLD.split(shortened(reasoning, _MAX_REASONING))
    titled = (element("strong", part) if index % 2 else part for index, part in enumerate(parts))
    body = element("div", *titled, style=style)
    if is_alone:
        # A reader without a mouse scrolls what has the focus.
        body = element("div", body, tabindex=0, style=_FRAME_STYLE)
    summary = element("summary", reasoning_title(seconds), style=_SUMMARY_STYLE)
    return element("details", summary, body, open=is_alone)


def reasoning_title(seconds: float | None) -> str:
    """Return the title of reasoning, with its time where it is known, as the live view writes it.

    Example:
        >>> reasoning_title(None), reasoning_title(0.2), reasoning_title(12.4), reasoning_title(75)
        ('Reasoning', 'Thought for 1 s', 'Thought for 12 s', 'Thought for 1 min 15 s')
    """
    if seconds is None:
        return "Reasoning"
    whole = max(1, round(seconds))
    return f"Thought for {whole} s" if whole < 60 else f"Thought for {duration(whole)}"
