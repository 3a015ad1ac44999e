from __future__ import annotations

import os
import subprocess
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell

from chatnb.chat_models import BaseChatModel, ChatOpenAI, ScriptedChatModel
from chatnb.errors import AuthenticationError
from chatnb.errors.documentation import see_section
from chatnb.notebook import register
from chatnb.notebook.cell.terminal import TerminalDisplay
from chatnb.notebook.widgets.tool_calls import ItemToolCall
from chatnb.schema import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from tests.support.loopback import LoopbackServer, delta, event, head, refusal, saying


class Recorder(BaseChatModel):
    """Replies with a count and keeps what it was asked."""

    model_name = "recorder"

    def __init__(self) -> None:
        self.asked: list[tuple[list[BaseMessage], dict[str, object]]] = []

    def _generate(self, messages: list[BaseMessage], **params: object) -> AIMessage:
        self.asked.append((messages, params))
        return AIMessage(f"reply {len(self.asked)}")


@pytest.fixture
def shell(bare_shell: InteractiveShell) -> InteractiveShell:
    register(bare_shell)
    bare_shell.push({"recorder": Recorder()})
    return bare_shell


def recorder_of(shell: InteractiveShell) -> Recorder:
    return shell.user_ns["recorder"]


def test_the_reply_streams_to_stdout_as_text(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a terminal the same magic prints the reply, and its facts below."""
    shell.run_cell("%%chat -m 'scripted:Some **bold** words.'\nHi")
    reply, facts = capsys.readouterr().out.splitlines()
    assert reply == "Some **bold** words."
    assert facts.startswith("scripted · ")


def test_calls_stand_below_the_text_on_lines_of_their_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The text before them is ended once, and the next text follows without a blank line."""
    calls = [
        ItemToolCall(id=f"c{n}", name="look", arguments=f'{{"n": {n}}}', state="done", result="ok")
        for n in range(3)
    ]
    display = TerminalDisplay("m")
    display.append("I look.")
    display.show_calls(calls[:2])
    display.show_calls(calls)
    display.append("\n\nDone.")
    first, *lines, last = capsys.readouterr().out.split("\n")
    assert (first, last) == ("I look.", "Done.")
    assert [line for line in lines if f"look(n={lines.index(line)})" in line] == lines
    assert len(lines) == 3


def test_control_characters_do_not_reach_the_terminal(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reply cannot move the cursor or rename the window; what it said is shown instead."""
    shell.push({"odd": ScriptedChatModel(["a\x1b]0;owned\x07b\tc\n"])})
    shell.run_cell("%%chat -m odd\nHi")
    assert capsys.readouterr().out.startswith("a\\x1b]0;owned\\x07b\tc\n")


@pytest.mark.parametrize("line", ["%%chat -m busy", "%%chat -m busy --schema dict"])
def test_a_wait_for_another_attempt_is_told(
    shell: InteractiveShell,
    loopback: LoopbackServer,
    capsys: pytest.CaptureFixture[str],
    line: str,
) -> None:
    """A line says why nothing comes, above the reply that does come."""
    reply = saying(head(), delta("{}"), delta(None, "stop"), event("[DONE]"))
    loopback.plays(refusal("429 Slow", "Slow down.", retry_after="0.01"), reply)
    busy = ChatOpenAI("busy-1", base_url=loopback.base_url, openai_api_key="k", max_retries=1)
    shell.push({"busy": busy, "dict": {"title": "any", "type": "object", "properties": {}}})
    shell.run_cell(f"{line}\nHi")
    assert capsys.readouterr().out.startswith("busy-1: rate limited, trying again\n{}")


def test_follow_up_cells_continue_the_conversation(shell: InteractiveShell) -> None:
    """The second cell sends what the first one said; another name starts from nothing."""
    shell.run_cell("%%chat -m recorder -s 'Be brief.'\none")
    shell.run_cell("%%chat -m recorder\ntwo")
    shell.run_cell("%%chat -m recorder -c other\nthree")
    asked = [messages for messages, _ in recorder_of(shell).asked]
    told = SystemMessage("Be brief.")
    assert asked[1] == [told, HumanMessage("one"), AIMessage("reply 1"), HumanMessage("two")]
    assert asked[2] == [HumanMessage("three")]


def test_a_cell_that_is_run_again_is_a_new_turn_at_the_end(shell: InteractiveShell) -> None:
    """Its prompt follows all that came since, which stays: so one cell can hold a conversation."""
    for prompt in ("one", "two", "one", "one"):
        shell.run_cell(f"%%chat -m recorder\n{prompt}")
    asked = [messages for messages, _ in recorder_of(shell).asked]
    assert asked[3] == [*asked[2], AIMessage("reply 3"), HumanMessage("one")]
    assert [message.text for message in asked[3]] == [
        "one", "reply 1", "two", "reply 2", "one", "reply 3", "one",
    ]  # fmt: skip


def test_new_starts_a_conversation_again(shell: InteractiveShell) -> None:
    """`%chat new` forgets what was said, of the main conversation or a named one."""
    for command in ("%chat new", "%chat new other"):
        shell.run_cell("%%chat -m recorder\none")
        shell.run_cell("%%chat -m recorder -c other\none")
        shell.run_cell(command)
    shell.run_cell("%%chat -m recorder -c other\ntwo")
    assert recorder_of(shell).asked[-1][0] == [HumanMessage("two")]


def test_options_reach_the_model(shell: InteractiveShell) -> None:
    """-t and --max-tokens are parameters of this call; without them the model's own hold."""
    shell.run_cell("%%chat -m recorder -t 0.5 --max-tokens 7\nHi")
    shell.run_cell("%%chat -m recorder\nHi")
    (_, given), (_, default) = recorder_of(shell).asked
    assert (given["temperature"], given["max_tokens"]) == (0.5, 7)
    assert {"temperature", "max_tokens"}.isdisjoint(default)


def test_the_reply_is_put_into_variables(shell: InteractiveShell) -> None:
    """-o names a variable for the AIMessage; `_reply` always has the last one."""
    shell.run_cell("%%chat -m recorder -o kept\nHi")
    shell.run_cell("%%chat -m recorder\nHi")
    assert shell.user_ns["kept"] == AIMessage("reply 1")
    assert shell.user_ns["_reply"] == AIMessage("reply 2")


def test_values_are_put_into_the_prompt(shell: InteractiveShell) -> None:
    """{name} is filled from the notebook's variables; dollars and JSON are left alone."""
    shell.run_cell("number = 7")
    shell.run_cell('%%chat -m recorder\n{number} $number {"number": 1} {nothing}')
    assert recorder_of(shell).asked[0][0] == [HumanMessage('7 $number {"number": 1} {nothing}')]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("%%chat --modle x\nHi", "did you mean --model?"),
        ("%%chat --modle x\nHi", "-c/--conversation"),
        ("%%chat -t warm\nHi", "invalid float value: 'warm'"),
        ("%%chat -m 'unclosed\nHi", "No closing quotation"),
        ("%%chat -o 1x\nHi", "the name of a variable"),
        ("%%chat -m recorder\n\n  \n", "Write the prompt on the lines below"),
        ("%%chat -m recorder\n{recorder.nothing}", "has no '.nothing'"),
        ("%%chat -m nobody:x\nHi", "openai, openrouter, perplexity"),
        ("%%chat -m cell\nHi", "No chat model is called 'cell'"),
        ("%chat tell me a joke", "write %%chat on a cell's first line"),
    ],
)
def test_bad_input_fails_the_cell_and_says_what_to_do(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], cell: str, said: str
) -> None:
    """A mistyped option, model or prompt is answered in a line or two, before anything is asked."""
    result = shell.run_cell(cell)
    assert not result.success
    shown = capsys.readouterr()
    assert said in shown.out + shown.err
    assert "Traceback" not in shown.out + shown.err
    assert recorder_of(shell).asked == []


def test_a_variable_that_is_no_model_says_so(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """-m with a variable that holds something else is not taken for a model's name."""
    shell.run_cell("notes = 'text'")
    assert not shell.run_cell("%%chat -m notes\nHi").success
    assert "notes holds no chat model" in capsys.readouterr().out


def test_a_failed_turn_is_not_part_of_the_conversation(shell: InteractiveShell) -> None:
    """Running the cell again asks anew, as if the failure had not been."""

    class Fails(BaseChatModel):
        model_name = "fails"

        def _stream(self, messages: list[BaseMessage], **_: object):
            yield AIMessageChunk("half")
            raise ConnectionError("gone")

    shell.push({"fails": Fails()})
    assert not shell.run_cell("%%chat -m fails\none").success
    assert shell.user_ns["_reply"].content == "half"
    shell.run_cell("%%chat -m recorder\ntwo")
    assert recorder_of(shell).asked[0][0] == [HumanMessage("two")]


def test_help_documents_every_option(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """%%chat? names and explains each option."""
    shell.run_cell("%%chat?")
    shown = capsys.readouterr().out
    for option in (
        "--model",
        "--system",
        "--temperature",
        "--max-tokens",
        "--conversation",
        "--output",
    ):
        assert option in shown
    assert "\n%%chat [-m MODEL]" in shown
    assert "::" not in shown
    assert "as its source)" in shown
    assert "%chat new" in shown
    assert see_section("cell") in shown


@pytest.mark.parametrize(
    "cell",
    [
        "%%chat -m refused\nHi",
        *(
            pytest.param(cell, marks=pytest.mark.thorough)
            for cell in (
                "%%chat --compare refused,turned_away\nHi",
                "%%chat -m nobody:x\nHi",
                "%chat use nobody:x",
            )
        ),
    ],
)
def test_errors_in_cells_name_a_section_of_the_documentation(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], cell: str
) -> None:
    """Below its one line, an error names the section that its traceback would name."""
    model = ScriptedChatModel([AuthenticationError("No such key.")])
    shell.push({"refused": model, "turned_away": model})
    assert not shell.run_cell(cell).success
    *_, line, section = capsys.readouterr().out.splitlines()
    assert line.startswith(("AuthenticationError: ", "UnknownModelError: "))
    assert section == see_section("providers")


def test_loading_the_extension_twice_does_no_harm(shell: InteractiveShell) -> None:
    """%reload_ext keeps the conversations."""
    shell.run_cell("%%chat -m recorder\none")
    register(shell)
    shell.run_cell("%%chat -m recorder\ntwo")
    assert len(recorder_of(shell).asked[1][0]) == 3


@pytest.mark.process
def test_importing_chatnb_loads_nothing_heavy() -> None:
    """`import chatnb` loads neither the SDK nor pydantic nor anything of Jupyter."""
    heavy = {"openai", "pydantic", "IPython", "ipywidgets", "anywidget", "httpx2", "jiter"}
    code = f"import sys, chatnb; print(sorted({heavy!r} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert ran.stdout == "[]\n"
