"""Mutated notebooks under pytest --chatnb and under its peers, and which of them notice.

python -m tests.support.peer_runs 2 1     # two mutations of each kind, with seed 1

nbval and nbmake run the notebooks against a server on loopback, as neither records replies. The
Python that runs this has nbmake and pytest-recording.
"""

from __future__ import annotations

import json
import random
import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tests.support.forked_kernels import NAME as KERNEL
from tests.support.forked_kernels import forked_kernels
from tests.support.notebook_mutations import KINDS, Mutant, Source, mutants, sources
from tests.support.notebook_runs import run_pytest
from tests.support.style_server import style_server

_SCRIPT = """\
import json
import pathlib
import pytest
from IPython.core.interactiveshell import InteractiveShell

@pytest.fixture
def vcr_config():
    return {{"match_on": ["method", "path", "body"], "allow_playback_repeats": True,
            "ignore_hosts": [], "record_mode": "{mode}"}}

@pytest.fixture
def default_cassette_name():
    return "{original}"

@pytest.mark.vcr
def test_{name}(monkeypatch):
    monkeypatch.chdir(pathlib.Path(__file__).parent)
    shell = InteractiveShell.instance(colors="NoColor")
    for cell in json.loads(pathlib.Path("{name}.ipynb").read_text())["cells"]:
        result = shell.run_cell(cell["source"]) if cell["cell_type"] == "code" else None
        if result and "raises-exception" not in cell["metadata"].get("tags", []):
            result.raise_error()
"""


class Peer(NamedTuple):
    """A way to run notebooks.

    Args:
        name: Its name in the table.
        options: The options of pytest.
        is_live: True if it needs the server.
    """

    name: str
    options: Sequence[str]
    is_live: bool


PEERS = (
    Peer("pytest --chatnb", ("--chatnb", "--nbval-kernel-name", KERNEL), is_live=False),
    Peer("nbval", ("--nbval", "--nbval-kernel-name", KERNEL), is_live=True),
    Peer("nbmake", ("--nbmake", f"--nbmake-kernel={KERNEL}"), is_live=True),
    Peer("pytest-recording", ("-p", "pytest_recording.plugin"), is_live=False),
)


def compared(found: Sequence[Mutant]) -> Iterator[tuple[Peer, int, dict[str, list[bool]]]]:
    """Yield each peer with its false alarms, and whether it notices the mutants of each kind."""
    names = {mutant.source.name for mutant in found}
    originals = [Mutant("", source, "") for source in sources() if source.name in names]
    with tempfile.TemporaryDirectory() as made, style_server() as server:
        root = server.base_url.removesuffix("/v1")
        variables = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": server.base_url,
                     "ANTHROPIC_API_KEY": "none", "ANTHROPIC_BASE_URL": root}  # fmt: skip
        kernels = Path(made, "jupyter")
        kernels.mkdir()
        with forked_kernels(kernels) as path:
            variables["JUPYTER_PATH"] = path
            for peer in PEERS:
                folder = Path(made, peer.name.replace(" ", ""))
                if peer.name == "pytest-recording":
                    _run(peer, folder, originals, variables, mode="new_episodes")
                plain = _run(peer, folder, originals, variables)
                noticed = defaultdict[str, list[bool]](list)
                ran = _run(peer, folder, found, variables)
                for index, mutant in enumerate(found):
                    known = plain[_index(originals, mutant.source)]
                    noticed[mutant.kind].append(bool(ran[index] - known))
                yield peer, sum(map(len, plain.values())), noticed


def _index(originals: Sequence[Mutant], source: Source) -> int:
    return next(i for i, each in enumerate(originals) if each.source.name == source.name)


def _run(
    peer: Peer, folder: Path, some: Sequence[Mutant], variables: dict[str, str], mode: str = "none"
) -> dict[int, set[str]]:
    """Run notebooks, and return by their indexes the ids of what failed."""
    failures = defaultdict[int, set[str]](set)
    for start in range(0, len(some), 24):
        part = folder / f"{mode}{len(some)}-{start}"
        for index, mutant in enumerate(some[start : start + 24]):
            name = f"m{start + index:03}"
            mutant.source.write(part, name)
            if peer.name == "pytest-recording":
                script = _SCRIPT.format(name=name, original=mutant.source.name, mode=mode)
                (part / f"test_{name}.py").write_text(script)
        if mode == "none" and peer.name == "pytest-recording":
            _take_recordings(folder, part)
        xml = part / "cells.xml"
        ran = run_pytest(part, *peer.options, "--junitxml=cells.xml", ".", before=(), **variables)
        if not xml.exists():
            raise RuntimeError(ran.said[-2000:])
        for case in ElementTree.parse(xml).iter("testcase"):
            name = f"{case.get('classname')} {case.get('name')}"
            number = re.search(r"m(\d{3})", name)
            if number and any(each.tag in ("failure", "error") for each in case):
                failures[int(number[1])].add(re.sub(r".*m\d{3}", "", name).partition("[")[0])
    return failures


def _take_recordings(folder: Path, part: Path) -> None:
    """Copy what was recorded to the name under which each test looks for it."""
    recorded = next(folder.glob("new_episodes*"))
    for script in part.glob("test_*.py"):
        for path in (recorded / "cassettes").rglob("*.yaml"):
            target = part / "cassettes" / script.stem / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if "interactions:" in path.read_text()[:20]:
                target.write_text(path.read_text())


def main(each: int, seed: int) -> None:
    """Run all, and print the table."""
    rng = random.Random(seed)
    found = [*mutants(sources(), each, rng)]
    columns = dict[str, dict[str, list[bool]]]()
    alarms = dict[str, int]()
    for peer, false, noticed in compared(found):
        columns[peer.name], alarms[peer.name] = noticed, false
        print(peer.name, false, json.dumps(noticed), flush=True)
    print(f"| mutation | of | {' | '.join(columns)} |")
    print(f"|---|---:|{'---:|' * len(columns)}")
    for kind in KINDS:
        counts = (sum(noticed[kind]) for noticed in columns.values())
        print(f"| {kind} | {each} | {' | '.join(map(str, counts))} |")
    print(f"| no mutation | | {' | '.join(map(str, alarms.values()))} |")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
