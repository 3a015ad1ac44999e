"""Cassettes: replies of models, recorded once and replayed without a network."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeAlias

from chatnb.errors import CassetteError, CassetteMissError
from chatnb.schema.base_message import BaseMessage
from chatnb.testing.active import eject, insert
from chatnb.testing.call import Call
from chatnb.testing.misses import miss, record_command
from chatnb.testing.redaction import redacted, secrets_of
from chatnb.testing.requests import key_of, written_request
from chatnb.testing.takes import Take
from chatnb.testing.tape import Tape

Mode: TypeAlias = Literal["replay", "record", "refresh", "off"]

MODE_VARIABLE = "CHATNB_CASSETTE_MODE"
MODES = ("replay", "record", "refresh", "off")


class Cassette:
    """Answers the calls of every chat model of this process from a file, or records them there.

    A request is known by its content: the model's class and name, its parameters, the messages,
    `stop` and the tools. So the order of calls does not matter, nor do keys, addresses and ids.
    Equal requests are answered in the order in which they were recorded, and the last answer is
    given again to those that are more.

    Args:
        path: The file, in YAML.
        mode: `replay` answers from the file alone; `record` answers from it what it has, and asks
            and adds what it has not; `refresh` asks everything anew, and at the end drops what was
            not asked; `off` does nothing. Without it the environment variable
            CHATNB_CASSETTE_MODE, else `replay` if the file is there and `record` if it is not.
        pace: How fast streams are replayed: 1.0 as they were recorded, 2.0 twice as fast; None for
            at once.
        clock: Tells seconds, for the times that are recorded.
        sleep: Waits for a number of seconds, between the chunks of a replay.
        asleep: Does so without blocking the event loop.

    Raises:
        ValueError: If there is no such mode, or the pace is no positive number.
        CassetteError: If the file is missing where it is to be replayed, damaged, or newer than
            this chatnb.

    Example:
        >>> with Cassette("calls.yaml") as tape:  # doctest: +SKIP
        ...     chat.invoke("Hi")
    """

    def __init__(
        self,
        path: str | Path,
        mode: Mode | None = None,
        *,
        pace: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        asleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if pace is not None and pace <= 0:
            raise ValueError(f"pace is a number above 0, or None for at once, not {pace}")
        self.path = Path(path)
        self.pace = pace
        self.mode: Mode = _mode(mode, self.path)
        self.clock = clock
        self._sleep = sleep
        self._asleep = asleep
        self._lock = threading.Lock()
        self._tape = Tape(self.path, fresh=self.mode == "refresh")
        if self.mode == "replay" and not self.path.exists():
            raise CassetteError(_missing(self.path))
        if self.mode != "off":
            self._tape.load()

    def __enter__(self) -> Cassette:
        insert(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        eject(self)
        if kind is None:
            self.close()

    async def __aenter__(self) -> Cassette:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)

    def __repr__(self) -> str:
        return f"Cassette({str(self.path)!r}, mode={self.mode!r})"

    def close(self, *, prune: bool = False) -> None:
        """Finish recording; in the mode `refresh` what was not asked is dropped.

        Args:
            prune: Whether to drop it in the mode `record`, too.
        """
        if self.mode == "refresh" or (prune and self.mode == "record"):
            with self._lock:
                self._tape.prune()

    def call(
        self,
        model: object,
        messages: Sequence[BaseMessage],
        stop: Sequence[str] | None,
        params: dict[str, Any],
        *,
        streamed: bool,
    ) -> Call:
        """Begin a call.

        Args:
            model: The chat model that is asked.
            messages: What it is asked.
            stop: Texts at which it stops.
            params: The parameters of this call only.
            streamed: Whether the reply is to come in chunks.

        Returns:
            The call, with the take that answers it, or None in its place if it is to be recorded.

        Raises:
            CassetteMissError: If the cassette is to answer and cannot.
        """
        secrets = secrets_of(model)
        request = redacted(written_request(model, messages, stop, params), secrets)
        with self._lock:
            slot = self._tape.next_take(key_of(request), streamed, again=self.mode == "replay")
            if slot is None and self.mode == "replay":
                raise CassetteMissError(miss(self.name, request, self._tape.requests()))
            ticket = -1 if slot else self._tape.reserve()
        return Call(self, request, secrets, ticket, slot)

    def keep(self, ticket: int, request: dict[str, Any], take: Take, written: str) -> None:
        """Write down what came of a call."""
        with self._lock:
            self._tape.add(ticket, request, take, written)

    def default_model(self, found: str) -> str:
        """The model for a cell that names none: of a replay, the one that was recorded.

        Args:
            found: What it would be without a cassette.
        """
        with self._lock:
            if self.mode == "replay":
                return self._tape.default_model or found
            self._tape.note_default(found)
            return found

    def wait(self, seconds: float) -> None:
        """Wait as long as a chunk took when it was recorded, at the replay's pace."""
        if self.pace is not None and seconds > 0:
            self._sleep(seconds / self.pace)

    async def await_pace(self, seconds: float) -> None:
        """Wait likewise without blocking the event loop."""
        if self.pace is not None and seconds > 0:
            await self._asleep(seconds / self.pace)

    @property
    def name(self) -> str:
        """The file's path, relative to the working directory where that is shorter."""
        return _short(self.path)


def cassette(path: str | Path, mode: Mode | None = None, *, pace: float | None = None) -> Cassette:
    """Record the calls of chat models to a file, and replay them from there ever after.

    Use it around the calls: `with cassette("calls.yaml"):`, or `async with`. What it does is told
    at `Cassette`.

    Args:
        path: The file, in YAML.
        mode: `replay`, `record`, `refresh` or `off`; without it, CHATNB_CASSETTE_MODE, else
            `replay` if the file is there and `record` if it is not.
        pace: How fast to replay: 1.0 as it was recorded; None, the default, at once.

    Raises:
        CassetteError: If the file cannot be used; it says what to do.

    Example:
        >>> from chatnb import ScriptedChatModel
        >>> import tempfile
        >>> file = tempfile.mkdtemp() + "/calls.yaml"
        >>> with cassette(file):
        ...     ScriptedChatModel(["Hello."]).invoke("Hi")
        AIMessage(content='Hello.')
        >>> cassette(file).mode
        'replay'
    """
    return Cassette(path, mode, pace=pace)


def _mode(mode: str | None, path: Path) -> Mode:
    chosen = mode or os.environ.get(MODE_VARIABLE) or ("replay" if path.exists() else "record")
    if chosen not in MODES:
        source = "mode" if mode else MODE_VARIABLE
        raise ValueError(f"{source} is one of {', '.join(MODES)}, not {chosen!r}")
    return chosen


def _missing(path: Path) -> str:
    return (
        f"There is no cassette {_short(path)} to replay. "
        f"Correct the path, or record it: {record_command()}"
    )


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
