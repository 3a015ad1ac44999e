"""Tools, resources and prompts of MCP servers, on connections of the package's event loop."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import shlex
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar, cast

from chatnb.concurrency.portal import package_portal, start_task
from chatnb.concurrency.waiting import await_done, wait
from chatnb.errors import MissingRuntimeError, ToolServerError, error_line
from chatnb.redaction import environment_secrets, hide, redact, secrets_in
from chatnb.redaction.logs import hide_in_logs
from chatnb.runnables.base import Runnable
from chatnb.runnables.config import RunnableConfig
from chatnb.schema.merging import Content, ContentPart
from chatnb.schema.prompt_values import ChatPromptValue
from chatnb.terminal import SafeText
from chatnb.tools.base import Tool
from chatnb.tools.mcp_content import content_from_mcp, message_from_mcp, resource_part

if TYPE_CHECKING:
    from mcp import Client

T = TypeVar("T")

_NO_MCP = 'MCP servers need the package mcp. Install it with: pip install "chatnb[mcp]"'
_UNUSABLE = re.compile(r"[^a-zA-Z0-9_-]")
_MAX_NAME = 64
_MAX_STDERR = 600
_CONNECTION_CLOSED = -32000
_SECRET = "secret"  # Whatever has this name is hidden, or redacted.


def mcp_tools(
    server: str | Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    headers: Mapping[str, str] | None = None,
    prefix: str = "",
    timeout: float = 60.0,
) -> McpTools:
    """Connect to an MCP server, and return its tools, which work wherever tools do.

    The connection is shared by all of them, and made again by the first call after it was lost. A
    call that was lost is not repeated, as nobody knows how far it came.

    Args:
        server: The command that starts the server, as a text or as a list of words; or the address
            of a server that runs, `http://...` or `https://...` (streamable HTTP).
        env: Variables for the command, which gets no others but PATH, HOME and the like.
        cwd: The folder in which the command runs.
        headers: Headers for the address, such as `Authorization`.
        prefix: The beginning of all names of its tools, where those of two servers are alike.
        timeout: The seconds that the connection and each request may take.

    Returns:
        The tools as a list, with the resources and prompts of the server.

    Raises:
        MissingRuntimeError: If the package mcp is not installed.
        ToolServerError: If the server does not start, or nothing answers.

    Example:
        >>> mcp_tools("python no_such_server.py", timeout=10)
        Traceback (most recent call last):
        chatnb.errors.ToolServerError: ...
    """
    secrets = secrets_in(server, _options_of(server), {_SECRET: [env, headers]})
    # Tracebacks print local variables.
    server, env, headers = hide({_SECRET: (server, env or {}, headers or {})})[_SECRET]
    connection = _Connection(_client_factory(server, env, cwd, headers, timeout), timeout, secrets)
    hide_in_logs(connection)
    try:
        return McpTools(connection, prefix)
    except BaseException:
        connection.close()
        raise


class McpTools(list[Tool]):
    """The tools of an MCP server, as a list; `mcp_tools` makes it, with a `prefix` of names.

    The `connection` starts the server, and starts it again if it ended.

    Example:
        >>> server = '''
        ... from mcp.server import MCPServer
        ... server = MCPServer("birds")
        ... @server.tool()
        ... def count(bird: str) -> int:
        ...     return len(bird)
        ... server.run()
        ... '''
        >>> import sys
        >>> with mcp_tools([sys.executable, "-c", server]) as tools:
        ...     print(tools, tools[0].invoke("wren"))
        McpTools(count) 4
    """

    def __init__(self, connection: _Connection, prefix: str = "") -> None:
        self._connection = connection
        names = set[str]()
        described = connection.run(_all_pages("list_tools", "tools"))
        super().__init__(McpTool(connection, each, prefix, names) for each in described)

    def __repr__(self) -> str:
        return f"McpTools({', '.join(tool.name for tool in self)})"

    def __reduce__(self) -> Any:
        raise TypeError("A connection to an MCP server cannot be pickled or copied.")

    def resources(self) -> dict[str, str]:
        """Return the name or title of each resource, by its address."""
        found = self._connection.run(_all_pages("list_resources", "resources"))
        return {str(resource.uri): resource.title or resource.name for resource in found}

    def resource(self, uri: str) -> list[ContentPart]:
        """Return the resource `uri` as content parts, for a `HumanMessage` or `panel.ask`.

        Raises:
            ToolServerError: If the server has no such resource.
        """
        result = self._connection.run(lambda client: client.read_resource(uri))
        return [resource_part(content) for content in result.contents]

    def prompts(self) -> dict[str, McpPrompt]:
        """Return the prompts of the server by name: runnables like prompt templates."""
        found = self._connection.run(_all_pages("list_prompts", "prompts"))
        return {prompt.name: McpPrompt(self._connection, prompt) for prompt in found}

    def close(self) -> None:
        """End the connection, and a server that was started; a further call starts it again."""
        self._connection.close()

    def __enter__(self) -> McpTools:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class McpTool(Tool):
    """A tool of an MCP server.

    `annotations` are the server's own hints, such as `readOnlyHint`. They are claims of the server:
    no approval depends on them.
    """

    def __init__(
        self,
        connection: _Connection,
        described: Any,
        prefix: str,
        taken: set[str],
    ) -> None:
        async def call(**args: Any) -> tuple[Content, Any]:
            return await connection.ask(partial(_call_tool, described.name, args))

        super().__init__(
            call,
            name=_usable_name(f"{prefix}{described.name}", taken),
            description=described.description or described.title or "",
            args_schema=dict(described.input_schema),
            response_format="content_and_artifact",
        )
        hints = described.annotations
        self.annotations: dict[str, Any] = (
            hints.model_dump(by_alias=True, exclude_none=True) if hints else {}
        )


class McpPrompt(Runnable[Mapping[str, Any], ChatPromptValue]):
    """A prompt of an MCP server: `server.prompts()["review"] | chat`."""

    run_type = "prompt"

    def __init__(self, connection: _Connection, described: Any) -> None:
        self.name = described.name
        self.description = described.description or ""
        self.input_variables = [argument.name for argument in described.arguments or ()]
        self._connection = connection

    def __repr__(self) -> str:
        return SafeText(f"McpPrompt({self.name}, input_variables={self.input_variables})")

    def invoke(
        self, input: Mapping[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> ChatPromptValue:
        return package_portal.run(self.ainvoke(input, config, **kwargs))

    async def ainvoke(
        self, input: Mapping[str, Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> ChatPromptValue:
        args = {name: str(value) for name, value in input.items()}
        name = str(self.name)
        result = await self._connection.ask(lambda client: client.get_prompt(name, args))
        return ChatPromptValue([message_from_mcp(message) for message in result.messages])


class _Connection:
    """A connection that one task of the package's event loop holds open, and opens again."""

    # The SDK's scopes must be entered and left by one task.

    def __init__(
        self, make: Callable[[io.BufferedRandom], Any], timeout: float, secrets: set[str]
    ) -> None:
        self._make, self._timeout, self._secrets = make, timeout, secrets
        self._opening: asyncio.Future[Client] | None = None
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._errors: io.BufferedRandom | None = None

    def run(self, request: Callable[[Client], Awaitable[T]]) -> T:
        """Make a request, and wait for its result; not on the package's event loop."""
        running = package_portal.submit(self._request(request))
        wait(running, running.cancel)
        return running.result()

    async def ask(self, request: Callable[[Client], Awaitable[T]]) -> T:
        """Make a request, on any event loop."""
        running = package_portal.submit(self._request(request))
        return await await_done(running, running.cancel)

    def close(self) -> None:
        """End the connection."""
        wait(package_portal.submit(self._close()))

    # What the SDK raises is not kept as a cause: its frames hold the headers and variables.

    async def _request(self, request: Callable[[Client], Awaitable[T]]) -> T:
        from mcp import MCPError
        from pydantic import ValidationError

        client = await self._client()
        try:
            async with asyncio.timeout(self._timeout):
                return await request(client)
        except TimeoutError:
            raise ToolServerError(self._late) from None
        except MCPError as error:
            if error.error.code == _CONNECTION_CLOSED:
                await self._forget(client)
                raise self._lost(error) from None
            said = self._redacted(error.error.message)
            raise ToolServerError(f"The MCP server refused: {said}") from None
        except ToolServerError as error:
            error.args = (self._redacted(str(error)),)
            raise
        except ValidationError as error:
            said = self._redacted(error_line(error))
            raise ToolServerError(f"The MCP server does not follow its protocol: {said}") from None
        except Exception as error:  # The transport's: closed streams, refused connections.
            await self._forget(client)
            raise self._lost(error) from None

    async def _client(self) -> Client:
        opening = self._opening
        if opening is None:
            self._opening = opening = asyncio.get_running_loop().create_future()
            self._closing = asyncio.Event()
            held = self._hold(opening, self._closing)
            self._task = start_task(held, None, lambda task: task.cancelled())
        return await asyncio.shield(opening)

    async def _hold(self, opening: asyncio.Future[Client], closing: asyncio.Event) -> None:
        with tempfile.TemporaryFile() as errors:
            self._errors = errors
            try:
                async with asyncio.timeout(self._timeout) as limit:
                    async with self._make(errors) as client:
                        limit.reschedule(None)
                        opening.set_result(client)
                        await closing.wait()
            except Exception as error:
                if not opening.done():
                    opening.set_exception(self._lost(error))
                    opening.exception()  # Its reader may have gone.
            finally:
                if self._opening is opening:
                    self._opening = None
                self._errors = None

    async def _forget(self, client: Client) -> None:
        opening = self._opening
        if opening is not None and opening.done() and opening.result() is client:
            self._opening = None
            self._closing.set()

    async def _close(self) -> None:
        self._closing.set()
        self._opening = None
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=self._timeout)

    @property
    def _late(self) -> str:
        return f"The MCP server gave no answer within {self._timeout:g} s; timeout= allows more."

    def _lost(self, error: BaseException) -> ToolServerError:
        if isinstance(error, TimeoutError):
            return ToolServerError(self._late)
        while isinstance(error, BaseExceptionGroup):  # Of the SDK's task groups.
            error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
        said = f" It wrote: {text}" if (text := self._stderr()) else ""
        return ToolServerError(
            f"The MCP server cannot be reached: {self._redacted(error_line(error))}.{said} "
            "The next call connects again."
        )

    def _redacted(self, text: str) -> str:
        """Return a text without secrets: servers repeat what they refuse."""
        return redact(text, self._secrets | environment_secrets())

    def _stderr(self) -> str:
        if self._errors is None:
            return ""
        with suppress(OSError, ValueError):
            end = self._errors.seek(0, os.SEEK_END)
            self._errors.seek(max(0, end - _MAX_STDERR))
            text = self._errors.read().decode(errors="replace")
            lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
            return self._redacted(" / ".join(lines[-3:]))
        return ""


def _client_factory(
    server: str | Sequence[str],
    env: Mapping[str, str] | None,
    cwd: str | os.PathLike[str] | None,
    headers: Mapping[str, str] | None,
    timeout: float,
) -> Callable[[Any], AbstractAsyncContextManager[Client]]:
    """Return a function that makes a client, whose server writes errors to a file."""
    try:
        import mcp
    except ImportError as error:
        raise MissingRuntimeError(_NO_MCP) from error
    if isinstance(server, str) and server.startswith(("http://", "https://")):
        from mcp.client.streamable_http import streamable_http_client
        from mcp.shared._httpx_utils import create_mcp_http_client

        address, sent = server, dict(headers or {})

        @asynccontextmanager
        async def over_http(errors: Any) -> AsyncGenerator[Client]:
            async with create_mcp_http_client(headers=sent) as http:
                transport = streamable_http_client(address, http_client=http)
                async with mcp.Client(transport) as client:
                    yield client

        return over_http
    words = _words(server)
    if not words:
        raise ValueError("mcp_tools takes a command, or the http address of a server.")
    command = mcp.StdioServerParameters(
        command=words[0],
        args=words[1:],
        env=dict(env) if env else None,
        cwd=str(cwd) if cwd else None,
    )

    def as_process(errors: Any) -> Client:
        return mcp.Client(mcp.stdio_client(command, errlog=errors))

    return as_process


def _words(server: str | Sequence[str]) -> list[str]:
    return shlex.split(server, posix=os.name != "nt") if isinstance(server, str) else [*server]


def _options_of(server: str | Sequence[str]) -> list[dict[str, str]]:
    """Return a command's options with their values, as of `--api-key KEY` and `--token=KEY`."""
    try:
        words = _words(server)
    except ValueError:  # It has no closing quotation mark, and will not start.
        return []
    pairs = [word.partition("=") for word in words if word.startswith("-")]
    options = [{name.lstrip("-"): value} for name, equals, value in pairs if equals]
    following = pairwise(words)
    return [*options, *({name.lstrip("-"): value} for name, value in following if name[:1] == "-")]


def _all_pages(method: str, field: str) -> Callable[[Client], Coroutine[Any, Any, list[Any]]]:
    """Return a request for all pages of a list; empty where the server has no such list."""

    async def request(client: Client) -> list[Any]:
        from mcp import MCPError
        from mcp.types import METHOD_NOT_FOUND

        items, cursor = list[Any](), None
        while True:
            try:
                page = await getattr(client, method)(cursor=cursor)
            except MCPError as error:
                if error.error.code == METHOD_NOT_FOUND:
                    return items
                raise
            items += getattr(page, field)
            cursor = page.next_cursor
            if not cursor:
                return items

    return request


async def _call_tool(name: str, args: dict[str, Any], client: Client) -> tuple[Content, Any]:
    result = await client.call_tool(name, args)
    content = content_from_mcp(result.content, result.structured_content)
    if result.is_error:
        said = content if isinstance(content, str) else json.dumps(content)
        raise ToolServerError(said or f"The MCP server gave no reason why {name} failed.")
    return content, result.structured_content


def _usable_name(name: str, taken: set[str]) -> str:
    """Return a name by which models can call a tool, and that no other tool has."""
    usable = _UNUSABLE.sub("_", name)[:_MAX_NAME] or "tool"
    number, found = 1, usable
    while found in taken:
        number += 1
        found = f"{usable[: _MAX_NAME - len(str(number)) - 1]}_{number}"
    taken.add(found)
    return found
