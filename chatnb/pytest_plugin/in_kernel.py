"""The part of the plugin that runs in the kernel of a notebook under test, and in its children."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from chatnb.cassettes.active import FILE_VARIABLE, close_cassettes
from chatnb.cassettes.after_import import after_import
from chatnb.cassettes.cassette import environment_cassette
from chatnb.cassettes.cassette_file import count_child_requests
from chatnb.cassettes.http_clients import record_clients
from chatnb.cassettes.http_recorder import HttpRecorder
from chatnb.cassettes.network import refuse_network
from chatnb.cassettes.recorded_clock import start_clock
from chatnb.errors import CassetteError
from chatnb.pytest_plugin.figure_data import note_figure_data
from chatnb.pytest_plugin.masks.other_conditions import change_conditions, faster

_CHILD_VARIABLE = "CHATNB_CHILD"
_STARTUP_FOLDER = Path(__file__).parent / "python_startup"


def start(
    mode: str,
    *,
    allowed: Sequence[str],
    moment: str | None,
    elsewhere: bool = False,
) -> None:
    """Answer HTTP from the cassette; in a replay, refuse what else goes to the network.

    Args:
        mode: The mode of the cassette.
        allowed: The hosts that may be called.
        moment: The date and time at which the clock begins, or None for those of now.
        elsewhere: True for another machine and folder, and faster clocks.
    """
    path, begun = os.environ[FILE_VARIABLE], time.time()
    record_clients(HttpRecorder(path, allowed))
    count_child_requests()
    note_figure_data()
    if moment is not None:
        if mode != "replay":
            with suppress(CassetteError):  # The first call tells what is the matter.
                environment_cassette(path).note_moment(moment)
        start_clock(datetime.fromisoformat(moment), faster if elsewhere else None)
    if elsewhere:
        change_conditions()
    if mode == "replay":
        # On a slow machine, a bar would be an output that the notebook does not have.
        after_import({"chatnb.runnables.batches.progress": lambda progress: progress.hide_bars()})
        refuse_network(allowed)
    _start_in_children([mode, list(allowed), moment, begun, elsewhere])


def _start_in_children(given: list[Any]) -> None:
    """Let Python processes that this one starts run `start_child`."""
    os.environ[_CHILD_VARIABLE] = json.dumps(given)
    path = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_STARTUP_FOLDER), path]))


def start_child() -> None:
    """Do in a child of the kernel what `start` does there; its clock goes on where that is."""
    path, variable = os.environ.get(FILE_VARIABLE), os.environ.get(_CHILD_VARIABLE)
    if not path or not variable:
        return
    mode, allowed, moment, begun, elsewhere = json.loads(variable)
    record_clients(HttpRecorder(path, allowed))
    if moment:
        seconds = time.time() - begun
        gone = timedelta(seconds=faster(seconds) if elsewhere else seconds)
        start_clock(datetime.fromisoformat(moment) + gone, faster if elsewhere else None)
    if mode == "replay":
        refuse_network(allowed)


def calls_unlike_recorded() -> tuple[list[str], list[str]]:
    """Return the messages of recorded calls that were not made, and of those made once more."""
    try:
        cassette = environment_cassette(os.environ[FILE_VARIABLE])
    except CassetteError:  # There is none, and no call has asked for it.
        return [], []
    return cassette.unrequested(), cassette.repeated()


def request_numbers() -> list[int]:
    """Return the number of the request that each call of the cassette answers; 0 for none."""
    with suppress(CassetteError):  # A damaged one fails the cells that call.
        return environment_cassette(os.environ[FILE_VARIABLE]).request_numbers()
    return []


def finish(*, prune: bool) -> None:
    """Finish recording."""
    close_cassettes(prune=prune)
