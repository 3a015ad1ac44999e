"""`%chat use`, `%chat models` and `%chat config`: who answers, and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.display import display

from chatnb.errors import ChatnbError
from chatnb.notebook.commands import command, wrong_words
from chatnb.notebook.failures import in_one_line
from chatnb.notebook.session_defaults import SessionDefaults

if TYPE_CHECKING:
    from chatnb.notebook.magics import ChatMagics


@command("use", "MODEL", "who answers from now on")
def use(magics: ChatMagics, words: list[str]) -> None:
    """Choose the session's model; what cannot answer is refused now and not at the next cell."""
    if len(words) != 1:
        raise wrong_words("use")
    _use(magics, words[0])
    print(f"{magics.defaults.model_as_typed} answers from now on.")


@command("models", "[PROVIDER]", "which models there are, and what they still need")
def models(magics: ChatMagics, words: list[str]) -> None:
    """Show the table of providers, or what the server of one of them has loaded."""
    from chatnb.chat_models.availability import all_providers, models_served
    from chatnb.notebook.views.provider_table import ProviderTable

    if len(words) > 1:
        raise wrong_words("models")
    if not words:
        display(ProviderTable(all_providers()))
        return
    try:
        print("\n".join(models_served(words[0])))
    except ChatnbError as error:
        raise in_one_line(error) from None


@command(
    "config", "[NAME=VALUE]", "what cells ask with where they say nothing; reset takes all back"
)
def config(magics: ChatMagics, words: list[str]) -> None:
    """Show the session's settings, change some, or take all back."""
    if words == ["reset"]:
        magics.defaults = SessionDefaults()
    elif words:
        _change(magics, dict(map(_setting, words)))
    print(magics.defaults.shown())


def _use(magics: ChatMagics, name: str) -> None:
    try:
        model = magics.model(name)
    except ChatnbError as error:
        raise in_one_line(error) from None
    magics.defaults.use(model, name)


def _setting(word: str) -> tuple[str, Any]:
    name, equals, typed = word.partition("=")
    if not equals or name not in _READ:
        raise UsageError(f"%chat config takes NAME=VALUE with one of {', '.join(_READ)}.")
    if typed in ("", "none"):
        return name, None
    try:
        return name, _READ[name](typed)
    except ValueError:
        raise UsageError(f"%chat config {name}= takes {_TAKES[name]}, not {typed!r}.") from None


def _change(magics: ChatMagics, settings: dict[str, Any]) -> None:
    """All of it or nothing: the model, which may be refused, comes first."""
    if "model" in settings:
        name = settings.pop("model")
        if name is None:
            magics.defaults.model = magics.defaults.model_as_typed = None
        else:
            _use(magics, name)
    for name, value in settings.items():
        setattr(magics.defaults, name, value)


def _temperature(typed: str) -> float:
    value = float(typed)
    if not 0 <= value <= 2:
        raise ValueError(typed)
    return value


def _max_tokens(typed: str) -> int:
    value = int(typed)
    if value < 1:
        raise ValueError(typed)
    return value


_READ: dict[str, Callable[[str], Any]] = {
    "model": str,
    "system": str,
    "temperature": _temperature,
    "max_tokens": _max_tokens,
}
_TAKES = {"temperature": "a number from 0 to 2", "max_tokens": "a whole number above 0"}
