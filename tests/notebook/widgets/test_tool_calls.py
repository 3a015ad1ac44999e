"""Tool calls in one line and folded, and the decisions of browsers about them."""

from __future__ import annotations

from typing import Any

import pytest

from chatnb.notebook.widgets.tool_calls import (
    Decide,
    ItemToolCall,
    arguments_text,
    call_fold,
    call_line,
    call_text,
    codes_of_calls,
    parse_decision,
    provider_calls,
    result_state,
)
from chatnb.schema.content.reply_parts import ProviderCall
from chatnb.schema.messages import ToolMessage
from chatnb.tools.execution import REJECTED

DECIDE = {"type": "decide", "call": "m.0", "decision": "once"}


def call(arguments: str = "{}", state: Any = "done", result: str = "") -> ItemToolCall:
    return ItemToolCall(id="m.0", name="f", arguments=arguments, state=state, result=result)


@pytest.mark.parametrize(
    ("content", "decision"),
    [
        (DECIDE, Decide("m.0", "once")),
        ({**DECIDE, "decision": "always", "reason": None}, Decide("m.0", "always")),
        ({**DECIDE, "decision": "reject"}, Decide("m.0", "reject")),
        ({**DECIDE, "reason": "No\ud83d"}, Decide("m.0", "once", "No\ufffd")),
        ({**DECIDE, "reason": "a" * 20_001}, Decide("m.0", "once", "a" * 20_000)),
        ({**DECIDE, "reason": ["a"]}, Decide("m.0", "once")),
        ({**DECIDE, "type": "stop"}, None),
        ({**DECIDE, "call": 0}, None),
        ({**DECIDE, "decision": "maybe"}, None),
        ({"type": "decide"}, None),
        ("decide", None),
        (None, None),
    ],
)  # fmt: skip
def test_a_decision_is_read_of_what_a_browser_sends(content: Any, decision: Decide | None) -> None:
    """That may be anything: only a decision that is whole counts."""
    assert parse_decision(content) == decision


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ('{"city": "Pâris", "days": 2}', 'f(city="Pâris", days=2)'),
        ("{}", "f()"),
        ('{"code": "1 + 1", "a": 1}', "f(a=1)"),
        ('{"code": 1}', "f(code=1)"),
        ('{"a": "b', 'f({"a": "b)'),
        ("[1,\n 2]", "f([1, 2])"),
        (f'{{"a": "{"b" * 295}"}}', f'f(a="{"b" * 295}")'),
        (f'{{"a": "{"b" * 297}"}}', f'f(a="{"b" * 296}…)'),
    ],
)
def test_a_call_is_written_as_python_does(arguments: str, line: str) -> None:
    """Its code has a place of its own, and long arguments are cut."""
    assert call_line("f", arguments) == line


@pytest.mark.parametrize(
    ("state", "result", "text"),
    [
        ("done", "", "f(a=1)"),
        ("done", "It is\nfine.", "f(a=1) → It is fine."),
        ("done", "b" * 80, f"f(a=1) → {'b' * 80}"),
        ("done", "b" * 81, f"f(a=1) → {'b' * 79}…"),
        ("failed", "", "f(a=1): failed"),
        ("failed", "KeyError", "f(a=1): failed, KeyError"),
        ("rejected", f"{REJECTED}: too slow", "f(a=1): rejected: too slow"),
        ("rejected", "Other words", "f(a=1): rejected, Other words"),
        ("failed", REJECTED, f"f(a=1): failed, {REJECTED}"),
        ("running", "", "f(a=1): running"),
    ],
)
def test_a_call_that_is_over_has_what_came_of_it(state: str, result: str, text: str) -> None:
    """In one line."""
    assert call_text(call('{"a": 1}', state, result)) == text


@pytest.mark.parametrize(
    ("arguments", "result", "passages"),
    [
        ('{"a": 1}', "Fine.", ["{&quot;a&quot;: 1}", "Fine."]),
        ('{"code": "1 <\\n2"}', "", ["1 &lt;\n2"]),
        ('{"code": "1", "a": 1}', "", ["{&quot;code&quot;: &quot;1&quot;, &quot;a&quot;: 1}"]),
        ("{half", "", ["{half"]),
        ("", "", []),
        ('{"code": ""}', "b" * 20_001, [f"{'b' * 20_000}\n… 1 more characters"]),
    ],
)
def test_a_folded_call_has_its_arguments_and_result(
    arguments: str, result: str, passages: list[str]
) -> None:
    """Code that is its only argument stands alone."""
    html = call_fold(call(arguments, "done", result))
    assert html.startswith('<details class="chatnb-call-static"><summary style="cursor: pointer;')
    assert html.endswith("</details>")
    _, *found = html.split("<pre")
    assert [part.partition(">")[2].partition("</pre>")[0] for part in found] == passages


def test_states_of_calls() -> None:
    """A rejection wins over its error, and only code that has run to its end is code that ran."""
    failed = ToolMessage("a", tool_call_id="c", status="error")
    fine = ToolMessage("a", tool_call_id="c")
    assert result_state(failed, rejected=True) == "rejected"
    assert result_state(failed, rejected=False) == "failed"
    assert result_state(fine, rejected=False) == "done"
    calls = [call('{"code": "1"}'), call('{"code": "2"}', "failed"), call('{"code": 3}'), call()]
    assert codes_of_calls(calls) == ["1"]


def test_calls_of_the_provider_are_shown_with_all_others() -> None:
    """With ids that no other call has, and arguments as they are read."""
    given: Any = [
        ProviderCall("search", {"q": "é"}, "Found."),
        ProviderCall("run", "text", failed=True),
        ProviderCall("none", None),
    ]
    assert provider_calls(given, "m1") == [
        ItemToolCall(
            id="m1.provider.0", name="search", arguments='{\n  "q": "é"\n}', state="done",
            result="Found.",
        ),
        ItemToolCall(
            id="m1.provider.1", name="run", arguments="text", state="failed", result=""
        ),
        ItemToolCall(id="m1.provider.2", name="none", arguments="{}", state="done", result=""),
    ]  # fmt: skip
    assert arguments_text([1]) == "[\n  1\n]"
