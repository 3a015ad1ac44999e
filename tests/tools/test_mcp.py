"""MCP servers of the official SDK, in processes of their own: over stdio and over HTTP."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def test_its_tools_are_tools(server: McpTools) -> None:
    """They have the server's names, as far as models can call those, schemas and hints."""
    assert [tool.name for tool in server][:4] == ["add", "weigh", "draw", "birds_of_prey"]
    add: Any = tool_of(server, "add")
    assert add.description == "Add two numbers."
    assert add.args["a"]["type"] == "integer"
    assert add.annotations["readOnlyHint"] is True
    assert add.invoke({"a": 1, "b": 2}) == "3"
    assert asyncio.run(add.ainvoke({"a": 1, "b": 2})) == "3"
    assert tool_of(server, "birds_of_prey").invoke({}) == "kestrel"
    with pytest.raises(ToolArgumentsError):
        add.invoke({"a": 1})


def test_results_are_texts_values_and_pictures(server: McpTools) -> None:
    """Structured content is the artifact, and an image is an image part."""
    result: Any
    _, result, _ = run_tools(calling("weigh", name="heron"), server, "Go")
    assert result.artifact == {"name": "heron", "weight": 1.5}
    _, result, _ = run_tools(calling("draw"), server, "Go")
    url = result.content[0]["image_url"]["url"]
    assert url == "data:image/png;base64,iVBORw0KGgo="
    _, result, _ = run_tools(calling("fail", reason="no"), server, "Go")
    assert result.status == "error"


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


def test_a_server_that_dies_is_started_again(stdio: McpTools) -> None:
    """The call that was lost is an error and is not repeated; the next one has a new process."""
    process = tool_of(stdio, "process")
    first = process.invoke({})
    assert process.invoke({}) == first
    with pytest.raises(ToolServerError, match="The next call connects again"):
        tool_of(stdio, "die").invoke({})
    assert process.invoke({}) != first


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
