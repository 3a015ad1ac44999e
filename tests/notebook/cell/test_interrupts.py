"""Interrupts of a `%%chat` cell while the disk is busy."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time

import pytest
from IPython.core.interactiveshell import InteractiveShell

from chatnb import Conversation
from chatnb.chat_models import ScriptedChatModel
from chatnb.notebook import register
from chatnb.store import Store
from tests.support.hangs import SECONDS, wait_until


def test_a_second_interrupt_does_not_leave_the_reply_streaming(
    bare_shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C twice, the second while another program holds the store: the reply is `stopped`."""
    main = threading.main_thread().ident
    assert main is not None
    register(bare_shell)
    bare_shell.push({"slow": ScriptedChatModel(["word " * 10_000], delay=0.005)})
    reader = Store(os.environ["CHATNB_STORE"])

    def status() -> str | None:
        nodes = Conversation("ideas", store=reader).nodes()
        return nodes[-1].status if nodes and nodes[-1].message.text.startswith("word") else None

    def interrupt_twice() -> None:
        wait_until(lambda: status() == "streaming")
        other = sqlite3.connect(os.environ["CHATNB_STORE"], isolation_level=None, timeout=60)
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.15)
        other.rollback()
        other.close()

    interrupting = threading.Thread(target=interrupt_twice, daemon=True)
    interrupting.start()
    bare_shell.run_cell("%%chat -m slow -c ideas\nHi")
    interrupting.join(SECONDS)
    wait_until(lambda: status() == "stopped")
    reader.close()
