"""`chatnb.nested_asyncio()` where there is nothing to do, and where it must not be done."""

from __future__ import annotations

import asyncio

import pytest

import chatnb
from chatnb.errors import ConfigurationError


class OtherLoop(asyncio.AbstractEventLoop):
    """An event loop that is not asyncio's own, as uvloop's is not; it runs nothing."""


OtherLoop.__module__ = "uvloop.loop"


def test_where_no_loop_runs_there_is_nothing_to_do() -> None:
    """asyncio.run works as it is, and asyncio is left as it is."""
    run = asyncio.run
    chatnb.nested_asyncio()
    assert asyncio.run is run


def test_a_loop_of_another_library_is_refused() -> None:
    """The error names it, and nothing has been changed."""
    run = asyncio.run
    asyncio.events._set_running_loop(OtherLoop())
    try:
        with pytest.raises(ConfigurationError, match="cannot change uvloop's OtherLoop"):
            chatnb.nested_asyncio()
    finally:
        asyncio.events._set_running_loop(None)
    assert asyncio.run is run


def test_importing_chatnb_changes_nothing() -> None:
    """It is done only for those who call it."""
    assert not hasattr(asyncio, "_nest_patched")
