"""What Tab offers on a %%chat or %chat line: options, commands, models, conversations."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

from chatnb.chat_models import BaseChatModel
from chatnb.notebook.cell_options import CellOptions
from chatnb.notebook.chosen_model import is_of_langchain
from chatnb.notebook.commands import all_commands

if TYPE_CHECKING:
    from chatnb.notebook.magics import ChatMagics

_CELL, _LINE = "%%chat", "%chat"
_SETTINGS = ("max_tokens=", "model=", "system=", "temperature=")


class Offer(NamedTuple):
    """What can stand where the cursor is.

    Args:
        fragment: What is there already of it.
        texts: What it can become.
    """

    fragment: str
    texts: list[str]


class Names(NamedTuple):
    """Where the names come from that lines may hold.

    Args:
        models: The models that begin with a text.
        conversations: The conversations there are.
        providers: The providers there are.
        types: The variables that hold a type.
    """

    models: Callable[[str], Iterable[str]]
    conversations: Callable[[], Iterable[str]]
    providers: Callable[[], Iterable[str]]
    types: Callable[[], Iterable[str]]


def matcher_for(magics: ChatMagics, options: CellOptions) -> Any:
    """A matcher for IPython's completer.

    Args:
        magics: What the notebook's magics remember.
        options: What a %%chat line may say.
    """
    names = _names_of(magics)

    @context_matcher(identifier="chatnb")
    def chat_matcher(context: CompletionContext) -> SimpleMatcherResult:
        above = context.full_text.split("\n")[: context.cursor_line]
        offer = offered("".join(above), context.text_until_cursor)
        if offer is None:
            return SimpleMatcherResult(completions=[], suppress=False)
        return SimpleMatcherResult(
            completions=[SimpleCompletion(text, type="magic") for text in offer.texts],
            matched_fragment=offer.fragment,
            suppress=True,
        )

    def offered(above: str, before: str) -> Offer | None:
        if before.startswith(f"{_CELL} ") and not above.strip():
            return offer_for_cell(before.removeprefix(_CELL), options, names)
        if before.lstrip().startswith(f"{_LINE} "):
            return offer_for_command(before.lstrip().removeprefix(_LINE), names)
        return None

    return chat_matcher


def offer_for_cell(line: str, options: CellOptions, names: Names) -> Offer:
    """What can stand at the end of a %%chat line.

    Args:
        line: What follows `%%chat`, up to the cursor.
        options: What the line may say.
        names: Where names come from.
    """
    *words, fragment = _words(line)
    by_flag = {flag: action for action in options.actions for flag in action.option_strings}
    flag, equals, begun = fragment.partition("=")
    if equals and flag in by_flag:
        return _value(by_flag[flag], begun, names)
    before = by_flag.get(words[-1]) if words else None
    if before is not None and before.nargs != 0:
        return _value(before, fragment, names)
    return _beginning(fragment, [flag for flag in options.long if flag not in words])


def offer_for_command(line: str, names: Names) -> Offer:
    """What can stand at the end of a %chat line.

    Args:
        line: What follows `%chat`, up to the cursor.
        names: Where names come from.
    """
    *words, fragment = _words(line)
    commands = all_commands()
    if not words:
        return _beginning(fragment, commands)
    takes = commands[words[0]].takes if words[0] in commands else ""
    if "NAME=VALUE" in takes:
        name, equals, begun = fragment.partition("=")
        if equals:
            return _models(begun, names) if name == "model" else Offer(begun, [])
        return _beginning(fragment, [*_SETTINGS, "reset"])
    if "MODEL" in takes:
        return _models(fragment, names)
    if "PROVIDER" in takes:
        return _beginning(fragment, names.providers())
    return _beginning(fragment, names.conversations() if "NAME" in takes else ())


def _words(line: str) -> list[str]:
    """The words up to the cursor; the last may be empty."""
    words = line.split()
    return words if words and not line[-1].isspace() else [*words, ""]


def _value(action: argparse.Action, begun: str, names: Names) -> Offer:
    if action.dest == "model":
        return _models(begun, names)
    if action.dest == "compare":
        return _models(begun.rpartition(",")[2], names)
    if action.dest == "conversation":
        return _beginning(begun, names.conversations())
    return _beginning(begun, names.types() if action.dest == "schema" else ())


def _models(begun: str, names: Names) -> Offer:
    return _beginning(begun, names.models(begun))


def _beginning(fragment: str, texts: Iterable[str]) -> Offer:
    return Offer(fragment, [text for text in dict.fromkeys(texts) if text.startswith(fragment)])


def _names_of(magics: ChatMagics) -> Names:
    from chatnb.chat_models.availability import all_providers

    def models(begun: str) -> list[str]:
        provider, colon, _ = begun.partition(":")
        if colon:
            return _models_of(provider)
        held = [name for name, value in _variables(magics).items() if _is_model(value)]
        return [*held, *(f"{each.name}:" for each in all_providers())]

    return Names(
        models,
        lambda: magics.conversations.names(),
        lambda: [each.name for each in all_providers()],
        lambda: [name for name, value in _variables(magics).items() if _is_type(value)],
    )


def _models_of(provider: str) -> list[str]:
    from chatnb.chat_models.availability import all_providers
    from chatnb.schema.prices import priced_models

    examples = [each.example for each in all_providers() if each.name == provider]
    typed = [each for each in examples if not each.partition(":")[2].isupper()]
    return [*typed, *(f"{provider}:{model}" for model in priced_models(provider))]


def _variables(magics: ChatMagics) -> Mapping[str, Any]:
    own = magics.shell.user_ns
    return {name: value for name, value in list(own.items()) if not name.startswith("_")}


def _is_model(value: object) -> bool:
    return isinstance(value, BaseChatModel) or is_of_langchain(value)


def _is_type(value: object) -> bool:
    """What `--schema` takes, told without loading pydantic."""
    if isinstance(value, dict):
        return "properties" in value
    fields = ("model_fields", "__dataclass_fields__", "__total__")
    return isinstance(value, type) and any(hasattr(value, name) for name in fields)
