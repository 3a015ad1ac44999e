"""Measures how long a Stop takes in a real kernel: `make bench`.

Endless replies stream from a server on loopback, one at a time. The time runs from the interrupt of
a `%%chat` cell, or from the Stop message of a panel, until the kernel has told the browser that
the reply has ended; tests only check that it ends.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.kernel.driver import Kernel, Message
from tests.kernel.panels import PanelInKernel, has_ended
from tests.support.loopback import LoopbackServer, endless

ROUNDS = 10
BOUND_MILLISECONDS = {"cell": 1000, "panel": 500}


def prepare(kernel: Kernel, server: LoopbackServer) -> None:
    kernel.run(
        "%load_ext chatnb\nfrom chatnb import ChatOpenAI, ChatPanel\n"
        f"model = ChatOpenAI('m', api_key='sk-for-loopback', base_url={server.base_url!r})"
    )


def stop_cell(kernel: Kernel) -> float:
    """Interrupt a cell once its reply streams; return the seconds until the cell has ended."""
    pressed = list[float]()

    def watch(message: Message) -> None:
        content = message["content"].get("data", {}).get("content")
        if isinstance(content, dict) and content.get("seq") == 4:
            pressed.append(time.perf_counter())
            kernel.interrupt()

    kernel.run("%%chat -m model\nGo on.", on_message=watch)
    return time.perf_counter() - pressed[0]


def stop_panel(kernel: Kernel) -> float:
    """Stop a panel once its reply streams; return the seconds until it shows the end."""
    panel = PanelInKernel(kernel, "ChatPanel(model)")
    panel.send({"type": "send", "text": "Go on."})
    panel.until(lambda browser: browser.items and len(browser.last["text"]) > 50)
    pressed = time.perf_counter()
    panel.send({"type": "stop"})
    panel.until(has_ended)
    return time.perf_counter() - pressed


def main() -> None:
    server, kernel = LoopbackServer(), Kernel(environment={"CHATNB_STORE": ":memory:"})
    try:
        prepare(kernel, server)
        for name, stop in (("cell", stop_cell), ("panel", stop_panel)):
            took = list[float]()
            for _ in range(ROUNDS):
                server.plays(endless())
                took.append(stop(kernel) * 1000)
            bound = BOUND_MILLISECONDS[name]
            verdict = "met" if max(took) < bound else "missed"
            print(
                f"stop of a {name}: median {median(took):.0f} ms, longest {max(took):.0f} ms"
                f" (bound {bound} ms: {verdict})"
            )
    finally:
        kernel.close()
        server.close()


if __name__ == "__main__":
    main()
