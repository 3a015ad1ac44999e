"""Runnables: objects that can be invoked, streamed, batched and composed with `|`."""

from __future__ import annotations

import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast, overload

from chatnb.concurrency.pickling import is_class_of_pickle
from chatnb.lazy_names import names_of_package
from chatnb.redaction import hide_in_config
from chatnb.runnables.config import RunnableConfig, merge_configs
from chatnb.runnables.methods import In, Out, RunnableMethods
from chatnb.runnables.wrappers.methods import WrapperMethods
from chatnb.upstream_attributes import point_elsewhere

if TYPE_CHECKING:
    from chatnb.runnables.binding import ConfigurableField, RunnableBinding
    from chatnb.runnables.graph import Graph
    from chatnb.runnables.retry import RunnableRetry, RunnableWithFallbacks
    from chatnb.schema.run_logs.log import RunLog, RunLogPatch

Other = TypeVar("Other")


def check_implemented(cls: type, methods: Collection[str], needed: str) -> None:
    """Raise a TypeError for a class that has none of the methods it needs."""
    if not (methods or is_class_of_pickle()):
        raise TypeError(f"{cls.__name__} must implement {needed}")


@point_elsewhere
class Runnable(RunnableMethods[In, Out], WrapperMethods[In, Out]):
    """An object that turns an input into an output, whole or in chunks, and composes with `|`.

    A class implements one of `invoke`, `stream` and `transform`, or of their asynchronous
    counterparts `ainvoke`, `astream` and `atransform`; all other methods are derived.

    Raises:
        TypeError: When a class is defined that implements none of them.

    Example:
        >>> class Shout(Runnable[str, str]):
        ...     def invoke(self, input, config=None, **kwargs):
        ...         return input.upper()
        >>> (Shout() | len).batch(["a", "bc"])
        [1, 2]
    """

    name: str | None = None
    """Its name in graphs and traces; by default that of its class."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_implemented(cls, cls._implemented, "invoke, stream or transform")

    def get_name(self) -> str:
        """Return the name of this runnable."""
        return self.name or type(self).__name__

    @overload
    def __or__(self, other: Runnable[Out, Other]) -> Runnable[In, Other]: ...
    @overload
    def __or__(
        self, other: Callable[[AsyncIterator[Out]], AsyncIterator[Other]]
    ) -> Runnable[In, Other]: ...
    @overload
    def __or__(self, other: Callable[[Iterator[Out]], Iterator[Other]]) -> Runnable[In, Other]: ...
    @overload
    def __or__(self, other: Callable[[Out], Awaitable[Other]]) -> Runnable[In, Other]: ...
    @overload
    def __or__(self, other: Callable[[Out], Other]) -> Runnable[In, Other]: ...
    @overload
    def __or__(self, other: Mapping[str, Any]) -> Runnable[In, dict[str, Any]]: ...
    def __or__(self, other: Any) -> Any:
        """Return a sequence: this runnable, then another on its output."""
        from chatnb.runnables.sequence import RunnableSequence

        return RunnableSequence[In, Any](self, other)

    def __ror__(self, other: Callable[..., Any] | Mapping[str, Any]) -> Runnable[Any, Out]:
        from chatnb.runnables.sequence import RunnableSequence

        return RunnableSequence(other, self)

    def pipe(self, *others: Any, name: str | None = None) -> Runnable[In, Any]:
        """Return a sequence of runnables: `a.pipe(b, c)` is `a | b | c`.

        Args:
            *others: Runnables, functions, or dicts of these.
            name: The name of the sequence.

        Returns:
            A `RunnableSequence`.
        """
        from chatnb.runnables.sequence import RunnableSequence

        return RunnableSequence(self, *others, name=name)

    def bind(self, **kwargs: Any) -> Runnable[In, Out]:
        """Return this runnable with arguments bound in advance.

        Args:
            **kwargs: Arguments of its methods, such as `stop=["."]` of a chat model; arguments
                of the call win.
        """
        from chatnb.runnables.binding import RunnableBinding

        return RunnableBinding(self, kwargs=kwargs)

    def with_config(
        self, config: RunnableConfig | None = None, **entries: Any
    ) -> Runnable[In, Out]:
        """Return this runnable with a config of its own; the config of the call wins.

        Args:
            config: The config.
            **entries: More entries of it, such as `tags=["summary"]`.
        """
        from chatnb.runnables.binding import RunnableBinding

        return RunnableBinding(self, config=merge_configs(config, entries))  # pyright: ignore[reportArgumentType]

    def with_retry(
        self,
        *,
        retry_if_exception_type: tuple[type[BaseException], ...] = (Exception,),
        stop_after_attempt: int = 3,
        wait_exponential_jitter: bool = True,
        **waiting: Any,
    ) -> Runnable[In, Out]:
        """Return this runnable with retries; a stream is retried until it has content.

        Args:
            retry_if_exception_type: The exceptions after which to retry.
            stop_after_attempt: The number of attempts in all.
            wait_exponential_jitter: True to wait between attempts, longer each time.
            **waiting: `exponential_jitter_params` and the others of `RunnableRetry`.
        """
        from chatnb.runnables.retry import RunnableRetry

        return RunnableRetry(
            self,
            retry_if_exception_type=retry_if_exception_type,
            stop_after_attempt=stop_after_attempt,
            wait_exponential_jitter=wait_exponential_jitter,
            **waiting,
        )

    def with_fallbacks(
        self,
        fallbacks: Sequence[Runnable[Any, Any]],
        *,
        exceptions_to_handle: tuple[type[BaseException], ...] = (Exception,),
        exception_key: str | None = None,
    ) -> Runnable[In, Out]:
        """Return this runnable with fallbacks; a stream falls back until it has content.

        Args:
            fallbacks: Runnables to run instead, in turn.
            exceptions_to_handle: The exceptions after which to run the next one.
            exception_key: The key of the exception in the input of fallbacks, a dict then.
        """
        from chatnb.runnables.retry import RunnableWithFallbacks

        return RunnableWithFallbacks(
            self, fallbacks, exceptions_to_handle=exceptions_to_handle, exception_key=exception_key
        )

    @overload
    def astream_log(
        self,
        input: In,
        config: RunnableConfig | None = None,
        *,
        diff: Literal[True] = True,
        **selected: Any,
    ) -> AsyncGenerator[RunLogPatch, None]: ...
    @overload
    def astream_log(
        self,
        input: In,
        config: RunnableConfig | None = None,
        *,
        diff: Literal[False],
        **selected: Any,
    ) -> AsyncGenerator[RunLog, None]: ...
    async def astream_log(
        self,
        input: In,
        config: RunnableConfig | None = None,
        *,
        diff: bool = True,
        include_names: Collection[str] | None = None,
        include_types: Collection[str] | None = None,
        include_tags: Collection[str] | None = None,
        exclude_names: Collection[str] | None = None,
        exclude_types: Collection[str] | None = None,
        exclude_tags: Collection[str] | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[Any, None]:
        """Run once and yield the log of the run, and of the runs within it, step by step.

        Args:
            input: The input.
            config: Tags, callbacks and other settings of this run.
            diff: True to yield each step as a patch; False to yield the whole log so far.
            include_names: Only runs of these names get an entry.
            include_types: Only runs of these types: `llm`, `chain`, `prompt`, `parser`, `tool`.
            include_tags: Only runs with one of these tags.
            exclude_names: No runs of these names.
            exclude_types: No runs of these types.
            exclude_tags: No runs with one of these tags.
            **kwargs: Arguments of `astream`.

        Yields:
            `RunLogPatch`es, which add up to a `RunLog`; or `RunLog`s. A slow reader slows the
            run; closing the generator ends it.

        Raises:
            Exception: The exception of the run, after the patch with the failure.

        Example:
            >>> import asyncio
            >>> from chatnb.runnables import RunnableLambda
            >>> async def log():
            ...     patches = RunnableLambda(len).astream_log("abc")
            ...     return sum([patch async for patch in patches]).state["final_output"]
            >>> asyncio.run(log())
            {'output': 3}
        """
        from chatnb.runnables.log_stream import stream_run_log
        from chatnb.schema.run_logs.log import RunLog
        from chatnb.tracing.log_writer import Selection

        config = hide_in_config(config)
        selection = Selection(
            include_names, include_types, include_tags, exclude_names, exclude_types, exclude_tags
        )
        log = RunLog()
        patches = stream_run_log(lambda own: self.astream(input, own, **kwargs), config, selection)
        async with aclosing(patches):
            async for patch in patches:
                log = log if diff else log + patch
                yield patch if diff else log

    def stream_log(
        self, input: In, config: RunnableConfig | None = None, **selected: Any
    ) -> Iterator[Any]:
        """Run once and yield the log of the run, for synchronous code.

        Args:
            input: The input.
            config: Tags, callbacks and other settings of this run.
            **selected: `diff` and the other arguments of `astream_log`.

        Yields:
            Patches or logs, as `astream_log` does; closing the iterator ends the run. An interrupt
            while it waits stops the run and is raised after the last patches.

        Example:
            >>> from chatnb.runnables import RunnableLambda
            >>> [patch.ops[0]["path"] for patch in RunnableLambda(len).stream_log("abc")]
            ['', '/streamed_output/-', '/final_output']
        """
        from chatnb.runnables.log_stream import iterate_run_log

        log = cast("Callable[..., AsyncGenerator[Any, None]]", self.astream_log)
        return iterate_run_log(lambda: log(input, config, **selected))

    def watch(self, input: In, config: RunnableConfig | None = None, **selected: Any) -> Any:
        """Run once and show the growing tree of the run in a notebook.

        Args:
            input: The input.
            config: Tags, callbacks and other settings of this run.
            **selected: The runs to show, as for `astream_log`.

        Returns:
            A `RunLogTree`. The run begins at once; as the last line of a cell the tree is
            displayed, and other cells can run meanwhile. `await tree.wait()` waits for the end.

        Raises:
            ConfigurationError: Outside of a notebook with `%load_ext chatnb`.
        """
        from chatnb.runnables.log_stream import view_run

        log = cast("Callable[..., AsyncGenerator[RunLogPatch, None]]", self.astream_log)
        return view_run(log(input, config, **selected))

    def pick(self, keys: str | list[str]) -> Runnable[In, Any]:
        """Return a sequence that picks one value or some entries from this runnable's dict.

        Args:
            keys: A key, for its value; or a list of keys, for a dict.
        """
        from chatnb.runnables.passthrough import RunnablePick

        return self.pipe(RunnablePick(keys))

    def assign(self, **entries: Any) -> Runnable[In, dict[str, Any]]:
        """Return a sequence that adds entries to this runnable's dict.

        Args:
            **entries: Runnables or functions that compute an entry from that dict.
        """
        from chatnb.runnables.passthrough import RunnableAssign

        return self.pipe(RunnableAssign(entries))

    def configurable_fields(self, **fields: ConfigurableField) -> Runnable[In, Out]:
        """Return this runnable with attributes that a config may set.

        Args:
            **fields: For each attribute, the `ConfigurableField` that names it in
                `config["configurable"]`.
        """
        from chatnb.runnables.binding import RunnableConfigurableFields

        return RunnableConfigurableFields(self, fields)

    def get_graph(self) -> Graph:
        """Return the graph of this runnable's parts; `get_graph().draw_mermaid()` draws it.

        Example:
            >>> from chatnb.runnables import RunnableLambda
            >>> len((RunnableLambda(str.strip) | str.upper).get_graph().nodes)
            4
        """
        from chatnb.runnables.graph import Graph

        graph = Graph()
        input = graph.add_node("Input")
        first, last = self.add_to_graph(graph)
        graph.add_edge(input, first)
        graph.add_edge(last, graph.add_node("Output"))
        return graph

    def add_to_graph(self, graph: Graph) -> tuple[str, str]:
        """Add this runnable to a graph; composite runnables add their parts.

        Args:
            graph: The graph.

        Returns:
            The ids of its first and last node.
        """
        node = graph.add_node(self.get_name(), self)
        return node, node


class KeepsModelMethods(Generic[In, Out]):
    """The types of methods of chat models that keep their methods for tools and types."""

    if TYPE_CHECKING:

        def bind(self, **kwargs: Any) -> RunnableBinding[In, Out]: ...
        def with_config(
            self, config: RunnableConfig | None = None, **entries: Any
        ) -> RunnableBinding[In, Out]: ...
        def with_retry(self, **options: Any) -> RunnableRetry[In, Out]: ...
        def with_fallbacks(
            self, fallbacks: Sequence[Runnable[Any, Any]], **options: Any
        ) -> RunnableWithFallbacks[In, Out]: ...


def to_runnable(thing: Any) -> Runnable[Any, Any]:
    """Convert a step of a chain to a runnable."""
    if isinstance(thing, Runnable):
        return thing  # pyright: ignore[reportUnknownVariableType]
    if inspect.isgeneratorfunction(thing) or inspect.isasyncgenfunction(thing):
        from chatnb.runnables.functions import RunnableGenerator

        return RunnableGenerator(thing)
    if callable(thing):
        from chatnb.runnables.functions import RunnableLambda

        return RunnableLambda(thing)
    if isinstance(thing, Mapping):
        from chatnb.runnables.parallel import RunnableParallel

        return RunnableParallel(thing)  # pyright: ignore[reportUnknownArgumentType]
    raise TypeError(
        "A chain takes runnables, functions of one argument, and dicts of these, "
        f"not {type(thing).__name__}: {thing!r}"
    )


if not TYPE_CHECKING:  # LangChain's module of this path has the package's other names, too.
    __getattr__ = names_of_package("chatnb.runnables")
