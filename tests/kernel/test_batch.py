from __future__ import annotations

from typing import Any

import pytest

from tests.kernel.driver import Kernel, Message

pytestmark = pytest.mark.slow

LONG = "ScriptedChatModel(['word ' * 8], delay=0.1)"
TWENTY = "[[f'Prompt {n}'] for n in range(20)]"


def test_a_long_batch_draws_one_bar_that_stays_as_text(kernel: Kernel) -> None:
    """The bar is drawn in place, is done at the end, and leaves no widget in the file."""
    ran = kernel.run(f"slow = {LONG}\nresult = slow.generate({TWENTY}, max_concurrency=4)")
    assert ran.reply["status"] == "ok"
    assert ran.of("comm_open") == []
    assert len(ran.of("display_data")) == 1
    assert ran.of("stream") == []
    first = ran.of("display_data")[0]["data"]["text/plain"]
    assert " of 20 · " in first
    assert "left" in first
    assert ran.outputs[0]["text/plain"].startswith("20 of 20 · ")
    assert "progressbar" not in ran.outputs[0]["text/html"]
    assert len(ran.of("update_display_data")) < 40


def test_a_program_that_runs_the_notebook_gets_no_bar(kernel: Kernel) -> None:
    """Outputs that are compared or committed have no bar in them."""
    ran = kernel.run(f"{LONG}.generate({TWENTY}, max_concurrency=4).flatten()[0]", watched=False)
    assert ran.of("display_data") == []
    assert ran.of("stream") == []


def test_an_interrupt_of_generate_keeps_what_has_finished(kernel: Kernel, tmp_path: Any) -> None:
    """Stopped in the middle, the error has the replies that came, and the same call goes on."""
    file = tmp_path / "run.sqlite"
    call = f"slow.generate({TWENTY}, max_concurrency=2, checkpoint={str(file)!r})"
    kernel.run(f"import chatnb\nslow = {LONG}")
    interrupted = list[bool]()

    def interrupt(message: Message) -> None:
        if message["msg_type"] == "display_data" and not interrupted:
            interrupted.append(True)
            kernel.interrupt()

    ran = kernel.run(call, on_message=interrupt)
    assert ran.reply["ename"] == "BatchInterrupted"
    kernel.run("import sys; kept = len(getattr(sys, 'last_exc', sys.last_value).results)")
    again = f"with chatnb.track_usage() as t: again = {call}\nprint(kept, len(t), len(again.calls))"
    kept, asked, calls = map(int, kernel.run(again).printed.split())
    assert calls == 20
    assert 0 < kept < 20
    assert asked <= 20 - kept


def test_a_cancelled_agenerate_has_what_has_finished(kernel: Kernel) -> None:
    """The interrupt of an awaited batch leaves the replies on the error that ends it."""
    kernel.run(f"slow = {LONG}")
    code = (
        "import asyncio, chatnb\n"
        "with chatnb.track_usage() as finished:\n"
        f"    task = asyncio.ensure_future(slow.agenerate({TWENTY}, max_concurrency=5))\n"
        "    while len(finished) < 6:\n        await asyncio.sleep(0.01)\n"
        "task.cancel()\n"
        "try:\n    await task\n"
        "except asyncio.CancelledError as stopped:\n"
        "    print(len(stopped.results), len(stopped.remaining))"
    )
    kept, remaining = map(int, kernel.run(code).printed.split())
    assert kept >= 5
    assert kept + remaining == 20
