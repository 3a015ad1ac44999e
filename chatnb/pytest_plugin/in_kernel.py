"""The part of the plugin that runs in the kernel of a notebook under test."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from chatnb.cassettes.active import FILE_VARIABLE, close_cassettes
from chatnb.cassettes.cassette import environment_cassette
from chatnb.cassettes.http_clients import record_clients
from chatnb.cassettes.http_recorder import HttpRecorder
from chatnb.cassettes.network import refuse_network
from chatnb.cassettes.recorded_clock import recorded_moment, start_clock
from chatnb.errors import CassetteError


def start(mode: str, *, allowed: Sequence[str], recorded_clock: bool) -> None:
    """Answer HTTP from the cassette; in a replay, refuse what else goes to the network."""
    path = os.environ[FILE_VARIABLE]
    record_clients(HttpRecorder(path, allowed))
    if recorded_clock:
        _start_clock(path, mode)
    if mode == "replay":
        refuse_network(allowed)


def _start_clock(path: str, mode: str) -> None:
    """Let the kernel begin at the moment of the cassette, which a new one has from now on."""
    moment = None if mode == "refresh" else recorded_moment(Path(path))
    if mode != "replay" and moment is None:
        moment = datetime.now(UTC).replace(microsecond=0)
        with suppress(CassetteError):  # The first call tells what is the matter.
            environment_cassette(path).note_moment(moment.isoformat())
    if moment is not None:
        start_clock(moment)


def unrequested() -> list[str]:
    """Return the messages of recorded calls that were not made."""
    try:
        return environment_cassette(os.environ[FILE_VARIABLE]).unrequested()
    except CassetteError:  # There is none, and no call has asked for it.
        return []


def finish(*, prune: bool) -> None:
    """Finish recording."""
    close_cassettes(prune=prune)
