"""A kernel's messages folded into a cell's outputs, as a notebook folds them."""

from __future__ import annotations

from typing import Any

_SHOWING = ("display_data", "execute_result", "stream", "error")


class Folding:
    """Does to outputs what displays that are updated, and outputs that are cleared, ask for.

    nbval appends what is shown to a list, one entry a message, and knows nothing else; this sees
    each message before it does.
    """

    def __init__(self) -> None:
        self._shown: dict[str, list[dict[str, Any]]] = {}
        self._awaited: str | None = None
        self._clear_next = False

    def begin(self) -> None:
        """A cell begins; displays of earlier ones may still be updated."""
        self._awaited, self._clear_next = None, False

    def take(self, message: dict[str, Any], outputs: list[Any]) -> bool:
        """Take a message to the cell that runs.

        Args:
            message: What the kernel published.
            outputs: The cell's outputs so far, changed in place.

        Returns:
            Whether nbval is to see the message.

        Example:
            >>> outputs = [{"data": {"text/plain": "old"}}]
            >>> Folding().take({"msg_type": "clear_output", "content": {}}, outputs), outputs
            (False, [])
        """
        self._find_awaited(outputs)
        kind, content = message["msg_type"], message["content"]
        if kind == "update_display_data":
            for output in self._shown.get(content["transient"]["display_id"], []):
                output["data"], output["metadata"] = content["data"], content["metadata"]
            return False
        if kind == "clear_output":
            self._clear_next = bool(content.get("wait"))
            if not self._clear_next:
                outputs.clear()
            return False
        if kind in _SHOWING:
            if self._clear_next:
                outputs.clear()
                self._clear_next = False
            self._awaited = content.get("transient", {}).get("display_id")
        return True

    def _find_awaited(self, outputs: list[Any]) -> None:
        """The display that the last message announced is in the list by now."""
        if self._awaited is not None and outputs:
            self._shown.setdefault(self._awaited, []).append(outputs[-1])
        self._awaited = None
