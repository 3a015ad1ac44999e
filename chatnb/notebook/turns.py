"""Several turns at once, waited for and stopped together."""

from __future__ import annotations

from collections.abc import Sequence

from chatnb.notebook.turn import Reply, Turn


class Turns:
    """Turns that run beside each other on the thread of all replies.

    Args:
        turns: The turns; each is started by whoever made it.
    """

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = turns

    def stop(self) -> None:
        """End every reply that has not ended; safe from any thread."""
        for turn in self._turns:
            turn.stop()

    def wait(self) -> list[Reply]:
        """Block until all have ended, in slices in which an interrupt can land."""
        return [turn.wait() for turn in self._turns]

    async def wait_async(self) -> list[Reply]:
        """Await the end of all."""
        return [await turn.wait_async() for turn in self._turns]

    def last_words(self) -> list[Reply]:
        """Stop all, and give what there is by then."""
        self.stop()
        return [turn.last_words() for turn in self._turns]
