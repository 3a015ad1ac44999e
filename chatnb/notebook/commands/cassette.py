"""`%chat cassette`: record what models reply in this notebook, or replay it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from IPython.core.error import UsageError

from chatnb.errors import ChatnbError
from chatnb.notebook.commands import command, wrong_words
from chatnb.notebook.failures import in_one_line
from chatnb.testing.active import active_cassette, eject, insert
from chatnb.testing.cassettes import MODES, Cassette, Mode

if TYPE_CHECKING:
    from chatnb.notebook.magics import ChatMagics

_DOES = {
    "replay": "answers every model from here on.",
    "record": "answers what it has; the rest is asked and recorded there.",
    "refresh": "records anew whatever is asked; `%chat cassette off` drops the rest.",
}


@command("cassette", "[FILE [MODE] | off]", "record replies to a file, or replay them from there")
def cassette(magics: ChatMagics, words: list[str]) -> None:
    """Put a cassette in, take it out, or tell which is in."""
    match words:
        case []:
            print(_told(active_cassette()))
        case ["off"]:
            _take_out()
        case [file] | [file, ("replay" | "record" | "refresh")]:
            _put_in(file, cast("Mode | None", words[1] if len(words) > 1 else None))
        case [_, mode]:
            raise UsageError(f"A cassette's mode is one of {', '.join(MODES[:-1])}, not {mode!r}.")
        case _:
            raise wrong_words("cassette")


def _put_in(file: str, mode: Mode | None) -> None:
    try:
        new = Cassette(file, mode)
    except (ChatnbError, ValueError) as error:
        raise in_one_line(error) from None
    _take_out()
    insert(new)
    print(_told(new))


def _take_out() -> None:
    old = active_cassette()
    if old is not None:
        eject(old)
        old.close()


def _told(tape: Cassette | None) -> str:
    return f"{tape.name} {_DOES[tape.mode]}" if tape else "No cassette is in: models are asked."
