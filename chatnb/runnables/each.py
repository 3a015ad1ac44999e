"""A runnable over each item of a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from chatnb.runnables.base import Runnable
from chatnb.runnables.config import RunnableConfig, child_config, effective_config
from chatnb.runnables.verbs import In

if TYPE_CHECKING:
    from chatnb.runnables.graph import Graph


Item = TypeVar("Item")


class RunnableEach(Runnable[Sequence[In], list[Item]], Generic[In, Item]):
    """A runnable over each item of a list, many at a time, in order.

    Args:
        bound: The runnable.

    Raises:
        TypeError: When it is run, if the input is not a list.
        BatchError: When it is run, if it fails for an item.

    Example:
        >>> from chatnb.runnables import RunnableLambda
        >>> RunnableLambda(len).map().invoke(["a", "bc"])
        [1, 2]
    """

    def __init__(self, bound: Runnable[In, Item]) -> None:
        self.bound = bound

    def __repr__(self) -> str:
        return f"RunnableEach({self.bound!r})"

    def invoke(
        self, input: Sequence[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Item]:
        inner = child_config(effective_config(config))
        bound: Any = self.bound
        return bound.batch(input, inner, **kwargs)

    async def ainvoke(
        self, input: Sequence[In], config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Item]:
        return await self.bound.abatch(input, child_config(effective_config(config)), **kwargs)

    def add_to_graph(self, graph: Graph) -> tuple[str, str]:
        node = graph.add_node(f"Each<{self.bound.get_name()}>")
        return node, node
