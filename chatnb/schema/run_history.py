"""The patches that logs share, and the state after any number of them."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from chatnb.schema.json_patch import PatchedDocument
from chatnb.schema.run_state import RunRoot

if TYPE_CHECKING:
    from chatnb.schema.run_log import RunLogPatch


class Fold:
    """The state after some patches."""

    __slots__ = ("count", "document", "root")

    def __init__(self, value: Any, root: RunRoot, count: int) -> None:
        self.document = PatchedDocument(value)
        self.root = root
        self.count = count

    def apply(self, patch: RunLogPatch) -> None:
        for op in patch.ops:
            self.document.apply(op)
        if patch.root:
            self.root = cast("RunRoot", {**self.root, **patch.root})
        self.count += 1

    def copy(self) -> Fold:
        return Fold(self.document.share(), self.root, self.count)


class History:
    """The patches that logs of one beginning share, each log as many as it has.

    One fold goes along with them, so that logs that are read in their order cost one pass in all.
    """

    __slots__ = ("_fold", "_lock", "patches")

    def __init__(self, patches: list[RunLogPatch]) -> None:
        self.patches = patches
        self._fold = Fold({}, {}, 0)
        self._lock = Lock()

    def with_patch(self, count: int, patch: RunLogPatch) -> History:
        """The history of a log of so many patches and one more: this one, if the place is free."""
        self.patches.append(patch)
        if self.patches[count] is patch:
            return self
        return History([*self.patches[:count], patch])

    def fold(self, count: int) -> Fold:
        """The state after so many patches, the caller's own.

        Raises:
            ValueError: If a patch cannot be applied.
        """
        with self._lock:
            if count < self._fold.count:
                return self._advanced(Fold({}, {}, 0), count)
            fold, self._fold = self._fold, Fold({}, {}, 0)
            self._fold = self._advanced(fold, count)
            return self._fold.copy()

    def _advanced(self, fold: Fold, count: int) -> Fold:
        for patch in self.patches[fold.count : count]:
            fold.apply(patch)
        return fold
