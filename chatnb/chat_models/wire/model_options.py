"""Arguments of chat models: settings of runs, other names, and the refusal of unknown ones."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from chatnb.chat_models.wire.client_options import ClientOptions
from chatnb.terminal import warn
from chatnb.tracing.handlers import check_handlers

if TYPE_CHECKING:
    from chatnb.chat_models.base import BaseChatModel

_CLOSE = 0.6


class ModelOptions(ClientOptions, total=False):
    """The arguments that all chat models behind an SDK take.

    Args:
        name: The name of the model in graphs and traces.
        tags: Tags of the model's runs, for handlers and logs.
        metadata: Metadata of the model's runs; what a provider is to get goes into `extra_body`.
        callbacks: Handlers of the model's runs.
        streaming: Have replies of `invoke` and the call itself streamed, so that handlers get
            their tokens.
        disable_streaming: Have streams request a whole reply and yield it as one chunk; or
            `"tool_calling"`, only with tools.
        verbose: Without effect, with a warning.
    """

    name: str | None
    tags: list[str] | None
    metadata: dict[str, Any] | None
    callbacks: list[Any] | None
    streaming: bool
    disable_streaming: bool | Literal["tool_calling"]
    verbose: bool | None


def request_parameters(options: type, *settings: str) -> tuple[str, ...]:
    """Return the fields of requests among the options of a class, but those that only set it."""
    others = {*ModelOptions.__annotations__, *settings}
    return tuple(name for name in options.__annotations__ if name not in others)


def attributes_from_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a model for its options; those that are not given are left out."""
    given = {name: value for name, value in options.items() if value is not None}
    if given.pop("verbose", False):
        warn_once(
            "verbose=True prints nothing. callbacks=[chatnb.tracing.LoggingHandler()] logs the "
            "model's runs, and chain.watch(...) and %%chat --log show them as a tree."
        )
    own = {key: given.pop(key) for key in ("tags", "metadata", "callbacks") if key in given}
    if "callbacks" in own:
        own["callbacks"] = check_handlers(own["callbacks"])
    return {**given, "own_config": own} if own else given


@cache
def warn_once(text: str) -> None:
    """Warn of an argument that chatnb does otherwise."""
    warn(text, stacklevel=5)


def with_own_names(
    model_class: type[BaseChatModel], aliases: Mapping[str, str], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return arguments by chatnb's names; raise a TypeError if two names have different values."""
    own = {name: value for name, value in given.items() if name not in aliases}
    for alias in aliases.keys() & given.keys():
        name, value = aliases[alias], given[alias]
        if value is None:
            continue
        if own.get(name) not in (None, value):
            raise TypeError(
                f"{model_class.__name__} takes {name}= or {alias}=, which are the same, not both."
            )
        own[name] = value
    return own


def refuse_unknown(model_class: type[BaseChatModel], names: Iterable[str]) -> None:
    """Raise a TypeError for the first argument that a model does not have, with the closest one."""
    name = min(names, default=None)
    if name is None:
        return
    from chatnb.upstream_attributes import argument_pointer

    if pointer := argument_pointer(name):
        raise TypeError(f"{model_class.__name__} has no argument {name}=. {pointer}")
    known = sorted(known_arguments(model_class))
    close = difflib.get_close_matches(name, known, n=1, cutoff=_CLOSE)
    meant = f" Did you mean {close[0]}=?" if close else ""
    other = (
        ' Other fields of requests go into model_kwargs={"' + name + '": ...}.'
        if "model_kwargs" in known
        else ""
    )
    raise TypeError(f"{model_class.__name__} has no argument {name}=.{meant}{other}")


def known_arguments(model_class: type[BaseChatModel]) -> set[str]:
    """Return the names of a class's arguments, with those that its constructor passes on."""
    found = set[str]()
    for base in model_class.__mro__:
        constructor = vars(base).get("__init__")
        if not inspect.isfunction(constructor):
            continue
        found |= constructor_arguments(constructor).keys()
        found |= vars(base).get("_aliases", {}).keys()
        if not _passes_on(constructor):
            break
    return found


def constructor_arguments(constructor: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters of a constructor that can be given by name."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = list(inspect.signature(constructor).parameters.values())[1:]
    return {parameter.name: parameter for parameter in parameters if parameter.kind in named}


def _passes_on(constructor: Callable[..., Any]) -> bool:
    kinds = (p.kind for p in inspect.signature(constructor).parameters.values())
    return inspect.Parameter.VAR_KEYWORD in kinds


def with_options(constructor: Callable[..., Any], options: type) -> inspect.Signature:
    """Return the signature of a constructor with the entries of the options that it unpacks."""
    # For completion in notebooks, and for all that reads which arguments a model has.
    signature = inspect.signature(constructor)
    *own, last = signature.parameters.values()
    if last.kind is not last.VAR_KEYWORD or "Unpack[" not in str(last.annotation):
        return signature
    entries = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=type_)
        for name, type_ in _entries(options).items()
    ]
    return signature.replace(parameters=[*own, *entries, last])


def _entries(options: type) -> dict[str, Any]:
    # A TypedDict wraps annotations that are texts, and `?` would show the wrapper.
    types = options.__annotations__.items()
    return {name: getattr(type_, "__forward_arg__", type_) for name, type_ in types}
