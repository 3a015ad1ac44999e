"""One call of a model under a cassette: replayed from a take, or recorded to become one."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chatnb.errors import ModelError, StreamInterruptedError
from chatnb.schema.messages import AIMessage, AIMessageChunk
from chatnb.testing.cassette_file import written_call
from chatnb.testing.redaction import redacted
from chatnb.testing.takes import Take, read_take, written_take

if TYPE_CHECKING:
    from chatnb.testing.cassettes import Cassette


class Call:
    """A call on its way.

    Args:
        cassette: What records or replays it.
        request: Its content, as plain data without secrets.
        secrets: What must not be written.
        ticket: Its place among the calls that are recorded.
        take: What answers it; None if the model does, and it is recorded.
    """

    def __init__(
        self,
        cassette: Cassette,
        request: dict[str, Any],
        secrets: Sequence[str],
        ticket: int,
        take: Take | None,
    ) -> None:
        self._cassette = cassette
        self._request = request
        self._secrets = secrets
        self._ticket = ticket
        self.take = take
        self._chunks: list[AIMessageChunk] = []
        self._seconds: list[float] = []
        self._last = cassette.clock()

    def arrived(self, chunk: AIMessageChunk) -> None:
        """Note a chunk of a stream, and when it came."""
        self._chunks.append(copy.copy(chunk))
        self._note_time()

    def keep_replies(self, replies: Sequence[AIMessage]) -> None:
        """Record whole replies."""
        self._note_time()
        self._keep(Take(copy.deepcopy([*replies]), None, self._seconds))

    def keep_stream(self, *, error: ModelError | None = None, cut: bool = False) -> None:
        """Record the chunks that came, and how they ended.

        Args:
            error: What the stream broke off with.
            cut: Whether the caller wanted no more.
        """
        came = self._chunks or None if error else self._chunks
        self._keep(Take(None, came, self._seconds, error, cut))

    def keep_error(self, error: ModelError) -> None:
        """Record that the call failed."""
        self._keep(Take(error=error))

    def _note_time(self) -> None:
        now = self._cassette.clock()
        self._seconds.append(max(0.0, now - self._last))
        self._last = now

    def _keep(self, take: Take) -> None:
        """Write the take, and answer with what will be read of it."""
        written = _without_secrets(written_take(take), self._secrets)
        text = written_call({"request": self._request, **written})
        self._cassette.keep(self._ticket, self._request, read_take(written), text)


def fresh_error(take: Take) -> ModelError | None:
    """The error of a take as a new one, since raising marks an error."""
    error = take.error
    if error is None:
        return StreamInterruptedError(*_CUT, hint=_CUT_HINT) if take.cut else None
    return type(error)(
        error.message,
        hint=error.hint,
        status=error.status,
        retry_after=error.retry_after,
        partial=copy.deepcopy(error.partial),
    )


_CUT = ("When this reply was recorded, nobody read it to its end.",)
_CUT_HINT = "Record it again."


def _without_secrets(written: dict[str, Any], secrets: Sequence[str]) -> dict[str, Any]:
    clean: dict[str, Any] = redacted(written, secrets)
    stream = clean.get("stream")
    if stream and len(stream["text"]) != sum(stream["pieces"]):
        rest = [0] * (len(stream["pieces"]) - 1)
        stream["pieces"] = [len(stream["text"]), *rest]
    return clean
