"""The cassette that answers for every model, found without loading cassettes where none is used."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing itself takes longer to load than all that is loaded here.
if TYPE_CHECKING:
    from chatnb.cassettes.cassette import Cassette

FILE_VARIABLE = "CHATNB_CASSETTE"
_REGISTRY = "chatnb.cassettes.cassette"


def active_cassette() -> Cassette | None:
    """Return the cassette that answers for the models."""
    path = os.environ.get(FILE_VARIABLE)
    # Every call of a model asks, so a process without a cassette never loads their code.
    if not path and _REGISTRY not in sys.modules:
        return None
    from chatnb.cassettes.cassette import environment_cassette, inserted_cassette
    from chatnb.cassettes.misses import noted_misses

    cassette = inserted_cassette()
    if cassette is None and path:
        with noted_misses():
            cassette = environment_cassette(path)
    return None if cassette is None or cassette.mode == "off" else cassette


def is_replaying() -> bool:
    """Return whether models are answered from a cassette alone, so that they need no key."""
    cassette = active_cassette()
    return cassette is not None and cassette.mode == "replay"


def close_cassettes(*, prune: bool) -> None:
    """Finish recording to the environment's cassettes."""
    if _REGISTRY in sys.modules:
        from chatnb.cassettes.cassette import close_environment_cassettes

        close_environment_cassettes(prune=prune)
