"""What a caller says about a run besides its input, and how nested runs inherit it.

Configs are values: nothing here, and nothing that runs, changes the dict it was given. A run asks
`effective_config` what holds for it and hands `child_config` of that to the runs it starts; code
that people wrote runs inside `inherited`, so that a chain called there takes over the config
though nobody passed it. Without a config all three do nothing. Callbacks only travel here;
`chatnb.runnables.traced` calls them.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypedDict, cast
from uuid import UUID

from chatnb.tracing.run import Run


class RunnableConfig(TypedDict, total=False):
    """What a caller says about a run; every key may be left out."""

    tags: list[str]
    """Labels of this run and of all beneath it."""
    metadata: dict[str, Any]
    """Facts about this run and all beneath it."""
    run_name: str
    """What this run, and only this one, is called."""
    run_id: UUID | str
    """The id of this run, and only of this one."""
    callbacks: list[Any]
    """Who is told of this run and of all beneath it."""
    max_concurrency: int
    """How many items of a batch run at a time."""
    recursion_limit: int
    """How many runnables may return one another before it is an error."""
    configurable: dict[str, Any]
    """Values of the fields that `configurable_fields` opened, by id."""
    parent_run: Run
    """The run that started this one."""


DEFAULT_RECURSION_LIMIT = 25

_KEYS = RunnableConfig.__annotations__.keys()
_OF_ONE_RUN = ("run_name", "run_id")
surrounding: ContextVar[RunnableConfig | None] = ContextVar("chatnb_config", default=None)
"""The config that a run inherits when none is passed to it."""


def effective_config(config: RunnableConfig | None) -> RunnableConfig | None:
    """The config that holds for a run.

    Args:
        config: What the caller passed.

    Returns:
        What surrounds the run, overridden by what was passed; None where there is neither.

    Raises:
        TypeError: If the config is not a dict.
        ValueError: If it has a key that no config has.

    Example:
        >>> with inherited({"tags": ["outer"]}):
        ...     effective_config({"tags": ["inner"]})
        {'tags': ['outer', 'inner']}
    """
    outer = surrounding.get()
    if not config:
        return outer if config is None or config == {} else check_config(config)
    check_config(config)
    return config if outer is None else merge_configs(outer, config)


def ensure_config(config: RunnableConfig | None = None) -> RunnableConfig:
    """Like `effective_config`, as a new dict that may be empty.

    Example:
        >>> ensure_config()
        {}
    """
    return merge_configs(effective_config(config))


def child_config(config: RunnableConfig | None) -> RunnableConfig | None:
    """What the runs that a run starts inherit: all but its own name and id.

    Example:
        >>> child_config({"run_name": "outer", "tags": ["a"]})
        {'tags': ['a']}
    """
    if config is None or not any(key in config for key in _OF_ONE_RUN):
        return config
    return merge_configs(config, without=_OF_ONE_RUN)


def merge_configs(*configs: RunnableConfig | None, without: tuple[str, ...] = ()) -> RunnableConfig:
    """One config that says what several say.

    Args:
        *configs: The configs, the more important ones later.
        without: Keys to leave out.

    Returns:
        A new dict. Tags and callbacks are those of all, each once; metadata and configurable
        values are those of all, and of every other key the last value counts.

    Example:
        >>> merge_configs({"tags": ["a"], "run_name": "x"}, {"tags": ["b"]}, None)
        {'tags': ['a', 'b'], 'run_name': 'x'}
    """
    merged = dict[str, Any]()
    for config in configs:
        for key, value in (config or {}).items():
            if key not in without:
                merged[key] = _joined(merged[key], value) if key in merged else _copied(value)
    return merged  # pyright: ignore[reportReturnType]


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, list | dict) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]


def _joined(left: Any, right: Any) -> Any:
    if isinstance(left, dict) and isinstance(right, dict):
        return {**cast("dict[str, Any]", left), **cast("dict[str, Any]", right)}
    if isinstance(left, list) and isinstance(right, list):
        kept = cast("list[Any]", left).copy()
        kept += [item for item in cast("list[Any]", right) if item not in kept]
        return kept
    return _copied(right)


@contextmanager
def inherited(config: RunnableConfig | None) -> Generator[None, None, None]:
    """Let runs that are started in this block inherit a config.

    Args:
        config: The config; with None the block changes nothing.
    """
    if config is None:
        yield
        return
    token = surrounding.set(config)
    try:
        yield
    finally:
        surrounding.reset(token)


def check_config(config: RunnableConfig) -> RunnableConfig:
    """The config itself, if it is one.

    Raises:
        TypeError: If the config is not a dict, or its callbacks are not a list.
        ValueError: If it has a key that no config has, or cannot allow any run.
    """
    if not isinstance(config, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"A config is a dict, not {type(config).__name__}: {config!r}")
    if not config.keys() <= _KEYS:
        unknown = ", ".join(sorted(config.keys() - _KEYS))
        raise ValueError(f"Unknown config keys: {unknown}. Known keys: {', '.join(_KEYS)}")
    callbacks = config.get("callbacks", [])
    if not isinstance(callbacks, list):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f"callbacks is a list of handlers, not {type(callbacks).__name__}: {callbacks!r}"
        )
    limit = config.get("max_concurrency")
    if limit is not None and limit < 1:
        raise ValueError(f"max_concurrency must be 1 or more, not {limit}")
    return config
