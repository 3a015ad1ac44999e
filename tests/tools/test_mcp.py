"""MCP servers of the official SDK, in processes of their own: over stdio and over HTTP."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from IPython.core.interactiveshell import InteractiveShell

from chatnb import ChatPanel
from chatnb.chat_models import ScriptedChatModel
from chatnb.errors import ToolArgumentsError, ToolServerError
from chatnb.notebook import register
from chatnb.schema import AIMessage, HumanMessage
from chatnb.tools import McpTools, Tool, mcp_tools, run_tools

SERVER = str(Path(__file__).with_name("mcp_server.py"))


@pytest.fixture(scope="module")
def stdio() -> Iterator[McpTools]:
    with mcp_tools([sys.executable, SERVER]) as server:
        yield server


@pytest.fixture(scope="module")
def http() -> Iterator[McpTools]:
    command = [sys.executable, SERVER, "--http"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            with mcp_tools(f"http://127.0.0.1:{process.stdout.readline().strip()}/mcp") as server:
                yield server
        finally:
            process.kill()


@pytest.fixture(params=["stdio", "http"])
def server(request: pytest.FixtureRequest) -> McpTools:
    return request.getfixturevalue(request.param)


def tool_of(server: McpTools, name: str) -> Tool:
    return next(tool for tool in server if tool.name == name)


def calling(tool: str, **args: object) -> ScriptedChatModel:
    call: Any = {"name": tool, "args": args, "id": "c1", "type": "tool_call"}
    return ScriptedChatModel([AIMessage("", tool_calls=[call]), "Done."])


@pytest.mark.process
def test_its_tools_are_tools(server: McpTools) -> None:
    """They have the server's names, as far as models can call those, schemas and hints."""
    assert {"add", "weigh", "draw", "birds_of_prey"} < {tool.name for tool in server}
    add: Any = tool_of(server, "add")
    assert add.description == "Add two numbers."
    assert add.args["a"]["type"] == "integer"
    assert add.annotations["readOnlyHint"] is True
    assert add.invoke({"a": 1, "b": 2}) == "3"
    assert asyncio.run(add.ainvoke({"a": 1, "b": 2})) == "3"
    assert tool_of(server, "birds_of_prey").invoke({}) == "kestrel"
    with pytest.raises(ToolArgumentsError):
        add.invoke({"a": 1})


@pytest.mark.process
def test_results_are_texts_values_and_pictures(server: McpTools) -> None:
    """Structured content is the artifact, and an image is an image part."""
    result: Any
    _, result, _ = run_tools(calling("weigh", name="heron"), server, "Go")
    assert result.artifact == {"name": "heron", "weight": 1.5}
    _, result, _ = run_tools(calling("draw"), server, "Go")
    url = result.content[0]["image_url"]["url"]
    assert url == "data:image/png;base64,iVBORw0KGgo="
    for data, mime_type in (("!no base64!", "image/png"), ("aGVsbG8=", "text/html")):
        smear = calling("smear", data=data, mime_type=mime_type)
        _, result, _ = run_tools(smear, server, "Go")
        assert result.content == f"[image of the type {mime_type}, which is not readable]"
    _, result, _ = run_tools(calling("fail", reason="no"), server, "Go")
    assert result.status == "error"


@pytest.mark.process
def test_it_works_in_cells_and_panels(
    server: McpTools, bare_shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cell takes the server as a variable, a panel as its tools."""
    register(bare_shell)
    bare_shell.push({"birds": server, "caller": calling("add", a=20, b=22)})
    assert bare_shell.run_cell("%%chat -m caller --tools birds --approve all\nGo").success
    assert "add(a=20, b=22) → 42" in capsys.readouterr().out
    panel = ChatPanel(calling("add", a=20, b=22), tools=server, approve=lambda call: True)
    panel.ask("Go").result(60)
    assert panel.messages[2].text == "42"
    panel.close()


@pytest.mark.process
def test_resources_are_attachments_and_prompts_are_templates(server: McpTools) -> None:
    """A resource goes into a message as its parts, and a prompt begins a chain."""
    assert "birds://heron" in server.resources()
    parts = server.resource("birds://heron")
    assert HumanMessage([*parts]).text == "A long-legged bird."
    with pytest.raises(ToolServerError, match="refused"):
        server.resource("birds://nothing")
    prompt = server.prompts()["describe"]
    assert prompt.input_variables == ["bird"]
    assert prompt.invoke({"bird": "heron"}).messages == [HumanMessage("Describe a heron.")]
    chain = prompt | ScriptedChatModel(["It is tall."])
    assert chain.invoke({"bird": "heron"}).text == "It is tall."


@pytest.mark.slow
def test_a_server_that_dies_is_started_again(stdio: McpTools) -> None:
    """The call that was lost is an error and is not repeated; the next one has a new process."""
    process = tool_of(stdio, "process")
    first = process.invoke({})
    assert process.invoke({}) == first
    with pytest.raises(ToolServerError, match="The next call connects again"):
        tool_of(stdio, "die").invoke({})
    assert process.invoke({}) != first


@pytest.mark.process
def test_a_call_can_be_stopped(stdio: McpTools) -> None:
    """A call that hangs ends with its task, and the connection stays."""

    async def stop() -> None:
        hanging = asyncio.ensure_future(tool_of(stdio, "hang").ainvoke({}))
        await asyncio.wait({hanging}, timeout=0.1)
        hanging.cancel()
        await asyncio.wait({hanging})
        assert hanging.cancelled()

    asyncio.run(stop())
    assert tool_of(stdio, "add").invoke({"a": 1, "b": 2}) == "3"


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        f"{sys.executable} {SERVER} --broken",
        ["no-such-command-anywhere"],
        "http://127.0.0.1:9/mcp",
    ],
)
def test_a_server_that_does_not_start_is_told(command: str | list[str]) -> None:
    """The error says so, with what the server wrote, and nothing is left waiting."""
    with pytest.raises(ToolServerError) as failure:
        mcp_tools(command)
    assert "cannot be reached" in str(failure.value)
    if "--broken" in command:
        assert "No birds today." in str(failure.value)


class _Echo(BaseHTTPRequestHandler):
    """A server that repeats what it is sent in every way of refusing it."""

    answers: ClassVar[dict[str, tuple[int, str]]] = {
        "/refused": (200, '{"jsonrpc": "2.0", "id": ID, "error": {"code": -1, "message": TEXT}}'),
        "/status": (401, "TEXT"),
        "/broken": (200, "{TEXT"),
        "/other": (200, '{"jsonrpc": "2.0", "id": ID, "result": {"tools": TEXT}}'),
    }

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, form = self.answers[self.path.partition("?")[0]]
        told = json.dumps(f"{self.path} {dict(self.headers)}")
        body = form.replace("ID", str(request.get("id"))).replace("TEXT", told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


TOKEN = "quartz-7-heron-of-no-known-shape"
GIVEN = {"value": TOKEN}
"""The secret where a traceback that prints local variables does not look for it."""


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", _Echo.answers)
@pytest.mark.parametrize("place", ["headers", "address", "query"])
def test_errors_are_without_the_headers_and_passwords(
    path: str, place: str, echo: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither their text, the local variables in their tracebacks nor the logs have them, also if
    they are repeated."""
    caplog.set_level(logging.DEBUG)

    def connect() -> McpTools:
        match place:
            case "headers":
                return mcp_tools(f"http://{echo}{path}", headers={"X-Custom": GIVEN["value"]})
            case "address":
                return mcp_tools(f"http://ada:{GIVEN['value']}@{echo}{path}")
            case _:
                return mcp_tools(f"http://{echo}{path}?token={GIVEN['value']}")

    with pytest.raises(ToolServerError) as failure:
        connect()
    told = traceback.TracebackException.from_exception(failure.value, capture_locals=True)
    assert TOKEN not in "".join(told.format())
    assert [record for record in caplog.records if TOKEN in record.getMessage()] == []


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--api-key", TOKEN], [f"--token={TOKEN}"]])
def test_errors_are_without_the_options_of_a_command(options: list[str]) -> None:
    """Those that are named like a secret, however they are written."""
    code = "import sys; sys.exit(str(sys.argv))"
    for command in ([sys.executable, "-c", code, *options], f"{sys.executable} -c '{code}' "):
        words = command if isinstance(command, list) else command + " ".join(options)
        with pytest.raises(ToolServerError, match=r"It wrote: .*\*\*\*") as failure:
            mcp_tools(words)
        assert TOKEN not in str(failure.value)


@pytest.mark.slow
def test_errors_are_without_the_variables_of_a_command() -> None:
    """Also if it writes them when it fails."""
    code = "import os, sys; sys.exit(os.environ['A_NAME'])"
    with pytest.raises(ToolServerError, match=r"It wrote: \*\*\*") as failure:
        mcp_tools([sys.executable, "-c", code], env={"A_NAME": GIVEN["value"]})
    told = traceback.TracebackException.from_exception(failure.value, capture_locals=True)
    assert TOKEN not in "".join(told.format())
