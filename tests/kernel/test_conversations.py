from __future__ import annotations

import os
import signal

import pytest

from chatnb import Conversation
from tests.kernel.driver import Kernel, Message

pytestmark = pytest.mark.slow

SLOW = (
    "%load_ext chatnb\n"
    "from chatnb.chat_models import ScriptedChatModel\n"
    "slow = ScriptedChatModel(['word ' * 400], delay=0.02)"
)


class Killed(Exception):
    """The kernel is gone."""


def test_a_kernel_that_is_killed_in_mid_reply_leaves_its_partial(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After SIGKILL and a restart `%chat resume` has the finished turn, and what came of the one
    that streamed, marked as stopped; without it the notebook starts again."""
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/ada/analysis.ipynb")
    kernel = Kernel()
    kernel.run(SLOW)
    kernel.run("%%chat -m scripted:Whole.\none")
    process = int(kernel.run("import os; print(os.getpid())").printed)
    streamed = list[str]()

    def watch(message: Message) -> None:
        content = message["content"].get("data", {}).get("content", {})
        if isinstance(content, dict) and content.get("type") == "delta":
            streamed.append(content["text"])
        if len("".join(streamed)) > 500:
            os.kill(process, signal.SIGKILL)
            raise Killed

    with pytest.raises(Killed):
        kernel.run("%%chat -m slow\ntwo", on_message=watch)
    kernel.close()

    restarted = Kernel()
    restarted.run(SLOW)
    shown = restarted.run("%chat resume").outputs[0]
    assert shown["text/plain"].startswith("Cells continue analysis: 2 turns.")
    history = restarted.run("%chat history").outputs[0]
    assert "**scripted** *(stopped)*" in history["text/markdown"]
    restarted.run("%%chat -m scripted:Third.\nthree")
    restarted.close()

    *_, whole, asked, partial, last, reply = Conversation("analysis").path()
    texts = [node.message.text for node in (whole, asked, last, reply)]
    assert texts == ["Whole.", "two", "three", "Third."]
    assert partial.status == "stopped"
    assert partial.message.response_metadata["finish_reason"] == "stopped"
    assert 500 - 50 * len("word ") <= len(partial.message.text) < 2000
