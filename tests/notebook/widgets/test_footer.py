"""The quiet line of metadata under replies, and what is folded in it."""

from __future__ import annotations

from typing import Any

import pytest

from chatnb.notebook.widgets.footer import (
    cost_text,
    footer_mimebundle,
    footer_text,
    outcome_text,
    reasoning_fold,
    reasoning_mimebundle,
    reply_footer,
    total_usage,
)
from chatnb.notebook.widgets.tool_calls import ItemToolCall, call_fold
from chatnb.schema import AIMessage, HumanMessage
from tests.support.model_calls import tokens

CUT = {"finish_reason": "length"}
REASONED = AIMessage("", additional_kwargs={"reasoning_content": "So."})
CALL = ItemToolCall(id="m.0", name="f", arguments="{}", state="done", result="Fine.")


@pytest.mark.parametrize(
    ("message", "outcome", "text"),
    [
        (AIMessage("Hi"), "done", ""),
        (AIMessage("Hi"), "stopped", "Stopped"),
        (AIMessage("Hi"), "failed", "Broke off"),
        (AIMessage(""), "done", "The reply is empty"),
        (AIMessage(""), "stopped", "Stopped before anything arrived"),
        (AIMessage(""), "failed", "Nothing arrived"),
        (REASONED, "done", ""),
        (REASONED, "stopped", "Stopped"),
        (AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "c"}]), "failed", "Broke off"),
        (AIMessage("Hi", response_metadata=CUT), "done", "Cut off at the token limit"),
        (
            AIMessage("", response_metadata=CUT),
            "done",
            "The reply is empty: cut off at the token limit",
        ),
    ],
)
def test_an_end_that_is_not_whole_is_told(message: AIMessage, outcome: str, text: str) -> None:
    """Reasoning and calls have arrived, too."""
    assert outcome_text(message, outcome) == text


USAGE = tokens(1_000, 200)


@pytest.mark.parametrize(
    ("message", "more", "footer"),
    [
        (AIMessage("Hi"), {}, "m · 2.0 s"),
        (AIMessage("Hi", response_metadata={"model_name": "n"}), {}, "n · 2.0 s"),
        (
            AIMessage("Hi", usage_metadata=USAGE),
            {"cost": 0.5},
            "m · 1,000 tokens in, 200 out · 2.0 s · 100 tokens/s · $0.5000",
        ),
        (
            AIMessage("Hi", usage_metadata=USAGE, response_metadata={"from_cache": True}),
            {"cost": 0.0},
            "m · 1,000 tokens in, 200 out · 2.0 s · $0.0000 · cached",
        ),
        (
            AIMessage("Hi", usage_metadata=USAGE),
            {"seconds": 0.0, "outcome": "stopped"},
            "Stopped · m · 1,000 tokens in, 200 out · 0.0 s",
        ),
    ],
)
def test_a_footer_has_what_is_known(message: AIMessage, more: dict[str, Any], footer: str) -> None:
    """A cached reply has no speed, nor has one of no time."""
    shown = reply_footer(message, "m", **{"seconds": 2.0, **more})
    assert shown == footer


def test_the_tokens_of_all_replies_are_added_up() -> None:
    """Nothing of messages of people, and None where no reply reports any."""
    replies = [AIMessage("a", usage_metadata=tokens(1, 2)), HumanMessage("b"), AIMessage("c")]
    assert total_usage(replies) == tokens(1, 2)
    assert total_usage([*replies, *replies]) == tokens(2, 4)
    assert total_usage(replies[1:]) is None
    assert (cost_text(None), cost_text(0)) == ("", "$0.0000")
    assert footer_text("a", "", "b") == "a · b"


def test_a_footer_without_anything_folded_is_markdown() -> None:
    """Its lines are in one emphasis, and none at all without lines."""
    assert footer_mimebundle("a*b", "Notice.") == {
        "text/markdown": "_*a\\*b\\\nNotice.*_",
        "text/plain": "a*b\nNotice.",
    }
    assert footer_mimebundle("", "") == {"text/markdown": "", "text/plain": ""}
    assert footer_mimebundle("a", reasoning=" \n") == {
        "text/markdown": "_*a*_",
        "text/plain": "a",
    }


def test_a_footer_folds_calls_and_reasoning() -> None:
    """Calls come before its lines and reasoning after them."""
    bundle = footer_mimebundle("a < b", "Notice.", " So. ", [CALL], 2.0)
    assert bundle["text/plain"] == "f() → Fine.\na < b\nNotice."
    assert bundle["text/markdown"] == "_*f() → Fine.\\\na \\< b\\\nNotice.*_"
    html = bundle["text/html"]
    inner = html.partition(">")[2].removesuffix("</div>")
    assert inner == (
        f"{call_fold(CALL)}<div>a &lt; b</div><div>Notice.</div>{reasoning_fold('So.', 2.0)}"
    )
    assert html.startswith('<div class="chatnb-footer ')
    assert "text/html" in footer_mimebundle("", reasoning="So.")
    assert "text/html" in footer_mimebundle("", calls=[CALL])


def test_reasoning_is_folded_under_its_title() -> None:
    """Its titles are bold; what is all of a reply is open."""
    folded = reasoning_fold("**First *x** < **Then** **", 75)
    assert folded.startswith("<details><summary style=")
    assert ">Thought for 1 min 15 s</summary>" in folded
    assert "**First *x** &lt; <strong>Then</strong> **</div>" in folded
    alone = reasoning_fold("a", None, is_alone=True)
    assert alone.startswith("<details open><summary style=")
    assert ">Reasoning</summary>" in alone
    assert '<div tabindex="0" style="display: flex; flex-direction: column-reverse;' in alone
    assert alone.endswith(">a</div></div></details>")
    assert "margin-bottom: 8px" in folded
    assert "margin-bottom: 8px" not in alone
    assert reasoning_fold("a" * 20_001).endswith("a\n… 1 more characters</div></details>")
    assert reasoning_fold("a" * 20_000).endswith("a</div></details>")


def test_reasoning_above_a_reply_is_an_output_of_its_own() -> None:
    """Nothing, where there is none."""
    assert reasoning_mimebundle(" \n") == {}
    shown = reasoning_mimebundle(" So.\n", 59.4, is_alone=True)
    assert shown["text/plain"] == ""
    assert shown["text/html"].startswith('<div class="chatnb-thoughts ')
    assert reasoning_fold("So.", 59.4, is_alone=True) in shown["text/html"]
    assert reasoning_fold("So.", 59.4) in reasoning_mimebundle("So.", 59.4)["text/html"]
