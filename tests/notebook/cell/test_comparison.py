"""`%%chat --compare`: one prompt to several models."""

from __future__ import annotations

import re
from html import unescape

import pytest
from IPython.core.interactiveshell import InteractiveShell

from chatnb.chat_models import ScriptedChatModel
from chatnb.errors import ServerError
from chatnb.notebook import register
from chatnb.notebook.tables.comparison import Answer, comparison_mimebundle
from chatnb.schema import HumanMessage
from tests.support.recording_model import Asked

USAGE = {"input_tokens": 8, "output_tokens": 4000, "total_tokens": 4008}


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    register(bare_shell)
    priced = ScriptedChatModel(["Four."], usage=[USAGE], model_name="gpt-4o-mini")  # type: ignore[list-item]
    priced.provider = "openai"  # type: ignore[attr-defined]
    broken = ScriptedChatModel([["It is ", ServerError("Overloaded.", hint="Try again.")]])
    bare_shell.push({"priced": priced, "broken": broken, "one": Asked(["1"]), "two": Asked(["2"])})
    return bare_shell


def test_each_model_answers_and_the_variable_has_them_all(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """-o and `_reply` hold a message for each name; what is shown has name, text and facts."""
    assert shell.run_cell("%%chat --compare one,priced -o all -t 0.5\nTwo and two?").success
    assert {name: m.text for name, m in shell.user_ns["all"].items()} == {
        "one": "1",
        "priced": "Four.",
    }
    assert shell.user_ns["_reply"] == shell.user_ns["all"]
    shown = capsys.readouterr().out
    assert re.search(r"one\n1\nasked · \d+\.\d s\n\npriced\nFour.\n", shown)
    assert re.search(r"gpt-4o-mini · 8 tokens in, 4,000 out · \d+\.\d s · ", shown)
    assert shell.user_ns["one"].asked[0][1]["temperature"] == 0.5


def test_the_conversation_goes_in_and_the_comparison_does_not(shell: InteractiveShell) -> None:
    """Every model reads what was said before; which answer was right is not for us to say, so the
    conversation goes on as if it had not been asked."""
    shell.run_cell("%%chat -m one\nfirst")
    shell.run_cell("%%chat --compare one,two\nsecond")
    shell.run_cell("%%chat -m two\nthird")
    compared, after = (messages for messages, _ in shell.user_ns["two"].asked)
    assert [m.text for m in compared] == ["first", "1", "second"]
    assert [m.text for m in after] == ["first", "1", "third"]


def test_one_that_fails_shows_its_error_and_the_others_go_on(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cell does not fail for it; its partial reply is kept, and marked."""
    assert shell.run_cell("%%chat --compare broken,one -o all\nHi").success
    shown = capsys.readouterr().out
    assert "It is \nServerError: Overloaded. Try again.\nBroke off · " in shown
    assert shell.user_ns["all"]["broken"].response_metadata["finish_reason"] == "failed"
    assert shell.user_ns["all"]["one"].text == "1"


def test_when_all_fail_so_does_the_cell(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run All stops there, with the first error in one line."""
    shell.push({"broken2": shell.user_ns["broken"]})
    assert not shell.run_cell("%%chat --compare broken,broken2\nHi").success
    shown = capsys.readouterr().out
    assert shown.splitlines()[-1] == "ServerError: Overloaded. Try again."
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--compare one", "takes two models or more"),
        ("--compare one,one,two", "names one twice"),
        ("--compare one,nobody:x", "No chat model is called 'nobody:x'"),
        ("--compare one,two -m one", "takes --compare or --model, not both"),
        ("--compare one,two --log", "takes --compare or --log, not both"),
    ],
)
def test_a_mistake_in_the_line_asks_nobody(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, said: str
) -> None:
    """All models are found before the first is asked."""
    assert not shell.run_cell(f"%%chat {line}\nHi").success
    shown = capsys.readouterr()
    assert said in shown.out + shown.err
    assert shell.user_ns["one"].asked == []


def test_what_stays_is_safe_and_complete() -> None:
    """Neither a reply nor an error nor a name can run, load or close anything in the notebook."""
    hostile = "<script>x()</script> ![i](https://t.test/i.png) [a](javascript:x()) </div>"
    bundle = comparison_mimebundle([Answer(f"n{hostile}", hostile, "1.0 s", error=hostile)] * 2)
    assert set(bundle) == {"text/html", "text/markdown", "text/plain"}
    html = bundle["text/html"]
    assert not re.search(r"<(script|img)|href=\"javascript", html)
    assert html.count("<div") == html.count("</div>")
    assert "<script" not in re.sub(r"`[^`]*`|\\<", "", bundle["text/markdown"])
    words = html_text(html)
    assert words.count("x()") == 2 * 3 * 2  # Nothing is lost of names, texts and errors.


def html_text(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html))


def test_columns_have_markdown_of_every_kind() -> None:
    """Tables, code and lists are HTML in the columns."""
    text = "- *a*\n\n| b |\n|---|\n| c |\n\n```python\nd < 1\n```"
    html = comparison_mimebundle([Answer("m", text, "1.0 s")])["text/html"]
    for piece in ("<li><em>a</em></li>", '<td style="text-align: left">c</td>'):
        assert piece in html
    assert "d < 1" in html_text(html)


def test_words_in_tables_of_columns_stay_whole() -> None:
    """A table that is wider than its column scrolls, as in the live view."""
    html = comparison_mimebundle([Answer("m", "| b |\n|---|\n| c |", "1.0 s")])["text/html"]
    found = re.search('<table style="([^"]*)"', html)
    assert found
    for rule in ("max-width: 100%", "overflow-x: auto", "overflow-wrap: break-word"):
        assert rule in found[1]


def test_columns_keep_the_reasoning() -> None:
    """It is folded above the text, as in a cell of one reply."""
    answer = Answer("m", "Because.", "1.0 s", reasoning="Let me <think>.")
    html = comparison_mimebundle([answer, Answer("n", "Or.", "1.0 s")])["text/html"]
    assert html.count("<details>") == 1
    assert html.index("Let me &lt;think&gt;.") < html.index("Because.") < html.index("1.0 s")


def test_an_error_ends_the_text_of_its_column() -> None:
    """As in the live view, so that neither moves when the columns stay: after the last paragraph,
    and before the end of the element that has JupyterLab's room around paragraphs."""
    failed = Answer("one", "Half.", "one · 1.0 s", error="ServerError: Overloaded.")
    html = comparison_mimebundle([failed]).get("text/html", "")
    pattern = r"<p>Half\.</p>\s*<p[^>]*><strong>ServerError: Overloaded\.</strong></p></div><div"
    assert re.search(pattern, html), html


def test_the_prompt_is_the_cells(shell: InteractiveShell) -> None:
    """Values are put into it as in any other cell."""
    shell.run_cell("number = 7")
    shell.run_cell("%%chat --compare one,two\nHalf of {number}?")
    for name in ("one", "two"):
        assert shell.user_ns[name].asked[0][0] == [HumanMessage("Half of 7?")]
