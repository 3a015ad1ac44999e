"""The tool calls of a reply in a cell: code, arguments, results and decisions."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from chatnb import RunLog, ScriptedChatModel
from chatnb.notebook.run_tree.static import run_tree_mimebundle
from chatnb.notebook.widgets.tool_calls import ItemToolCall, call_fold
from tests.browser.conftest import STATIC, ReplyPage
from tests.support.unseen_characters import UNSEEN

pytestmark = pytest.mark.browser


def tool_call(state: str, result: str = "", **arguments: object) -> dict[str, object]:
    return {
        "id": "1.0",
        "name": "run_python",
        "arguments": json.dumps(arguments),
        "state": state,
        "result": result,
    }


def test_a_call_waits_for_a_click(reply_page: ReplyPage) -> None:
    """Its code is shown whole and as Python, and one click sends one decision for that call."""
    code = "total = 0\nfor row in rows:\n    total += row['weight']"
    reply_page.open(calls=[tool_call("asking", code=code)])
    calls = reply_page.page.get_by_role("region", name="Call of run_python")
    expect(calls.get_by_role("group", name="Code")).to_have_text(code, use_inner_text=True)
    assert reply_page.run("return model.count('get_highlighter')") == 1
    assert reply_page.run("return model.count('decide')") == 0
    calls.get_by_role("button", name="Allow once").click()
    assert reply_page.run("return model.sent.filter(({type}) => type === 'decide')") == [
        {"type": "decide", "call": "1.0", "decision": "once", "reason": ""}
    ]


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200f", "\x1b", "\x08", "\x7f", *UNSEEN])
def test_a_call_that_waits_looks_as_it_is(reply_page: ReplyPage, mark: str) -> None:
    """Characters that turn the reading direction, steer or are not seen are escapes in its code
    and arguments."""
    reply_page.open(calls=[tool_call("asking", code=f"a = 'x{mark}y'", **{f"wo{mark}rd": mark})])
    calls = reply_page.page.get_by_role("region", name="Call of run_python")
    escape = ascii(mark)[1:-1]
    assert calls.get_by_role("group", name="Code").text_content() == f"a = 'x{escape}y'"
    assert mark not in (calls.text_content() or "")


def test_a_call_that_is_over_is_folded(reply_page: ReplyPage) -> None:
    """Its line has a short result, and no button is left; a failed one is open."""
    reply_page.open(calls=[tool_call("asking", word="heron")])
    calls = reply_page.page.get_by_role("region", name="Call of run_python")
    expect(calls.get_by_role("button", name="Reject")).to_be_visible()
    done = tool_call("done", "A bird.", word="heron")
    reply_page.run("model.receive('calls', given)", [done])
    expect(calls).to_contain_text('run_python(word="heron") → A bird.')
    expect(calls.get_by_role("button", name="Reject")).to_have_count(0)
    expect(calls.get_by_role("group", name="Result")).to_be_hidden()
    reply_page.run("model.receive('calls', given)", [tool_call("failed", "No.", word="heron")])
    expect(calls.get_by_role("group", name="Result")).to_have_text("No.")


@pytest.mark.parametrize("calls", [None, "x", [{}], [{"id": "a", "state": "allowed"}], [7]])
def test_what_is_no_call_is_not_shown(reply_page: ReplyPage, calls: object) -> None:
    """Values that no kernel sends neither show a call nor break the view."""
    reply_page.open(calls=calls)
    reply_page.say("Hello")
    expect(reply_page.page.get_by_role("region", name="Call of")).to_have_count(0)
    assert reply_page.errors == []


def test_a_call_shows_what_it_has(reply_page: ReplyPage) -> None:
    """There is no empty ground for code or a result that a call does not have, and what it has
    keeps its ground and its padding under JupyterLab's rules for all HTML outputs."""
    rule = ".jp-ThemedContainer .jp-RenderedHTMLCommon pre { padding: 0; background: red; }"
    reply_page.page.add_style_tag(content=rule)
    reply_page.run("document.documentElement.className = 'jp-ThemedContainer'")
    reply_page.run("document.body.className = 'jp-RenderedHTMLCommon'")
    reply_page.open(calls=[tool_call("asking", word="heron")])
    shown = reply_page.page.locator(".chatnb-passage").filter(visible=True)
    expect(shown).to_have_count(1)
    expect(shown).to_have_css("padding", "6px 8px")
    expect(reply_page.page.locator(".chatnb-panel-approval").filter(visible=True)).to_have_count(1)


def test_words_of_arguments_and_values_stay_whole(reply_page: ReplyPage) -> None:
    """Live and static, in calls and run trees, although JupyterLab breaks lines of outputs in
    mid-word."""
    words = "dictionary " * 40
    log = sum(ScriptedChatModel([words]).stream_log(words), RunLog())
    given: ItemToolCall = {
        "id": "1.0",
        "name": "look_up",
        "arguments": words,
        "state": "failed",
        "result": words,
    }
    static = call_fold(given), run_tree_mimebundle(log).get("text/html", "")
    reply_page.page.add_style_tag(content=".jp-OutputArea-output pre { word-break: break-all; }")
    reply_page.page.add_style_tag(path=STATIC / "run_tree.css")
    reply_page.open(calls=[given])
    reply_page.run(
        """
        const area = document.createElement("div");
        area.className = "jp-OutputArea-output";
        area.innerHTML = given.join("") + '<div class="chatnb-view"><pre class="chatnb-passage">';
        document.querySelectorAll(".chatnb-reply").forEach((reply) => area.append(reply));
        document.body.append(area);
        """,
        static,
    )
    breaks = "all => all.map((pre) => getComputedStyle(pre).wordBreak)"
    found = reply_page.page.locator(".jp-OutputArea-output pre").evaluate_all(breaks)
    assert found == ["normal"] * 8
