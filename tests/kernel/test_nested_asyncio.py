"""`chatnb.nested_asyncio()` in real kernels."""

from __future__ import annotations

import pytest

from tests.kernel.driver import Kernel

pytestmark = pytest.mark.slow

WORK = "import asyncio\nasync def work():\n    await asyncio.sleep(0.2)\n    return 42\n"


def text(kernel: Kernel, code: str) -> str:
    return kernel.run(code).printed


def test_asyncio_run_works_in_cells_after_it_and_not_before(any_kernel: Kernel) -> None:
    """It is what makes the difference, and calling it twice does no harm."""
    before = any_kernel.run(f"{WORK}w = work()\nasyncio.run(w)")
    assert before.reply["ename"] == "RuntimeError"
    assert any_kernel.run("w.close()\nimport chatnb\nchatnb.nested_asyncio()").reply["status"] == (
        "ok"
    )
    any_kernel.run("chatnb.nested_asyncio()")
    assert text(any_kernel, "print(asyncio.run(work()))") == "42\n"


def test_cells_that_wait_still_run(any_kernel: Kernel) -> None:
    """Five cells sent at once, each with an asyncio.run, all run, in order."""
    any_kernel.run(f"{WORK}import chatnb\nchatnb.nested_asyncio()\ndone = []")
    sent = [
        any_kernel.client.execute(f"asyncio.run(work())\ndone.append({i})", allow_stdin=True)
        for i in range(5)
    ]
    replies = [any_kernel._reply(each) for each in sent]
    assert [reply["status"] for reply in replies] == ["ok"] * 5
    assert text(any_kernel, "print(done)") == "[0, 1, 2, 3, 4]\n"


def test_chat_cells_and_await_work_beside_it(any_kernel: Kernel) -> None:
    """The event loops of chatnb and the kernel keep working."""
    any_kernel.run(f"{WORK}import chatnb\nchatnb.nested_asyncio()")
    ran = any_kernel.run("%%chat -m 'scripted:Some words.'\nHi")
    assert ran.outputs[0]["text/plain"] == "Some words."
    any_kernel.run("slow = ScriptedChatModel(['word ' * 20], delay=0.01)")
    assert any_kernel.run("%%chat --compare slow,scripted:Hi\nHi").reply["status"] == "ok"
    assert text(any_kernel, "print(await work())") == "42\n"
    assert text(any_kernel, "print(asyncio.run(slow.ainvoke('Hi')).text[:9])") == "word word\n"


def test_it_is_refused_where_its_predecessor_would_lose_cells(kernel: Kernel) -> None:
    """nest_asyncio 1.6 patches asyncio under the same name: on ipykernel 7 that is an error that
    says what to do."""
    kernel.run("import asyncio\nasyncio._nest_patched = True\nimport chatnb")
    ran = kernel.run("chatnb.nested_asyncio()")
    assert ran.reply["ename"] == "ConfigurationError"
    assert "restart the kernel and call chatnb.nested_asyncio()" in ran.reply["evalue"]


def test_it_is_refused_on_another_thread(kernel: Kernel) -> None:
    """A loop in a thread is not the kernel's, and changing asyncio for it would change both."""
    code = (
        "import asyncio, threading, chatnb\nfailed = []\n"
        "async def ask():\n    try:\n        chatnb.nested_asyncio()\n"
        "    except chatnb.ChatnbError as error:\n        failed.append(str(error))\n"
        "thread = threading.Thread(target=lambda: asyncio.run(ask()))\n"
        "thread.start()\nthread.join()\nprint(failed, hasattr(asyncio, '_nest_patched'))"
    )
    shown = text(kernel, code)
    assert "the event loop of the main thread" in shown
    assert shown.endswith("False\n")
