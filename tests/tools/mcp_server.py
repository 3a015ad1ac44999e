"""An MCP server of the official SDK, in a process of its own: over stdio, or HTTP with `--http`."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from typing import Any

from mcp.server import MCPServer
from mcp.types import ImageContent, ToolAnnotations
from pydantic import BaseModel

server: Any = MCPServer("birds")


class Bird(BaseModel):
    name: str
    weight: float


@server.tool(annotations=ToolAnnotations(read_only_hint=True, title="Add"))
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def weigh(name: str) -> Bird:
    """Weigh a bird."""
    return Bird(name=name, weight=1.5)


@server.tool()
def draw() -> ImageContent:
    """Draw a bird."""
    return ImageContent(type="image", data="iVBORw0KGgo=", mime_type="image/png")


@server.tool()
def smear(data: str, mime_type: str) -> ImageContent:
    """Draw what is no picture."""
    return ImageContent(type="image", data=data, mime_type=mime_type)


@server.tool(name="birds.of/prey")
def birds_of_prey() -> str:
    """Name one."""
    return "kestrel"


@server.tool()
def fail(reason: str) -> str:
    """Fail."""
    raise ValueError(reason)


@server.tool()
def die() -> str:
    """End the server in the middle of a call."""
    os._exit(3)


@server.tool()
def process() -> int:
    """Return the number of the process."""
    return os.getpid()


@server.tool()
async def hang() -> str:
    """Give no answer."""
    await asyncio.Event().wait()
    return "never"


@server.resource("birds://heron")
def heron() -> str:
    """Tell about the heron."""
    return "A long-legged bird."


@server.prompt()
def describe(bird: str) -> str:
    """Ask for a description."""
    return f"Describe a {bird}."


def main() -> None:
    if "--http" not in sys.argv:
        server.run()
        return
    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(server.streamable_http_app(), log_level="error")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    if "--broken" in sys.argv:
        print("No birds today.", file=sys.stderr)
        sys.exit(2)
    main()
