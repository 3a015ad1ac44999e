"""A panel in a real kernel, as a browser sees it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.kernel.driver import Kernel, Message, Ran
from tests.support.panel_controllers import Browser


class PanelInKernel:
    """The browser's side of one panel.

    Args:
        kernel: The kernel.
        code: A cell that ends with the panel.
    """

    def __init__(self, kernel: Kernel, code: str) -> None:
        self.kernel = kernel
        self.browser = Browser()
        self.grown = [(0.0, 0)]
        """The times and lengths at which the last reply grew."""
        self.shown: Ran = kernel.run(code)
        self.view = next(
            content["comm_id"]
            for content in self.shown.of("comm_open")
            if "seq" in content["data"]["state"]
        )
        # Also while another panel is waited for: a message that is missed leaves a gap.
        kernel.listeners.append(self._hear)
        self.send({"type": "hello"})
        self.until(lambda browser: bool(browser.state))

    def send(self, content: dict[str, Any], buffers: list[bytes] | None = None) -> None:
        self.kernel.tell(self.view, content, buffers)

    def _hear(self, message: Message) -> None:
        """Take a message of the kernel, if it is for this panel."""
        content = message["content"]
        if message["msg_type"] != "comm_msg" or content["comm_id"] != self.view:
            return
        told = content["data"].get("content")
        # Before the answer to the hello come numbers that this browser cannot know.
        if told is None or (not self.browser.state and told["type"] != "snapshot"):
            return
        self.browser.receive([told])
        text = self.browser.items[-1]["text"] if self.browser.items else ""
        self.grown.append((time.monotonic(), len(text)))

    def until(self, happened: Callable[[Browser], object], timeout: float = 60) -> None:
        """Wait for the browser to show something, while the kernel does nothing else."""
        if not happened(self.browser):
            self.kernel.listen(lambda _: happened(self.browser), timeout=timeout)


def has_ended(browser: Browser) -> bool:
    """Return whether a turn was shown, to its end."""
    if browser.state["running"] or not browser.items or browser.last["role"] != "ai":
        return False
    return browser.last["status"] not in ("streaming", "waiting")
