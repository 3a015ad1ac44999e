"""Calls to models as regression tests: cassettes, and what compares notebooks."""

from __future__ import annotations

from chatnb.lazy_names import lazy_names

TYPE_CHECKING = False  # pytest loads this with its plugins, in every project.
if TYPE_CHECKING:
    from chatnb.cassettes.cassette import Cassette, cassette
    from chatnb.cassettes.vcr import wire_cassettes

__all__ = ["Cassette", "cassette", "wire_cassettes"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "chatnb.cassettes.cassette": "Cassette cassette",
        "chatnb.cassettes.vcr": "wire_cassettes",
    },
)
