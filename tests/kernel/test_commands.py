"""Options, commands and completion beyond a plain %%chat cell, in real kernels."""

from __future__ import annotations

from typing import Any

import pytest

from chatnb.errors.documentation import see_section
from tests.kernel.driver import Kernel, Message, Ran
from tests.kernel.test_cell import WIDGET

pytestmark = pytest.mark.slow


def put_below(ran: Ran) -> list[str]:
    """The cells that a notebook would now have below."""
    return [p["text"] for p in ran.reply["payload"] if p["source"] == "set_next_input"]


def changes_in(ran: Ran) -> list[str]:
    """The lines that a proposed change takes out and puts in."""
    texts = [output.get("text/markdown", "") for output in ran.outputs]
    diffs = [text.partition("```diff\n")[2].partition("\n```")[0] for text in texts]
    return [diff.partition("\n")[2] for diff in diffs if diff]


def printed(kernel: Kernel, code: str) -> str:
    return kernel.run(code).printed


def test_code_goes_into_the_next_cell(any_kernel: Kernel) -> None:
    """The kernel asks for a cell below, in place of none and without running it."""
    any_kernel.run("coder = ScriptedChatModel(['So:\\n```python\\nran = 1\\n```'])")
    ran = any_kernel.run("%%chat -m coder --code\nWrite it.")
    assert put_below(ran) == ["ran = 1"]
    assert [p["replace"] for p in ran.reply["payload"]] == [False]
    assert printed(any_kernel, "print('ran' in globals())") == "False\n"


def test_explain_proposes_the_fixed_cell(any_kernel: Kernel) -> None:
    """The model is shown the cell as it was typed, its words stay, and its cell is a change."""
    any_kernel.run(
        "from chatnb.chat_models import BaseChatModel\n"
        "from chatnb.schema import AIMessage\n"
        "class Asked(BaseChatModel):\n"
        "    model_name = 'asked'\n"
        "    def _generate(self, messages, **params):\n"
        "        self.prompt = messages[-1].text\n"
        "        return AIMessage('By zero.\\n```python\\n1 / 1\\n```')\n"
        "asked = Asked()\n"
        "%chat use asked"
    )
    any_kernel.run("divisor = 0\n10 / divisor")
    ran = any_kernel.run("%chat explain")
    assert ran.reply["status"] == "ok"
    assert ran.outputs[0]["text/markdown"].startswith("By zero.")
    assert changes_in(ran) == ["-divisor = 0\n-10 / divisor\n+1 / 1"]
    prompt = printed(any_kernel, "print(asked.prompt)")
    assert "```python\ndivisor = 0\n10 / divisor\n```" in prompt
    assert "- divisor: int\n" in prompt
    any_kernel.run("10 / divisor")
    fixed = any_kernel.run("%chat fix")
    assert changes_in(fixed) == ["-10 / divisor\n+1 / 1"]
    assert len(fixed.outputs) == 2
    any_kernel.run("%chat config reset")


def test_a_typed_answer_grows_as_json_and_stays_as_a_table(any_kernel: Kernel) -> None:
    """While it streams it is a block of JSON; what stays is the table, with a repr as text."""
    any_kernel.run(
        "from pydantic import BaseModel\n"
        "class City(BaseModel):\n    name: str\n    people: int\n"
        'oslo = ScriptedChatModel([\'{"name": "Oslo", "people": 7}\'], delay=0.01)'
    )
    ran = any_kernel.run("%%chat -m oslo --schema City -o city\nHi")
    assert ran.streamed == '````json\n{"name": "Oslo", "people": 7}\n````\n'
    assert ran.outputs[0]["text/plain"] == "City(name='Oslo', people=7)"
    assert "<th>name</th><td>Oslo</td>" in ran.outputs[0]["text/html"]
    assert "| name | Oslo |" in ran.outputs[0]["text/markdown"]
    assert printed(any_kernel, "print(city.people)") == "7\n"


def test_an_invalid_answer_stays_as_it_came(any_kernel: Kernel) -> None:
    """The JSON stays readable above the line that says what is wrong, and where to read on."""
    any_kernel.run(
        "from pydantic import BaseModel\nclass City(BaseModel):\n    name: str\n"
        "odd = ScriptedChatModel(['{\"town\": 1}'])"
    )
    ran = any_kernel.run("%%chat -m odd --schema City\nHi")
    assert ran.reply["status"] == "error"
    assert ran.outputs[0]["text/markdown"] == '````json\n{"town": 1}\n````\n'
    (error,) = ran.of("error")
    assert error["traceback"][1:] == [see_section("typed-answers")]
    assert error["ename"] == "StructuredOutputError"


COMPARED = (
    "left = ScriptedChatModel(['left ' * 4000], delay=0.02)\n"
    "right = ScriptedChatModel(['right ' * 4000], delay=0.02)\n"
    "short = ScriptedChatModel(['Short.'])\n"
    "from chatnb.errors import ServerError\n"
    "breaks = ScriptedChatModel([['Half', ServerError('Overloaded.')]])"
)


def test_a_comparison_streams_in_columns_and_leaves_no_widget(any_kernel: Kernel) -> None:
    """One widget streams all columns; what stays are plain ones, and every comm of the widget is
    closed once the page has those."""
    any_kernel.run(COMPARED)
    ran = any_kernel.run("%%chat --compare short,breaks -o both\nHi")
    assert ran.reply["status"] == "ok"
    (shown,) = ran.outputs
    assert set(shown) == {"text/html", "text/markdown", "text/plain"}
    for form in shown.values():
        for words in ("Short.", "Half", "ServerError: Overloaded."):
            assert words.replace(":", "") in form.replace(":", "")
    states = [content["data"]["state"] for content in ran.of("comm_open")]
    [columns] = [state["columns"] for state in states if "columns" in state]
    assert [column["model_name"] for column in columns] == ["short", "breaks"]
    assert any_kernel.deliver(ran) == set()
    assert "Short." in ran.streamed
    updates = [content["data"].get("state", {}) for content in ran.of("comm_msg")]
    snapshots = [state["snapshots"] for state in updates if "snapshots" in state]
    assert [column["text"] for column in snapshots[-1]] == [
        "Short.",
        "Half\n\n**ServerError: Overloaded.**",
    ]


def test_a_program_gets_the_columns_and_no_widget(any_kernel: Kernel) -> None:
    """nbclient and its like get one output."""
    any_kernel.run(COMPARED)
    ran = any_kernel.run("%%chat --compare short,breaks\nHi", watched=False)
    assert ran.of("comm_open") == []
    assert len(ran.outputs) == 1


@pytest.mark.parametrize("how", ["interrupt", "button"])
def test_stop_stops_them_all(any_kernel: Kernel, how: str) -> None:
    """An interrupt, or Stop in any column, stops every long reply and keeps what came."""
    any_kernel.run(COMPARED)
    views, stopped = list[str](), list[str]()

    def watch(message: Message) -> None:
        data = message["content"].get("data", {})
        if message["msg_type"] == "comm_open" and "stop_with" in data.get("state", {}):
            views.append(message["content"]["comm_id"])
        content = data.get("content")
        if isinstance(content, dict) and content.get("seq") == 4 and not stopped:
            stopped.append(how)
            if how == "interrupt" or "interrupt" in told:
                any_kernel.interrupt()
            else:
                any_kernel.tell(views[0], {"type": "stop"})

    told = _stop_with(any_kernel)
    ran = any_kernel.run("%%chat --compare left,right -o both\nHi", on_message=watch)
    assert WIDGET not in ran.outputs[0]
    assert ran.outputs[0]["text/plain"].count("Stopped · ") == 2
    code = "print([(m.text[:4], m.response_metadata['finish_reason']) for m in both.values()])"
    assert printed(any_kernel, code) == "[('left', 'stopped'), ('righ', 'stopped')]\n"


def _stop_with(kernel: Kernel) -> set[str]:
    probe = kernel.run("%%chat -m scripted:Hello.\nHi")
    states = [content["data"]["state"] for content in probe.of("comm_open")]
    return {state["stop_with"] for state in states if "stop_with" in state}


def completed(kernel: Kernel, code: str, cursor: int | None = None) -> tuple[str, list[str]]:
    """Return the text that completions replace, and the completions."""
    kernel.client.complete(code, len(code) if cursor is None else cursor)
    reply: Any = kernel.client.get_shell_msg(timeout=120)
    while reply["msg_type"] != "complete_reply":
        reply = kernel.client.get_shell_msg(timeout=120)
    content = reply["content"]
    return code[content["cursor_start"] : content["cursor_end"]], content["matches"]


@pytest.mark.parametrize(
    ("code", "fragment", "offered"),
    [
        ("%%chat --mo", "--mo", ["--model"]),
        ("%%chat --c", "--c", ["--code", "--compare", "--context", "--conversation"]),
        ("%%chat -m so", "so", ["some_model"]),
        ("%%chat -m openai:codex-", "openai:codex-", ["openai:codex-mini"]),
        ("%%chat --model=loc", "loc", ["local:"]),
        ("%%chat --compare some_model,scr", "scr", ["scripted:"]),
        ("%%chat -c ide", "ide", ["ideas"]),
        ("%%chat --schema Ci", "Ci", ["City"]),
        ("%chat mo", "mo", ["models"]),
        ("%chat use some_m", "some_m", ["some_model"]),
        ("x = 1\n%chat new ide", "ide", ["ideas"]),
        ("%chat models ol", "ol", ["ollama"]),
        ("%chat config te", "te", ["temperature="]),
        ("%chat config model=some", "some", ["some_model"]),
    ],
)
def test_tab_completes(
    completing_kernel: Kernel, code: str, fragment: str, offered: list[str]
) -> None:
    """Options, commands, models, conversations and types, through the kernel's complete_request."""
    assert completed(completing_kernel, code) == (fragment, offered)


def test_tab_leaves_everything_else_as_it_was(completing_kernel: Kernel) -> None:
    """Below the first line, and in other cells, IPython completes as ever."""
    assert "some_model" in completed(completing_kernel, "some_mod")[1]
    assert "%%chat" in completed(completing_kernel, "%%cha")[1]
    assert "--model" not in completed(completing_kernel, "%%chat -m x\n--mo")[1]
    assert "some_model" in completed(completing_kernel, "%%chat\nWhat is {some_mod")[1]


@pytest.fixture(scope="module")
def completing_kernel():
    kernel = Kernel(forked=True)
    kernel.run(
        "%load_ext chatnb\nfrom chatnb.chat_models import ScriptedChatModel\n"
        "from dataclasses import dataclass\n@dataclass\nclass City:\n    name: str\n"
        "some_model = ScriptedChatModel(['Hi.'])"
    )
    kernel.run("%%chat -m some_model -c ideas\nHi")
    yield kernel
    kernel.close()


def test_panel_opens_what_cells_said(any_kernel: Kernel) -> None:
    """Without a name it is the notebook's own conversation, with the session's model behind it."""
    any_kernel.run("%chat new\n%chat use scripted:Panelled.")
    any_kernel.run("%%chat -m scripted:Celled.\nSaid in a cell")
    shown = any_kernel.run("%chat panel", watched=False)
    assert shown.reply["status"] == "ok"
    assert "Said in a cell" in shown.outputs[0]["text/plain"]
    other = any_kernel.run("%chat panel somewhere-else", watched=False)
    assert "Said in a cell" not in other.outputs[0]["text/plain"]
    any_kernel.run("%chat config reset\n%chat new")
