"""`%chat cassette`: record the replies of this notebook's models, or replay them."""

from __future__ import annotations

from typing import cast

from IPython.core.error import UsageError

from chatnb.cassettes.active import active_cassette
from chatnb.cassettes.cassette import MODES, Cassette, Mode, eject_cassette, insert_cassette
from chatnb.notebook.commands import command
from chatnb.notebook.session import Session, without_traceback
from chatnb.terminal import print_line

_MODES = {
    "replay": "replays the replies of all models from now on.",
    "record": "replays the replies that it has; others are requested and recorded there.",
    "refresh": "records every reply again; `%chat cassette off` drops the rest.",
}


@command(
    "cassette",
    "[FILE [MODE] | off]",
    "record replies to a file, or replay them from there",
    "cassettes",
)
def cassette(session: Session, file: str | None = None, mode: str | None = None) -> None:
    """Insert a cassette, eject it, or print which one is active."""
    if file is None:
        print_line(_status(active_cassette()))
    elif mode not in (None, *_MODES):
        raise UsageError(f"A cassette's mode is one of {', '.join(MODES[:-1])}, not {mode!r}.")
    elif (file, mode) == ("off", None):
        _eject()
    else:
        _insert(file, cast("Mode | None", mode))


def _insert(file: str, mode: Mode | None) -> None:
    try:
        new = Cassette(file, mode)
    except ValueError as error:
        raise without_traceback(error) from None
    _eject()
    insert_cassette(new)
    print_line(_status(new))


def _eject() -> None:
    old = active_cassette()
    if old is not None:
        eject_cassette(old)
        old.close()


def _status(active: Cassette | None) -> str:
    return f"{active.name} {_MODES[active.mode]}" if active else "No cassette is active."
