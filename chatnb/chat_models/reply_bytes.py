"""What the bytes of a reply turn out to be: an event stream, or one reply after all."""

from __future__ import annotations

from chatnb.errors import StreamInterruptedError


class ReplyBytes:
    """The part of a decoder that servers which do not stream have in common.

    Example:
        >>> reply = ReplyBytes()
        >>> reply.begin("application/json")
        >>> reply._keeps(b"{}"), reply._kept()
        (True, b'{}')
    """

    _whole: list[bytes] | None = None

    def begin(self, content_type: str) -> None:
        """Say what comes: anything but an event stream is read to its end as one reply.

        Args:
            content_type: The header of the response; empty if there is none.
        """
        if content_type and not content_type.startswith("text/event-stream"):
            self._whole = []

    def _keeps(self, received: bytes) -> bool:
        """Keep bytes of a reply that is no stream; whether it is none."""
        if self._whole is None:
            return False
        self._whole.append(received)
        return True

    def _kept(self) -> bytes | None:
        """The whole reply, or None if it was streamed."""
        return None if self._whole is None else b"".join(self._whole)


def broken_off() -> StreamInterruptedError:
    """Make the error for bytes that end before the reply does.

    Example:
        >>> print(broken_off())
        The reply broke off: the connection ended before the model did. Run it again.
    """
    return StreamInterruptedError(
        "The reply broke off: the connection ended before the model did.",
        hint="Run it again.",
    )
