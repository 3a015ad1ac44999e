"""Which cassette stands in for the models at the moment, if any."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing itself takes longer to load than all that is loaded here.
if TYPE_CHECKING:
    from chatnb.testing.cassettes import Cassette

FILE_VARIABLE = "CHATNB_CASSETTE"

_inserted: list[Cassette] = []
_of_environment: dict[str, Cassette] = {}


def active_cassette() -> Cassette | None:
    """Find the cassette that models are to be answered from.

    Returns:
        The one that was inserted last; else the one that the environment variable CHATNB_CASSETTE
        names; None if there is neither, or its mode is `off`.

    Example:
        >>> active_cassette()
    """
    if _inserted:
        cassette = _inserted[-1]
    else:
        path = os.environ.get(FILE_VARIABLE)
        if not path:
            return None
        cassette = _named_by_environment(path)
    return None if cassette.mode == "off" else cassette


def is_replaying() -> bool:
    """Tell whether models are answered from a cassette alone, so that they need no key.

    Example:
        >>> is_replaying()
        False
    """
    cassette = active_cassette()
    return cassette is not None and cassette.mode == "replay"


def insert(cassette: Cassette) -> None:
    """Let a cassette stand in for every model of this process, before those inserted earlier."""
    _inserted.append(cassette)


def eject(cassette: Cassette) -> None:
    """Let a cassette stand in no longer; nothing happens if it does not."""
    if cassette in _inserted:
        _inserted.remove(cassette)


def close_cassettes(*, prune: bool = False) -> None:
    """Finish what the environment's cassettes have recorded.

    Args:
        prune: Whether to drop the calls that nobody has asked for.
    """
    for cassette in _of_environment.values():
        cassette.close(prune=prune)


def _named_by_environment(path: str) -> Cassette:
    from chatnb.testing.cassettes import Cassette

    where = os.path.abspath(path)  # noqa: PTH100 - pathlib is not loaded with every model.
    if where not in _of_environment:
        cassette = _of_environment.setdefault(where, Cassette(where))
        if cassette.mode == "refresh":
            import atexit

            atexit.register(cassette.close)
    return _of_environment[where]
