"""Cassettes: replies of models, recorded once and replayed without a network."""

from __future__ import annotations

import asyncio
import atexit
import copy
import os
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeAlias

from chatnb.cassettes.cassette_file import is_child
from chatnb.cassettes.entries import CassetteEntries
from chatnb.cassettes.http_messages import http_response
from chatnb.cassettes.ignored_parts import IgnoredParts
from chatnb.cassettes.misses import miss_message, noted_misses, record_command
from chatnb.cassettes.recordings import Recording, recording_from_dict, recording_to_dict
from chatnb.cassettes.requests import request_to_dict
from chatnb.cassettes.summary import request_text
from chatnb.concurrency.locks import Lock
from chatnb.errors import CassetteError, CassetteMissError, ModelError, StreamInterruptedError
from chatnb.redaction import call_options, model_secrets, redact_value
from chatnb.schema.message_types import BaseMessage
from chatnb.schema.messages import AIMessage, AIMessageChunk


class CassetteCall:
    """One call of a model under a cassette: answered by a recording, or recorded."""

    def __init__(
        self,
        cassette: Cassette,
        request: dict[str, Any],
        secrets: Collection[str],
        ticket: int,
        recording: Recording | None,
        index: int | None,
    ) -> None:
        self._cassette = cassette
        self._index = index
        self._request = request
        self._secrets = secrets
        self._ticket = ticket
        self.recording = recording
        self._chunks: list[AIMessageChunk] = []
        self._seconds: list[float] = []
        self._last = cassette.clock()
        self.seconds = 0.0
        """The recorded seconds that a replay of the call has lasted so far."""
        self.skip: Callable[[float], object] = float  # Gets the seconds that are left out.

    def wait(self, seconds: float) -> None:
        """Let recorded seconds pass, at the pace of the replay."""
        self.skip(self._cassette.wait(seconds))
        self.seconds += seconds

    async def await_pace(self, seconds: float) -> None:
        """Let recorded seconds pass without blocking the event loop."""
        self.skip(await self._cassette.await_pace(seconds))
        self.seconds += seconds

    def add_chunk(self, chunk: AIMessageChunk) -> None:
        """Record a chunk of a stream and its time."""
        self._chunks.append(copy.copy(chunk))
        self._note_time()

    def record_replies(self, replies: Sequence[AIMessage]) -> None:
        """Record whole replies."""
        self._note_time()
        self._record(Recording(copy.deepcopy([*replies]), None, self._seconds))

    def record_stream(self, *, error: ModelError | None = None, cut: bool = False) -> None:
        """Record the chunks so far, and how the stream ended."""
        chunks = self._chunks or None if error else self._chunks
        self._record(Recording(None, chunks, self._seconds, error, cut))

    def record_response(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Record a response of HTTP."""
        data = {"response": http_response(status, headers, body)}
        self._add(redact_value(data, self._secrets, by_name=False))

    def record_error(self, error: ModelError) -> None:
        """Record that the call failed."""
        self._record(Recording(error=error))

    def _note_time(self) -> None:
        now = self._cassette.clock()
        self._seconds.append(max(0.0, now - self._last))
        self._last = now

    def _record(self, recording: Recording) -> None:
        self._add(_redacted(recording_to_dict(recording), self._secrets))

    def _add(self, data: dict[str, Any]) -> None:
        # Answers from this process equal those of a replay, so they are read back, too.
        place = {} if self._index is None else {"index": self._index}
        call = {"request": self._request, **place, **data}
        self._cassette.add(self._ticket, call, recording_from_dict(data))


def fresh_error(recording: Recording) -> ModelError | None:
    """Return a copy of a recording's error: raising an error changes it."""
    error = recording.error
    if error is None:
        return StreamInterruptedError(_CUT, hint="Record it again.") if recording.cut else None
    return type(error)(
        error.message,
        hint=error.hint,
        status=error.status,
        retry_after=error.retry_after,
        partial=copy.deepcopy(error.partial),
    )


_CUT = "This reply was closed early when it was recorded."


def _redacted(data: dict[str, Any], secrets: Collection[str]) -> dict[str, Any]:
    # A reply keeps strings that are only named like secrets: tools are called with them.
    clean: dict[str, Any] = redact_value(data, secrets, by_name=False)
    stream = clean.get("stream")
    if stream and len(stream["text"]) != sum(stream["pieces"]):
        rest = [0] * (len(stream["pieces"]) - 1)
        stream["pieces"] = [len(stream["text"]), *rest]
    return clean


Mode: TypeAlias = Literal["replay", "record", "refresh", "off"]

MODE_VARIABLE = "CHATNB_CASSETTE_MODE"
IGNORE_VARIABLE = "CHATNB_CASSETTE_IGNORE"
MODES = ("replay", "record", "refresh", "off")


class Cassette:
    """Answers the calls of every chat model of this process from a file, or records them there.

    A request is identified by its content: the model's class and name, its parameters, the
    messages, `stop` and the tools. The order of calls, keys, addresses and ids do not matter. Equal
    requests get their recordings in order; further ones get the last recording again.

    Args:
        path: The file, in YAML.
        mode: `replay` answers from the file alone; `record` answers from the file and records what
            it lacks; `refresh` records everything again and at the end drops calls that were not
            requested; `off` does nothing. Default: the environment variable CHATNB_CASSETTE_MODE,
            else `replay` if the file exists and `record` if not.
        pace: Speed of replayed streams: 1.0 as recorded, 2.0 twice as fast; None without pauses.
        ignore: Parts of requests that do not count: fields, such as `parameters.user`, and regular
            expressions between slashes, such as `/[0-9]+ ms/`.
        clock: Returns seconds, for the recorded times.
        sleep: Sleeps for a number of seconds between the chunks of a replay.
        asleep: Does so without blocking the event loop.

    Raises:
        ValueError: If there is no such mode, or the pace is not positive.
        ConfigurationError: If a part to ignore is neither a field nor an expression.
        CassetteError: If the file is damaged, written by a newer chatnb, or missing in a replay.

    Example:
        >>> with Cassette("calls.yaml"):  # doctest: +SKIP
        ...     chat.invoke("Hi")
    """

    def __init__(
        self,
        path: str | Path,
        mode: Mode | None = None,
        *,
        pace: float | None = None,
        ignore: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        asleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if pace is not None and pace <= 0:
            raise ValueError(f"pace is a number above 0 or None (no pauses), not {pace}")
        self.path = Path(path)
        self.pace = pace
        self.mode: Mode = _mode(mode, self.path)
        self.clock = clock
        self._sleep = sleep
        self._asleep = asleep
        self._lock = Lock()
        ignored = IgnoredParts(ignore)
        self._entries = CassetteEntries(self.path, fresh=self.mode == "refresh", ignored=ignored)
        if self.mode == "replay" and not self.path.exists():
            raise CassetteError(_missing(self.path))
        if self.mode != "off":
            self._entries.load()

    def __enter__(self) -> Cassette:
        insert_cassette(self)
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        eject_cassette(self)
        if error_type is None:
            self.close()
        else:  # Nothing is dropped: the program has not come to its end.
            with self._lock:
                self._entries.finish()

    async def __aenter__(self) -> Cassette:
        return self.__enter__()

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(error_type, error, trace)

    def __repr__(self) -> str:
        return f"Cassette({str(self.path)!r}, mode={self.mode!r})"

    def close(self, *, prune: bool = False) -> None:
        """Finish recording. The mode `refresh` drops calls that were not requested.

        Args:
            prune: Drop them in the modes `record` and `replay`, too.
        """
        prune = prune or (self.mode == "refresh" and not is_child())
        if prune and self.mode != "off":
            with self._lock:
                self._entries.prune()
        with self._lock:
            self._entries.finish()

    def call(
        self,
        model: object,
        messages: Sequence[BaseMessage],
        stop: Sequence[str] | None,
        params: dict[str, Any],
        *,
        streamed: bool,
        index: int | None = None,
    ) -> CassetteCall:
        """Start a call.

        Args:
            model: The chat model.
            messages: The messages of the request.
            stop: Its stop sequences.
            params: The parameters of this call only.
            streamed: True if the reply comes in chunks.
            index: The index of its input, in a batch.

        Returns:
            The call. Its `recording` is None if the model answers and the reply is recorded.

        Raises:
            CassetteMissError: If a replay has no recording for the request.
        """
        secrets = model_secrets(model, call_options(params))
        request = request_to_dict(model, messages, stop, params)
        with noted_misses() if self in _from_environment.values() else nullcontext():
            return self._start(request, secrets, streamed, index)

    def http_call(self, request: dict[str, Any], secrets: Collection[str]) -> CassetteCall:
        """Return a call of HTTP, to be replayed or recorded.

        Args:
            request: The request, as `http_request` writes it.
            secrets: The secrets that it may hold.

        Raises:
            CassetteMissError: If a replay has no recording for the request.
        """
        return self._start(request, secrets, streamed=False)

    def _start(
        self,
        request: dict[str, Any],
        secrets: Collection[str],
        streamed: bool,
        index: int | None = None,
    ) -> CassetteCall:
        request = redact_value(request, secrets)
        with self._lock:
            again = self.mode == "replay"
            recording = self._entries.next_recording(
                self._entries.key(request), streamed, index=index, again=again
            )
            if recording is None and self.mode == "replay":
                raise CassetteMissError(miss_message(self.name, request, self._entries.requests()))
            ticket = -1 if recording else self._entries.reserve()
        return CassetteCall(self, request, secrets, ticket, recording, index)

    def add(self, ticket: int, call: dict[str, Any], recording: Recording) -> None:
        """Add the `recording` of a `call` to the file, in the place of its `ticket`."""
        with self._lock:
            self._entries.add(ticket, call, recording)

    def default_model(self, default: str) -> str:
        """Return the model for a cell that names none; a replay uses the recorded one.

        Args:
            default: The model without a cassette.
        """
        with self._lock:
            if self.mode == "replay":
                return self._entries.default_model or default
            self._entries.note_default(default)
            return default

    def unrequested(self) -> list[str]:
        """Return the last messages of the recorded calls that were not requested."""
        with self._lock:
            return [request_text(request) for request in self._entries.unrequested()]

    def repeated(self) -> list[str]:
        """Return the last messages of the calls that were made more often than recorded."""
        with self._lock:
            return [request_text(request) for request in self._entries.repeated()]

    def request_numbers(self) -> list[int]:
        """Return the number of the request that each call of the file answers; 0 for none."""
        with self._lock:
            return self._entries.request_numbers()

    def note_moment(self, moment: str) -> None:
        """Record the `moment` that replays of a notebook take for now."""
        with self._lock:
            self._entries.note_moment(moment)

    def wait(self, seconds: float) -> float:
        """Sleep for recorded `seconds` at the replay's pace; return those that are left out."""
        pause = seconds / self.pace if self.pace else 0.0
        if pause > 0:
            self._sleep(pause)
        return max(0.0, seconds - pause)

    async def await_pace(self, seconds: float) -> float:
        """Sleep for `seconds` likewise, without blocking; return what `wait` returns."""
        pause = seconds / self.pace if self.pace else 0.0
        if pause > 0:
            await self._asleep(pause)
        return max(0.0, seconds - pause)

    @property
    def name(self) -> str:
        """The file's path, relative to the working directory where that is shorter."""
        return _short(self.path)


def cassette(
    path: str | Path,
    mode: Mode | None = None,
    *,
    pace: float | None = None,
    ignore: Iterable[str] = (),
) -> Cassette:
    """Return a cassette, which records the calls of chat models, and replays them afterwards.

    Use it around the calls: `with cassette("calls.yaml"):`, or `async with`. See `Cassette`.

    Args:
        path: The file, in YAML.
        mode: `replay`, `record`, `refresh` or `off`. Default: CHATNB_CASSETTE_MODE, else `replay`
            if the file exists and `record` if not.
        pace: Speed of replayed streams: 1.0 as recorded; None without pauses.
        ignore: Parts of requests that do not count, such as `parameters.user` or `/[0-9]+ ms/`.

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
    return Cassette(path, mode, pace=pace, ignore=ignore)


_inserted: list[Cassette] = []
_from_environment: dict[str, Cassette] = {}


def insert_cassette(cassette: Cassette) -> None:
    """Let a cassette answer for every model of this process, before those inserted earlier."""
    _inserted.append(cassette)


def eject_cassette(cassette: Cassette) -> None:
    """Let a cassette answer no longer; does nothing if it is not inserted."""
    if cassette in _inserted:
        _inserted.remove(cassette)


def inserted_cassette() -> Cassette | None:
    """Return the cassette that was inserted last."""
    return _inserted[-1] if _inserted else None


def environment_cassette(path: str) -> Cassette:
    """Return the cassette of a path that CHATNB_CASSETTE names; opened once a process."""
    absolute = str(Path(path).absolute())
    if absolute not in _from_environment:
        ignored = os.environ.get(IGNORE_VARIABLE, "").splitlines()  # Each line a part of requests.
        cassette = _from_environment.setdefault(absolute, Cassette(absolute, ignore=ignored))
        if cassette.mode in ("record", "refresh"):
            atexit.register(cassette.close)
    return _from_environment[absolute]


def close_environment_cassettes(*, prune: bool) -> None:
    """Close the cassettes that CHATNB_CASSETTE has named."""
    for cassette in _from_environment.values():
        cassette.close(prune=prune)


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
