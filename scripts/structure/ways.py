"""The modules that six ordinary uses enter, recorded in live kernels.

A module is entered when one of its functions is called, on any thread; importing it does not count.
Each use runs twice in a kernel of its own, with new objects, and the second run is recorded, so
that imports and first-time work are done.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty
from tempfile import TemporaryDirectory
from textwrap import dedent
from threading import Thread
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

_MARK = "lighthouse"
"""The reply of every model, by which a message is known to carry it."""
_SECONDS = 60
_SCRIPTED = f"chat = chatnb.ScriptedChatModel([[{_MARK!r}]])"
_SERVED = "chat = chatnb.ChatOpenAI('m', api_key='sk-for-loopback', base_url=BASE_URL)"


@dataclass(frozen=True)
class _Way:
    """One use of the package.

    Args:
        name: The start and the end.
        setup: Run once.
        prepare: Run before each run, and not recorded.
        cell: The cell to record, or the text to send to the panel that `prepare` shows.
        last: The type of the message that ends it, and a text in it. Default: the end of the cell.
    """

    name: str
    setup: str
    cell: str
    prepare: str = ""
    last: tuple[str, str] = ("status", "idle")
    is_panel: bool = False


_WAYS = (
    _Way("%%chat text to DOM", f"%load_ext chatnb\n{_SCRIPTED}", "%%chat -m chat\nHi"),
    _Way(
        "panel message to DOM",
        _SCRIPTED,
        "Hi",
        prepare="panel = chatnb.ChatPanel(chat)\npanel",
        last=("update_display_data", _MARK),
        is_panel=True,
    ),
    _Way("invoke to wire", _SERVED, "reply = chat.invoke('Hi')"),
    _Way(
        "patch to tree row",
        dedent("""
            import asyncio, threading
            from chatnb import RunLogTree

            async def after(opened, patches):
                await asyncio.to_thread(opened.wait)
                async for patch in patches:
                    yield patch

            """)
        + _SCRIPTED,
        "opened.set()",
        prepare=dedent("""
            opened = threading.Event()
            RunLogTree(after(opened, chat.astream_log('Hi')))
            """),
        last=("comm_msg", _MARK),
    ),
    _Way(
        "generate to table row",
        f"from chatnb import UsageTable\n{_SCRIPTED}",
        "UsageTable(chat.generate([['Hi']]))",
    ),
    _Way(
        "cassette record and replay",
        f"import itertools\nnumbers = itertools.count()\n{_SCRIPTED}",
        "for mode in ('record', 'replay'):\n"
        "    with chatnb.cassette(path, mode):\n"
        "        reply = chat.invoke('Hi')",
        prepare="path = f'{next(numbers)}.yaml'",
    ),
)


def entered_modules(root: Path, names: Sequence[str] = ()) -> dict[str, list[str]]:
    """Record the ways in a checkout, with the Python of its `.venv` if it has one.

    Args:
        root: The checkout, with the front end built.
        names: The ways to record. Default: all of them.

    Returns:
        The entered modules by way.

    Raises:
        RuntimeError: If a cell fails or an expected message does not come.
    """
    with _model_server() as base_url:
        return {
            way.name: _record(root, way, base_url)
            for way in _WAYS
            if not names or way.name in names
        }


def _record(root: Path, way: _Way, base_url: str) -> list[str]:
    with _kernel(root) as kernel:
        package = str(root / "chatnb")
        kernel.run(
            "from recorder import Recorder\n"
            f"recorder = Recorder({package!r}, get_ipython().kernel.session)\n"
            f"import chatnb\nBASE_URL = {base_url!r}"
        )
        kernel.run(way.setup)
        for _ in range(2):
            widgets = kernel.run(way.prepare)
            kernel.run(f"recorder.start(*{way.last!r})")
            if way.is_panel:
                kernel.send_to_widgets(widgets, way.cell)
            else:
                kernel.execute(way.cell)
            kernel.wait_for(*way.last)
        shown = kernel.run("import json\nprint(json.dumps(recorder.files()))")
    return json.loads("".join(m["content"]["text"] for m in shown if m["msg_type"] == "stream"))


class _Kernel:
    """A kernel and a front end without a screen."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self._client = client

    def run(self, code: str) -> list[dict[str, Any]]:
        """Run a cell to its end and return the messages that it sent."""
        messages = list[dict[str, Any]]()
        reply = self._client.execute_interactive(
            code, timeout=_SECONDS, output_hook=messages.append
        )
        _check(reply["content"], code)
        return messages

    def execute(self, code: str) -> None:
        """Send a cell to run."""
        self._client.execute(code)

    def send_to_widgets(self, messages: list[dict[str, Any]], text: str) -> None:
        """Send a chat message to the widgets that a cell opened, as the browser does."""
        opened = (m["content"] for m in messages if m["msg_type"] == "comm_open")
        for content in opened:
            if content["data"]["state"].get("_model_module") == "anywidget":
                request = {"type": "send", "text": text}
                data = {"method": "custom", "content": request}
                session = self._client.session
                message = session.msg("comm_msg", {"comm_id": content["comm_id"], "data": data})
                session.send(self._client.shell_channel.socket, message)

    def wait_for(self, message_type: str, text: str) -> None:
        """Wait until the kernel sends a message of this type with this text."""
        while True:
            try:
                message = self._client.get_iopub_msg(timeout=_SECONDS)
            except Empty:
                raise RuntimeError(f"the kernel sent no {message_type} with {text!r}") from None
            content = message["content"]
            if message["msg_type"] == "error":
                _check({"status": "error", **content}, "")
            if message["msg_type"] == message_type and text in repr(content):
                return


def _check(reply: dict[str, Any], code: str) -> None:
    if reply["status"] == "error":
        raise RuntimeError("\n".join([code, *reply["traceback"]]))


@contextmanager
def _kernel(root: Path) -> Iterator[_Kernel]:
    """Start a kernel that imports the package from the checkout, in a folder of its own."""
    python = root / ".venv" / "bin" / "python"
    manager = KernelManager()
    assert manager.kernel_spec is not None
    manager.kernel_spec.argv[0] = str(python) if python.exists() else sys.executable
    with TemporaryDirectory() as folder:
        settings = {key: value for key, value in os.environ.items() if "CHATNB" not in key}
        settings["PYTHONPATH"] = os.pathsep.join([str(root), str(Path(__file__).parent)])
        settings["CHATNB_STORE"] = str(Path(folder, "store.sqlite"))
        settings["IPYTHONDIR"] = folder
        manager.start_kernel(env=settings, cwd=folder, stderr=subprocess.DEVNULL)
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(_SECONDS)
            yield _Kernel(client)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


class _ModelServer(BaseHTTPRequestHandler):
    """Answers every request as OpenAI's chat completions API does."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        message = {"role": "assistant", "content": _MARK}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        body = json.dumps({"id": "c", "model": "m", "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the terminal for the table."""


@contextmanager
def _model_server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _ModelServer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
