"""A runnable with others that take its place when it fails."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from chatnb.runnables.base import Runnable
from chatnb.runnables.chunks import aopening, opening
from chatnb.runnables.coercion import to_runnable
from chatnb.runnables.config import RunnableConfig, child_config, effective_config
from chatnb.runnables.threads import close
from chatnb.runnables.verbs import In, Out

if TYPE_CHECKING:
    from chatnb.runnables.graph import Graph


class RunnableWithFallbacks(Runnable[In, Out]):
    """A runnable with others that take its place when it fails.

    A stream goes on to the next only until it says something; then the failure is raised. If
    all fail, the first failure is raised, with a note of each other.

    Args:
        bound: What is run first.
        fallbacks: What is run instead, in turn.
        exceptions_to_handle: The failures after which to go on to the next.
        exception_key: Where fallbacks find the failure in their input, which is a dict then.

    Raises:
        TypeError: If a fallback is no runnable, function or dict; or, when it is run, if there is
            an `exception_key` and the input is not a dict.
        ValueError: If there are no fallbacks.

    Example:
        >>> from chatnb.runnables import RunnableLambda
        >>> RunnableLambda(int).with_fallbacks([RunnableLambda(float)]).invoke("1.5")
        1.5
    """

    def __init__(
        self,
        bound: Runnable[In, Out],
        fallbacks: Sequence[Any],
        *,
        exceptions_to_handle: tuple[type[BaseException], ...] = (Exception,),
        exception_key: str | None = None,
    ) -> None:
        if not fallbacks:
            raise ValueError("with_fallbacks needs at least one fallback")
        self.bound = bound
        self.fallbacks = [to_runnable(fallback) for fallback in fallbacks]
        self.handled = exceptions_to_handle
        self.exception_key = exception_key
        self.chunks_replace = bound.chunks_replace
        self.name = bound.name

    def __repr__(self) -> str:
        return f"RunnableWithFallbacks({self.bound!r}, {self.fallbacks!r})"

    def invoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        inner, failures = child_config(effective_config(config)), list[BaseException]()
        for candidate in self._candidates():
            try:
                return candidate.invoke(self._input(input, failures), inner, **kwargs)
            except self.handled as error:
                failures.append(error)
        raise self._failure(failures)

    async def ainvoke(self, input: In, config: RunnableConfig | None = None, **kwargs: Any) -> Out:
        inner, failures = child_config(effective_config(config)), list[BaseException]()
        for candidate in self._candidates():
            try:
                return await candidate.ainvoke(self._input(input, failures), inner, **kwargs)
            except self.handled as error:
                failures.append(error)
        raise self._failure(failures)

    def stream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Out]:
        inner, failures = child_config(effective_config(config)), list[BaseException]()
        for candidate in self._candidates():
            chunks = candidate.stream(self._input(input, failures), inner, **kwargs)
            try:
                held = opening(chunks)
            except self.handled as error:
                failures.append(error)
                continue
            try:
                yield from held
                yield from chunks
            finally:
                close(chunks)
            return
        raise self._failure(failures)

    async def astream(
        self, input: In, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncGenerator[Out, None]:
        inner, failures = child_config(effective_config(config)), list[BaseException]()
        for candidate in self._candidates():
            given = self._input(input, failures)
            async with aclosing(candidate.astream(given, inner, **kwargs)) as chunks:
                try:
                    held = await aopening(chunks)
                except self.handled as error:
                    failures.append(error)
                    continue
                for chunk in held:
                    yield chunk
                async for chunk in chunks:
                    yield chunk
                return
        raise self._failure(failures)

    def _candidates(self) -> list[Runnable[Any, Any]]:
        return [self.bound, *self.fallbacks]

    def _input(self, input: Any, failures: list[BaseException]) -> Any:
        if self.exception_key is None:
            return input
        if not isinstance(input, Mapping):
            raise TypeError(f"exception_key takes a dict as input, not {type(input).__name__}")
        return {**input, self.exception_key: failures[-1]} if failures else input  # pyright: ignore[reportUnknownVariableType]

    def _failure(self, failures: list[BaseException]) -> BaseException:
        first, *others = failures
        for candidate, error in zip(self.fallbacks, others, strict=True):
            note = f"{candidate.get_name()} failed too: {type(error).__name__}: {error}"
            if note not in getattr(first, "__notes__", ()):
                first.add_note(note)
        return first

    def add_to_graph(self, graph: Graph) -> tuple[str, str]:
        begin = graph.add_node("Fallbacks")
        end = graph.add_node("Join")
        for index, candidate in enumerate(self._candidates()):
            first, last = candidate.add_to_graph(graph)
            graph.add_edge(begin, first, f"fallback {index}" if index else "")
            graph.add_edge(last, end)
        return begin, end
