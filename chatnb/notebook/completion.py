"""Tab completion on %%chat and %chat lines: options, commands, models, conversations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, NamedTuple

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)

from chatnb.langchain_objects import is_langchain
from chatnb.notebook.commands import all_commands
from chatnb.notebook.options import CONTEXTS, NONE, CellOptions
from chatnb.notebook.session import Session
from chatnb.runnables.base import Runnable

_CELL, _LINE = "%%chat", "%chat"
_SETTINGS = (
    "context=",
    "context_tokens=",
    "max_tokens=",
    "model=",
    "system=",
    "temperature=",
    "reset",
)


class _Offer(NamedTuple):
    """The completions of the fragment before the cursor."""

    fragment: str
    texts: list[str]


def completion_matcher(session: Session, options: CellOptions) -> Any:
    """Return a matcher for IPython's completer."""
    completion = _Completion(session, options)

    @context_matcher(identifier="chatnb")
    def chat_matcher(context: CompletionContext) -> SimpleMatcherResult:
        above = context.full_text.split("\n")[: context.cursor_line]
        offer = completion.offer("\n".join(above), context.text_until_cursor)
        if offer is None:
            return SimpleMatcherResult(completions=[], suppress=False)
        return SimpleMatcherResult(
            completions=[SimpleCompletion(text, type="magic") for text in offer.texts],
            matched_fragment=offer.fragment,
            suppress=True,
        )

    return chat_matcher


class _Completion:
    """The completions of a line, with names from the session."""

    def __init__(self, session: Session, options: CellOptions) -> None:
        self._session = session
        self._options = options

    def offer(self, above: str, before: str) -> _Offer | None:
        """Complete the text before the cursor; None on lines that are not chatnb's."""
        if before.startswith(f"{_CELL} ") and not above.strip():
            return self._complete_cell(before.removeprefix(_CELL))
        if re.match(rf"\s*{_CELL}(\s|$)", above):
            return self._complete_prompt(before)
        if before.lstrip().startswith(f"{_LINE} "):
            return self._complete_command(before.lstrip().removeprefix(_LINE))
        return None

    def _complete_prompt(self, line: str) -> _Offer:
        """Complete the variable in an open brace, and nothing in prose."""
        found = re.search(r"(?<!\{)\{(\w*)$", line)
        if found is None:
            # IPython would look for names of Python if there were no completion at all.
            word = _words(line)[-1]
            return _Offer(word, [word])
        variables = self._variables(lambda value: not isinstance(value, ModuleType))
        hidden = self._session.shell.user_ns_hidden
        return _matching(found[1], [name for name in variables if name not in hidden])

    def _complete_cell(self, line: str) -> _Offer:
        *words, fragment = _words(line)
        actions = self._options.actions
        by_flag = {flag: action for action in actions for flag in action.option_strings}
        flag, equals, begun = fragment.partition("=")
        if equals and flag in by_flag:
            return self._complete_value(by_flag[flag].metavar or by_flag[flag].dest, begun)
        before = by_flag.get(words[-1]) if words else None
        if before is not None and before.nargs != 0:
            return self._complete_value(before.metavar or before.dest, fragment)
        return _matching(fragment, [flag for flag in self._options.long if flag not in words])

    def _complete_command(self, line: str) -> _Offer:
        *words, fragment = _words(line)
        commands = all_commands()
        if not words:
            return _matching(fragment, commands)
        takes = commands[words[0]].takes if words[0] in commands else ""
        if "NAME=VALUE" not in takes:
            return self._complete_value(takes, fragment)
        name, equals, begun = fragment.partition("=")
        if not equals:
            return _matching(fragment, _SETTINGS)
        return self._complete_value(name, begun)

    def _complete_value(self, takes: Any, begun: str) -> _Offer:
        """Complete what a usage text calls MODEL, PROVIDER, CONVERSATION, NAME or TYPE."""
        takes = str(takes).upper()
        if "MODEL" in takes:
            begun = begun.rpartition(",")[2] if "," in takes else begun
            return _matching(begun, self._models(begun))
        sources: dict[str, Callable[[], Iterable[str]]] = {
            "PROVIDER": _providers,
            "CONVERSATION": self._session.conversations.names,
            "NAME": self._session.conversations.names,
            "CONTEXT": lambda: (*CONTEXTS, NONE),
            "TYPE": lambda: self._variables(_is_type),
        }
        names = next((source for word, source in sources.items() if word in takes), tuple)
        return _matching(begun, names())

    def _models(self, begun: str) -> list[str]:
        provider, colon, _ = begun.partition(":")
        if colon:
            return _models_of_provider(provider)
        return [*self._variables(_is_model), *(f"{name}:" for name in _providers())]

    def _variables(self, fits: Callable[[object], bool]) -> list[str]:
        own = list(self._session.shell.user_ns.items())
        return [name for name, value in own if not name.startswith("_") and fits(value)]


def _words(line: str) -> list[str]:
    """Return the words up to the cursor, of which the last may be empty."""
    words = line.split()
    return words if words and not line[-1].isspace() else [*words, ""]


def _matching(fragment: str, texts: Iterable[str]) -> _Offer:
    return _Offer(fragment, [text for text in dict.fromkeys(texts) if text.startswith(fragment)])


def _providers() -> list[str]:
    from chatnb.chat_models.registry import all_providers

    return [provider.name for provider in all_providers()]


def _models_of_provider(name: str) -> list[str]:
    from chatnb.chat_models.registry import all_providers
    from chatnb.schema.prices import priced_models

    examples = [provider.example for provider in all_providers() if provider.name == name]
    # An example such as azure:DEPLOYMENT stands for a name that only the user knows.
    known = [example for example in examples if not example.partition(":")[2].isupper()]
    return [*known, *(f"{name}:{model}" for model in priced_models(name))]


def _is_model(value: object) -> bool:
    is_chat = isinstance(value, Runnable) and value.run_type != "tool"
    return is_chat or is_langchain(value, "Runnable")


def _is_type(value: object) -> bool:
    """Return whether `--schema` takes a value, without importing pydantic."""
    if isinstance(value, dict):
        return "properties" in value
    fields = ("model_fields", "__dataclass_fields__", "__total__")
    return isinstance(value, type) and any(hasattr(value, name) for name in fields)
