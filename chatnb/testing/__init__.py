"""Calls to models as regression tests: cassettes, and what compares notebooks."""

from __future__ import annotations

from chatnb.lazy_names import lazy_names

TYPE_CHECKING = False  # pytest loads this with its plugins, in every project.
if TYPE_CHECKING:
    from chatnb.testing.cassettes import Cassette, cassette
    from chatnb.testing.wire import wire_cassettes

__all__ = ["Cassette", "cassette", "wire_cassettes"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "chatnb.testing.cassettes": "Cassette cassette",
        "chatnb.testing.wire": "wire_cassettes",
    },
)
