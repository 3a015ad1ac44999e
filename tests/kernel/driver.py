"""A real kernel, driven the way a notebook drives it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

Message = dict[str, Any]


@dataclass
class Ran:
    """What running a cell sent."""

    reply: Message
    messages: list[Message] = field(default_factory=list)
    iopub_bytes: int = 0

    def of(self, kind: str) -> list[Message]:
        return [m["content"] for m in self.messages if m["msg_type"] == kind]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """What the cell shows in the end: displays, with their updates applied."""
        shown: list[Message] = []
        for message in self.messages:
            if message["msg_type"] == "display_data":
                shown.append(message["content"])
            elif message["msg_type"] == "update_display_data":
                key = message["content"]["transient"]["display_id"]
                for content in shown:
                    if content.get("transient", {}).get("display_id") == key:
                        content["data"] = message["content"]["data"]
        return [content["data"] for content in shown]

    @property
    def streamed(self) -> str:
        """The text that the reply view was sent in deltas."""
        contents = [m["data"].get("content", {}) for m in self.of("comm_msg")]
        return "".join(c["text"] for c in contents if c.get("kind") == "delta")


class Kernel:
    """A kernel in a process of its own.

    Args:
        overlay: A folder with another ipykernel, to be found before the installed one.
        environment: Variables for it.
    """

    def __init__(
        self, overlay: Path | None = None, environment: dict[str, str] | None = None
    ) -> None:
        self._manager = KernelManager()
        self._manager.kernel_spec.argv[0] = sys.executable  # type: ignore[union-attr]
        more = {"PYTHONPATH": str(overlay)} if overlay else {}
        more |= environment or {}
        self._manager.start_kernel(extra_arguments=[], env=_environment(more))
        self.client: BlockingKernelClient = self._manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(60)

    def run(
        self,
        code: str,
        *,
        watched: bool = True,
        timeout: float = 60,
        on_message: Callable[[Message], None] = lambda _: None,
    ) -> Ran:
        """Run a cell to its end, telling of each message as it comes."""
        sent = self.client.execute(code, allow_stdin=watched)
        ran, deadline = Ran({}), time.monotonic() + timeout
        while True:
            message, size = self._next_message(deadline)
            if message["parent_header"].get("msg_id") != sent and "comm" not in message["msg_type"]:
                continue
            ran.messages.append(message)
            ran.iopub_bytes += size
            on_message(message)
            if message["content"].get("execution_state") == "idle":
                ran.reply = self._reply(sent)
                return ran

    def listen(self, enough: Callable[[Message], object], *, timeout: float = 20) -> None:
        """Take what the kernel sends by itself, until a message is enough."""
        deadline = time.monotonic() + timeout
        while not enough(self._next_message(deadline)[0]):
            pass

    def _next_message(self, deadline: float) -> tuple[Message, int]:
        channel = self.client.iopub_channel
        waiting = int(max(0.0, deadline - time.monotonic()) * 1000)
        if not channel.socket.poll(waiting):
            raise TimeoutError("the kernel sent nothing more")
        frames = channel.socket.recv_multipart()
        _, parts = channel.session.feed_identities(frames)
        return channel.session.deserialize(parts), sum(len(frame) for frame in frames)

    def _reply(self, sent: str) -> Message:
        while True:
            reply = self.client.get_shell_msg(timeout=10)
            if reply["parent_header"].get("msg_id") == sent:
                return reply["content"]

    def tell(
        self, comm_id: str, content: dict[str, Any], buffers: list[bytes] | None = None
    ) -> None:
        """Send a widget a custom message, as the browser does."""
        data = {"method": "custom", "content": content}
        message = self.client.session.msg("comm_msg", {"comm_id": comm_id, "data": data})
        socket = self.client.shell_channel.socket
        self.client.session.send(socket, message, buffers=buffers)

    def interrupt(self) -> None:
        self._manager.interrupt_kernel()

    def shut_down(self) -> None:
        """End it as people do, so that it can tidy up."""
        self._manager.shutdown_kernel()
        self.client.stop_channels()

    def kill(self) -> None:
        """End it as the system ends what takes too much memory."""
        pid = self._manager.provisioner.pid  # type: ignore[union-attr]
        os.kill(pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        self.client.stop_channels()
        self._manager.shutdown_kernel(now=True)


def _environment(more: dict[str, str]) -> dict[str, str]:
    return {**os.environ, **more}
