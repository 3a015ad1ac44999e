"""Config of a run: tags, callbacks and limits, and their inheritance by nested runs."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypedDict, cast
from uuid import UUID

from chatnb.lazy_names import names_of_package
from chatnb.redaction import hide_in_config
from chatnb.runnables.deadlines import Deadline, to_deadline
from chatnb.tracing.handlers import check_handlers
from chatnb.tracing.run import Run

_RARE_KEYS = frozenset({"configurable", "deadline", "metadata"})

# Configs are values: no run changes the dict that it was given. A run takes `effective_config` and
# passes `child_config` of that to the runs it starts; functions of users run inside `inherited`,
# so that a chain called there has the config though no one passed it. Without a config all three
# do nothing.


class RunnableConfig(TypedDict, total=False):
    """The config of a run; every key is optional.

    Example:
        >>> from chatnb.runnables import RunnableLambda
        >>> config: RunnableConfig = {"run_name": "double", "tags": ["demo"]}
        >>> RunnableLambda(lambda x: 2 * x).invoke(4, config)
        8
    """

    tags: list[str]
    """Labels of this run and of all runs below it."""
    metadata: dict[str, Any]
    """Values that handlers and logs see for this run and all below it."""
    run_name: str
    """The name of this run alone."""
    run_id: UUID | str
    """The id of this run alone."""
    run_tag: str
    """A tag of this run alone: its place in the run that started it, such as `map:key:story`."""
    callbacks: list[Any]
    """Handlers of the events of this run and of all below it."""
    max_concurrency: int
    """The number of inputs of a batch that run at a time."""
    recursion_limit: int
    """The number of times that runnables may return one another."""
    deadline: float | Deadline
    """The seconds within which the whole call has to end, with all retries, chunks and tools.

    A batch is one call. A call that is late raises a `DeadlineExceededError`, which has the
    `partial` reply, and the runs below it end.
    """
    configurable: dict[str, Any]
    """Values for the fields of `configurable_fields`, by id."""
    parent_run: Run
    """The run that started this one."""


DEFAULT_RECURSION_LIMIT = 25
SINGLE_RUN_KEYS = ("run_name", "run_id", "run_tag")  # Nested runs do not inherit these.
CONFIG_KEYS = frozenset(RunnableConfig.__annotations__)

inherited_config: ContextVar[RunnableConfig | None] = ContextVar("chatnb_config", default=None)


def effective_config(config: RunnableConfig | None) -> RunnableConfig | None:
    """Return the inherited config, overridden by the one passed; None if there is neither."""
    outer = inherited_config.get()
    if not config:
        return outer if config is None or config == {} else check_config(config)
    config = check_config(config)
    return config if outer is None else merge_configs(outer, config)


def ensure_config(config: RunnableConfig | None = None) -> RunnableConfig:
    """Return the effective config as a new dict, which may be empty.

    Args:
        config: The config that was passed; None for that of the run around this call.

    Returns:
        The config with the defaults of that run.

    Example:
        >>> ensure_config()
        {}
    """
    return merge_configs(effective_config(config))


def child_config(config: RunnableConfig | None) -> RunnableConfig | None:
    """Return the config for runs that a run starts: all but its own name, id and tag."""
    if config is None or not any(key in config for key in SINGLE_RUN_KEYS):
        return config
    return merge_configs(config, without=SINGLE_RUN_KEYS)


def tagged_config(config: RunnableConfig | None, tag: str) -> RunnableConfig | None:
    """Return a config for one run alone, tagged with its place in the run that starts it."""
    if config is None or "parent_run" not in config:  # No handler would see the tag.
        return config
    return merge_configs(config, {"run_tag": tag})


def merge_configs(*configs: RunnableConfig | None, without: tuple[str, ...] = ()) -> RunnableConfig:
    """Merge configs into a new dict."""
    # Lists and dicts are joined, of other values the last counts; None is no value.
    merged = dict[str, Any]()
    for config in configs:
        for key, value in (config or {}).items():
            if key not in without and value is not None:
                merged[key] = _join(merged[key], value) if key in merged else _copy(value)
    return merged  # pyright: ignore[reportReturnType]


def take_config(
    config: RunnableConfig | None,
    kwargs: dict[str, Any],
    keys: Collection[str] = CONFIG_KEYS,
) -> tuple[RunnableConfig | None, dict[str, Any]]:
    """Return the config with the keys of it that were given as keywords, and the other keywords."""
    given = {key: value for key, value in kwargs.items() if key in keys}
    if not given:
        return config, kwargs
    left = {key: value for key, value in kwargs.items() if key not in given}
    own = cast("RunnableConfig", given)
    return merge_configs(check_config(config or {}), check_config(own)), left


def receive_config(
    config: RunnableConfig | None,
) -> tuple[Deadline | None, RunnableConfig | None]:
    """Return the deadline of a caller's config, which begins now, and the rest for the run."""
    # Each call of a batch has a config, and nearly none has one of these.
    if not isinstance(config, dict) or _RARE_KEYS.isdisjoint(config):
        return None, config
    hidden = hide_in_config(config)
    given = hidden.get("deadline")
    if given is None:
        return None, hidden
    return to_deadline(given), merge_configs(hidden, without=("deadline",))


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, list | dict) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]


def _join(left: Any, right: Any) -> Any:
    if isinstance(left, dict) and isinstance(right, dict):
        return {**cast("dict[str, Any]", left), **cast("dict[str, Any]", right)}
    if isinstance(left, list) and isinstance(right, list):
        joined = cast("list[Any]", left).copy()
        joined += [item for item in cast("list[Any]", right) if item not in joined]
        return joined
    return _copy(right)


@contextmanager
def inherited(config: RunnableConfig | None) -> Generator[None, None, None]:
    """Let runs that are started in this block inherit a config; None changes nothing."""
    if config is None:
        yield
        return
    token = inherited_config.set(config)
    try:
        yield
    finally:
        inherited_config.reset(token)


def check_config(config: RunnableConfig) -> RunnableConfig:
    """Return a config, if it is valid, without keys that are None and with handlers of chatnb's."""
    if not isinstance(config, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"A config is a dict, not {type(config).__name__}: {config!r}")
    if not config.keys() <= CONFIG_KEYS:
        unknown = ", ".join(sorted(config.keys() - CONFIG_KEYS))
        known = ", ".join(RunnableConfig.__annotations__)
        raise ValueError(f"Unknown config keys: {unknown}. Known keys: {known}")
    if None in config.values():
        config = merge_configs(config)
    if (deadline := config.get("deadline")) is not None:
        to_deadline(deadline)
    limit = config.get("max_concurrency")
    if limit is not None and limit < 1:
        raise ValueError(f"max_concurrency must be 1 or more, not {limit}")
    given = config.get("callbacks")
    callbacks = None if given is None else check_handlers(given)
    return config if callbacks is given else {**config, "callbacks": callbacks}  # pyright: ignore[reportReturnType]


if not TYPE_CHECKING:  # LangChain's module of this path has the package's other names, too.
    __getattr__ = names_of_package("chatnb.runnables")
