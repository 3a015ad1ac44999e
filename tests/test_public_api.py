"""The public names are those of tests/public_api.txt, which changes only on purpose."""

from __future__ import annotations

import difflib

from tests.support.public_api import PINNED, public_api


def test_the_public_api_is_pinned() -> None:
    """Public names, parameters and defaults are as pinned; docs/stability.md allows changes."""
    pinned = PINNED.read_text("utf-8").splitlines()
    changes = [
        line
        for line in difflib.unified_diff(pinned, public_api(), lineterm="", n=0)
        if not line.startswith(("---", "+++", "@@"))
    ]
    assert not changes, "\n".join(
        [
            "The public API has changed:",
            *changes,
            "If it should, keep what was public working, and accept it:",
            "    python -m tests.support.public_api",
        ]
    )
