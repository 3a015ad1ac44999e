"""`%chat use`, `%chat models` and `%chat config`: the model of cells, and its settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from IPython.core.error import UsageError
from IPython.display import display

from chatnb.errors import ChatnbError, error_line
from chatnb.notebook.commands import command
from chatnb.notebook.options import CONTEXT_TAKES, parse_context
from chatnb.notebook.session import Session, SessionDefaults
from chatnb.notebook.widgets.front_end import VIEWS, choose_view, chosen_view, view_named
from chatnb.terminal import print_line


@command("use", "MODEL", "set the model of cells without -m", "models-in-cells")
def use(session: Session, name: str) -> None:
    """Set the session's model; one that lacks a key is an error now, and not in the next cell."""
    _use(session, name)
    print_line(f"{name} answers from now on.")


@command("models", "[PROVIDER]", "list the providers, or the models that one serves", "providers")
def models(session: Session, provider: str | None = None) -> None:
    """Show the table of providers, or what the server of one of them has loaded."""
    from chatnb.chat_models.registry import all_providers, models_served, running_servers
    from chatnb.notebook.chats import default_model
    from chatnb.notebook.tables.providers import ProviderTable

    if provider is None:
        default = session.defaults.model_name or default_model()
        display(ProviderTable(all_providers(), running_servers(), default))
        return
    print_line("\n".join(models_served(provider)))


@command("jobs", "", "list the jobs of batch APIs", "batch-apis")
def jobs(session: Session) -> None:
    """Print the jobs that `chat.submit` has left on disk."""
    from datetime import UTC, datetime

    from chatnb.chat_models.batch_jobs.job import BatchJob, saved_jobs

    lines = list[str]()
    for record in saved_jobs():
        made = datetime.fromtimestamp(record["created"], UTC).astimezone()
        try:
            shown = repr(BatchJob.load(record["id"]).refresh()).strip("<>")
        except ChatnbError as error:
            shown = f"BatchJob {record['id']}: {error_line(error)}"
        lines.append(f"{made:%Y-%m-%d %H:%M}  {record['provider']}:{record['model']}  {shown}")
    print_line("\n".join(lines) or "There are no jobs: chat.submit([...]) makes one.")


@command("config", "[NAME=VALUE]", "show or change the defaults of cells; reset restores them")
def config(session: Session, *words: str) -> None:
    """Show the session's defaults, change some, or restore them."""
    if words == ("reset",):
        session.defaults = SessionDefaults()
        choose_view(None)
    elif words:
        _change(session, dict(map(_setting, words)))
    view = f"\n{'view':14}  {chosen_view()}" if chosen_view() else ""
    print_line(f"{session.defaults}{view}")


def _use(session: Session, name: str) -> None:
    session.defaults.model, session.defaults.model_name = session.model(name), name


def _change(session: Session, settings: dict[str, Any]) -> None:
    # The model, which may be refused, comes first: all settings change or none does.
    if "model" in settings:
        name = settings.pop("model")
        if name is None:
            session.defaults.model = session.defaults.model_name = None
        else:
            _use(session, name)
    if "view" in settings:
        choose_view(settings.pop("view"))
    for name, value in settings.items():
        setattr(session.defaults, name, value)


def _setting(word: str) -> tuple[str, Any]:
    name, equals, typed = word.partition("=")
    if not equals or name not in _SETTINGS:
        raise UsageError(f"%chat config takes NAME=VALUE with one of {', '.join(_SETTINGS)}.")
    if typed in ("", "none"):
        return name, None
    try:
        return name, _SETTINGS[name].parse(typed)
    except ValueError:
        takes = _SETTINGS[name].takes
        raise UsageError(f"%chat config {name}= takes {takes}, not {typed!r}.") from None


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


class _Setting(NamedTuple):
    parse: Callable[[str], Any]
    takes: str = "a text"


_SETTINGS = {
    "model": _Setting(str),
    "system": _Setting(str),
    "temperature": _Setting(_temperature, "a number from 0 to 2"),
    "max_tokens": _Setting(_max_tokens, "a whole number above 0"),
    "context": _Setting(parse_context, CONTEXT_TAKES),
    "context_tokens": _Setting(_max_tokens, "a whole number above 0"),
    "view": _Setting(view_named, f"one of {', '.join(VIEWS)}"),
}
