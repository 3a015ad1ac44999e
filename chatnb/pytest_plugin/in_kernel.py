"""The part of the plugin that runs in the kernel of a notebook under test."""

from __future__ import annotations

import os
from collections.abc import Sequence

from chatnb.cassettes.active import FILE_VARIABLE, close_cassettes
from chatnb.cassettes.http_clients import record_clients
from chatnb.cassettes.http_recorder import HttpRecorder
from chatnb.cassettes.network import refuse_network


def start(mode: str, allowed: Sequence[str] = ()) -> None:
    """Answer HTTP from the cassette; in a replay, refuse what else goes to the network."""
    record_clients(HttpRecorder(os.environ[FILE_VARIABLE], allowed))
    if mode == "replay":
        refuse_network(allowed)


def finish(*, prune: bool) -> None:
    """Finish recording."""
    close_cassettes(prune=prune)
