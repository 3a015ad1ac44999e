"""The promises of the project about its own manifests."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

CLONE = Path(__file__).parents[2]
MANIFEST = tomllib.loads((CLONE / "pyproject.toml").read_text())


def packages() -> set[str]:
    return {path.parent.name for path in (CLONE / "chatnb").glob("*/__init__.py")}


def test_every_dependency_is_pinned() -> None:
    """Each dependency of each extra has one line in constraints.txt."""
    project = MANIFEST["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *chain.from_iterable(extras)]
    names = {re.split(r"[\[>]", requirement)[0] for requirement in wanted} - {"chatnb"}
    pinned = set(re.findall(r"^([\w.-]+)==", (CLONE / "constraints.txt").read_text(), re.MULTILINE))
    assert names <= pinned


def test_the_pins_hold_no_addresses() -> None:
    """constraints.txt says what and which version, never where from."""
    for line in (CLONE / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[\w.-]+==[\w.]+( ; .+)?", line)


def test_every_package_is_strictly_typed() -> None:
    """pyright is strict in every package but notebook/."""
    strict = MANIFEST["tool"]["pyright"]["strict"]
    assert {f"chatnb/{package}" for package in packages() - {"notebook"}} <= set(strict)
