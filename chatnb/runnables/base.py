"""The runnable: something that can be run, and put together with others."""

from __future__ import annotations

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
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

from chatnb.runnables.config import RunnableConfig
from chatnb.runnables.verbs import In, Out, Verbs

if TYPE_CHECKING:
    from chatnb.runnables.configurable import ConfigurableField
    from chatnb.runnables.graph import Graph
    from chatnb.schema.run_log import RunLog, RunLogPatch

Other = TypeVar("Other")


class Runnable(Verbs[In, Out]):
    """Something that turns an input into an output, whole or in chunks, and composes with `|`.

    A class implements one of `invoke`, `stream` and `transform`, or of their asynchronous twins
    `ainvoke`, `astream` and `atransform`; all other verbs are derived.

    Raises:
        TypeError: When a class is made that implements none of them.

    Example:
        >>> class Shout(Runnable[str, str]):
        ...     def invoke(self, input, config=None, **kwargs):
        ...         return input.upper()
        >>> (Shout() | len).batch(["a", "bc"])
        [1, 2]
    """

    name: str | None = None
    """What it is called in graphs and traces; by default its class."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls._own:
            raise TypeError(f"{cls.__name__} must implement invoke, stream or transform")

    def get_name(self) -> str:
        """What this runnable is called."""
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
        """Run another after this one, on its output.

        Args:
            other: A runnable, a function, or a dict of these. A generator function gets the
                iterator over the chunks that this one streams.

        Returns:
            A `RunnableSequence`.

        Raises:
            TypeError: If the other is none of these.
        """
        from chatnb.runnables.sequence import RunnableSequence

        return RunnableSequence[In, Any](self, other)

    def __ror__(self, other: Callable[..., Any] | Mapping[str, Any]) -> Runnable[Any, Out]:
        from chatnb.runnables.sequence import RunnableSequence

        return RunnableSequence(other, self)

    def pipe(self, *others: Any, name: str | None = None) -> Runnable[In, Any]:
        """Run others after this one: `a.pipe(b, c)` is `a | b | c`.

        Args:
            *others: Runnables, functions, or dicts of these.
            name: What the sequence is called.

        Returns:
            A `RunnableSequence`.
        """
        from chatnb.runnables.sequence import RunnableSequence

        return RunnableSequence(self, *others, name=name)

    def bind(self, **kwargs: Any) -> Runnable[In, Out]:
        """This runnable with arguments of its verbs given in advance.

        Args:
            **kwargs: What it takes for one call, such as `stop=["."]` of a chat model; what is
                given at the call wins.
        """
        from chatnb.runnables.binding import RunnableBinding

        return RunnableBinding(self, kwargs=kwargs)

    def with_config(
        self, config: RunnableConfig | None = None, **entries: Any
    ) -> Runnable[In, Out]:
        """This runnable with a config of its own, beneath the one given at the call.

        Args:
            config: The config.
            **entries: More entries of it, such as `tags=["summary"]`.
        """
        from chatnb.runnables.binding import RunnableBinding
        from chatnb.runnables.config import merge_configs

        return RunnableBinding(self, config=merge_configs(config, entries))  # pyright: ignore[reportArgumentType]

    def with_retry(
        self,
        *,
        retry_if_exception_type: tuple[type[BaseException], ...] = (Exception,),
        stop_after_attempt: int = 3,
        wait_exponential_jitter: bool = True,
        **waiting: Any,
    ) -> Runnable[In, Out]:
        """This runnable, tried again when it fails; a stream only until it says something.

        Args:
            retry_if_exception_type: The failures after which to try again.
            stop_after_attempt: How many attempts there are in all.
            wait_exponential_jitter: Whether to wait between attempts, longer each time.
            **waiting: `initial`, `maximum`, `sleep`, `asleep` and `random` of `RunnableRetry`.
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
        """This runnable, and others in its place when it fails; a stream until it says something.

        Args:
            fallbacks: What to run instead, in turn.
            exceptions_to_handle: The failures after which to go on to the next.
            exception_key: Where fallbacks find the failure in their input, which is a dict then.
        """
        from chatnb.runnables.fallbacks import RunnableWithFallbacks

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
        """Run once and tell the whole life of the run, and of the runs within it, as it goes.

        Args:
            input: The input.
            config: Tags, callbacks and the like of this run.
            diff: Whether to yield each step as a patch; otherwise all that is known so far.
            include_names: Only runs of these names get an entry.
            include_types: Only runs of these kinds: `llm`, `chain`, `prompt`, `parser`, `tool`.
            include_tags: Only runs with one of these tags.
            exclude_names: No runs of these names.
            exclude_types: No runs of these kinds.
            exclude_tags: No runs with one of these tags.
            **kwargs: What `astream` takes.

        Yields:
            `RunLogPatch`es, which add up to a `RunLog`; or `RunLog`s. A reader that is slow slows
            the run; one that stops ends it.

        Raises:
            Exception: What the run raised, after the patch that tells of it.

        Example:
            >>> import asyncio
            >>> from chatnb.runnables import RunnableLambda
            >>> async def log():
            ...     patches = RunnableLambda(len).astream_log("abc")
            ...     return sum([patch async for patch in patches]).state["final_output"]
            >>> asyncio.run(log())
            {'output': 3}
        """
        from chatnb.runnables.run_logs import logged
        from chatnb.schema.run_log import RunLog
        from chatnb.tracing.log_writer import Selection

        selection = Selection(
            include_names, include_types, include_tags, exclude_names, exclude_types, exclude_tags
        )
        log = RunLog()
        patches = logged(lambda own: self.astream(input, own, **kwargs), config, selection)
        async with aclosing(patches):
            async for patch in patches:
                log = log if diff else log + patch
                yield patch if diff else log

    def stream_log(
        self, input: In, config: RunnableConfig | None = None, **selected: Any
    ) -> Iterator[Any]:
        """Run once and tell the whole life of the run, for synchronous code.

        Args:
            input: The input.
            config: Tags, callbacks and the like of this run.
            **selected: `diff` and the rest, as for `astream_log`.

        Yields:
            What `astream_log` does; closing the iterator ends the run.

        Example:
            >>> from chatnb.runnables import RunnableLambda
            >>> [patch.ops[0]["path"] for patch in RunnableLambda(len).stream_log("abc")]
            ['', '/streamed_output/-', '/final_output']
        """
        from chatnb.runnables.loop_thread import package_loop

        log = cast("Callable[..., AsyncGenerator[Any, None]]", self.astream_log)
        return package_loop.iterate(lambda: log(input, config, **selected))

    def watch(self, input: In, config: RunnableConfig | None = None, **selected: Any) -> Any:
        """Run once and show the tree of the run in a notebook, as it grows.

        Args:
            input: The input.
            config: Tags, callbacks and the like of this run.
            **selected: Which runs to show, as for `astream_log`.

        Returns:
            A `RunLogTree`. The run begins at once; as the last line of a cell the tree shows
            itself, and other cells can run meanwhile. `await tree.wait()` waits for the end.

        Raises:
            ConfigurationError: Outside of a notebook with `%load_ext chatnb`.
        """
        from chatnb.runnables.watching import shown

        log = cast("Callable[..., AsyncGenerator[RunLogPatch, None]]", self.astream_log)
        return shown(log(input, config, **selected))

    def map(self) -> Runnable[Sequence[In], list[Out]]:
        """This runnable over a list: each item is run, many at a time."""
        from chatnb.runnables.each import RunnableEach

        return RunnableEach(self)

    def pick(self, keys: str | list[str]) -> Runnable[In, Any]:
        """Of the dict that this runnable gives, one value or some entries.

        Args:
            keys: A key, for its value; or a list of keys, for a dict.
        """
        from chatnb.runnables.passthrough import RunnablePick

        return self.pipe(RunnablePick(keys))

    def assign(self, **entries: Any) -> Runnable[In, dict[str, Any]]:
        """The dict that this runnable gives, with more entries.

        Args:
            **entries: Runnables or functions that compute an entry from that dict.
        """
        from chatnb.runnables.passthrough import RunnableAssign

        return self.pipe(RunnableAssign(entries))

    def configurable_fields(self, **fields: ConfigurableField) -> Runnable[In, Out]:
        """This runnable with attributes that a config may set.

        Args:
            **fields: For each attribute, the `ConfigurableField` that names it in
                `config["configurable"]`.
        """
        from chatnb.runnables.configurable import RunnableConfigurableFields

        return RunnableConfigurableFields(self, fields)

    def get_graph(self) -> Graph:
        """What this runnable is made of; `get_graph().draw_mermaid()` draws it.

        Example:
            >>> from chatnb.runnables import RunnableLambda
            >>> len((RunnableLambda(str.strip) | str.upper).get_graph().nodes)
            4
        """
        from chatnb.runnables.graph import graph_of

        return graph_of(self)

    def add_to_graph(self, graph: Graph) -> tuple[str, str]:
        """Draw this runnable into a graph; composite runnables draw their parts.

        Args:
            graph: The graph.

        Returns:
            The nodes at which it begins and ends.
        """
        node = graph.add_node(self.get_name())
        return node, node
