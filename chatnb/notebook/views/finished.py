"""What a reply leaves in the notebook file: plain bundles that need no kernel and no widget."""

from __future__ import annotations

import html

from chatnb.markdown.safe_markdown import safe_markdown
from chatnb.notebook.turn import Reply

_QUIET = (
    "color: var(--jp-ui-font-color2, var(--vscode-descriptionForeground, #757575)); "
    "font-family: var(--jp-ui-font-family, var(--vscode-font-family, sans-serif)); "
    "font-size: var(--jp-ui-font-size1, 13px); line-height: 1.5; "
    "font-variant-numeric: tabular-nums;"
)
_OUTCOMES = {"stopped": "Stopped", "failed": "Broke off"}


def reply_bundle(text: str) -> dict[str, str]:
    """The reply as Markdown and as text.

    Args:
        text: What the model said; its raw HTML and remote images must not act in a notebook.

    Example:
        >>> reply_bundle("*Hi*")
        {'text/markdown': '*Hi*', 'text/plain': '*Hi*'}
    """
    return {"text/markdown": safe_markdown(text), "text/plain": text}


def footer_bundle(facts: str, notice: str = "") -> dict[str, str]:
    """The quiet line under a reply, and what there is to say once.

    Example:
        >>> footer_bundle("smollm2 · 2.1 s")["text/plain"]
        'smollm2 · 2.1 s'
    """
    lines = [line for line in (facts, notice) if line]
    shown = "".join(f"<div>{html.escape(line)}</div>" for line in lines)
    return {
        "text/html": f'<div class="chatnb-footer" style="{_QUIET}">{shown}</div>',
        "text/plain": "\n".join(lines),
    }


def facts_of(reply: Reply, model_name: str) -> str:
    """Model, tokens, seconds and tokens a second, as far as they are known.

    Example:
        >>> from chatnb.schema import AIMessage
        >>> usage = {"input_tokens": 8, "output_tokens": 40, "total_tokens": 48}
        >>> facts_of(Reply(AIMessage("Hi", usage_metadata=usage), "done", 2.0), "smollm2")
        'smollm2 · 8 tokens in, 40 out · 2.0 s · 20 tokens/s'
    """
    facts = [reply.message.response_metadata.get("model_name") or model_name]
    usage = reply.message.usage_metadata
    if usage:
        facts.append(f"{usage['input_tokens']:,} tokens in, {usage['output_tokens']:,} out")
    facts.append(f"{reply.seconds:.1f} s")
    if usage and reply.seconds > 0 and usage["output_tokens"]:
        facts.append(f"{usage['output_tokens'] / reply.seconds:,.0f} tokens/s")
    outcome = _OUTCOMES.get(reply.outcome)
    return " · ".join([outcome, *facts] if outcome else facts)
