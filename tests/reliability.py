"""The whole attack and fault suite, and the page that its figures are written to: `make soak`.

    python -m tests.reliability SECONDS SEED [PART ...]

SECONDS is the time for everything at once. A part that is not named keeps the figures of its last
run. It ends with an error if anything failed.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from IPython.core.interactiveshell import InteractiveShell
from playwright.sync_api import sync_playwright
from traitlets.config import Config

from tests.attacks.attack import Attack
from tests.attacks.page import trapped_page
from tests.attacks.secrets import Leaks, made_up_secrets
from tests.attacks.surfaces import Surfaces
from tests.attacks.test_attacks import RAW, TEXTS
from tests.attacks.texts import hostile_texts
from tests.chat_models.test_secrets import echo
from tests.faults.wire_runs import CLIENTS, METHODS, WireRuns
from tests.lab.jupyterlab import JupyterLab
from tests.support.chromium import launch
from tests.support.loopback import LoopbackServer

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"
KILLS = 300
_SHOWN_FAILURES = 200
# The memory of a long run may not grow; in a short one little of it has been used after a fifth.
_LONG_SECONDS, _MOST_GROWTH = 300, 1.1
_PACKAGES = ("ipython", "jupyterlab", "httpx", "openai", "anthropic", "playwright")
_HEAD = """\
# Reliability

The last full run of the attack and fault suite: what it tried, and what failed. `make soak` writes
this page; `make test` runs a sample of each part. [SECURITY.md](../SECURITY.md) lists the promises
that it checks.

| Part | Tried | Outcome | Failures | Run |
| --- | --- | --- | --- | --- |
"""
_PARTS = """
- **wire**: faults of servers, proxies and lines (cuts at every kind of byte, lengths, chunks,
  encodings, characters, content types, events, statuses, protocols), on each wire and by each
  method. The part fails if a call hangs, ends in an error that is not chatnb's, passes a broken
  reply off as good, loses text that arrived, shows the key, or leaves a connection or thread open.
- **kills**: processes killed by SIGKILL while they write a file. Everything that was
  reported as written has to be in the file, complete.
- **texts**: hostile texts in every output, shown in a JupyterLab that trusts the notebook. Traps
  detect requests, navigation, dialogs, scripts, commands, links with side effects, and control
  characters in what is printed. A control without protection has to set off every trap.
- **secrets**: keys and tokens of many issuers as a model's key, in prompts, replies, variables and
  the environment, with a server that repeats them. They must not appear in errors, tracebacks with
  local variables, what `%chat explain` would send, cassettes, run logs, traces, logs, exports,
  panels, usage tables and `doctor`.
- **everything**: streams, batches, panels, drafts and exits at once on several threads, with
  interrupts and another process that locks the file. No call may hang, no reply
  may be lost, and nothing may be left behind.
"""


class Options(NamedTuple):
    """The size and the seed of a run."""

    seconds: int
    seed: int


class Figures(NamedTuple):
    """The calls or texts of a part, their outcomes, and a line for each failure."""

    tried: str
    outcome: str
    failures: list[str]


def wire(options: Options) -> Figures:
    """Make every call under every fault."""
    runs = WireRuns().run(1, options.seed)
    tried = f"{runs.faults} faults of {len(CLIENTS)} wires, {len(METHODS)} methods"
    return Figures(f"{tried}: {runs.calls:,} calls", _counts(runs.outcomes), runs.failures)


def kills(options: Options) -> Figures:
    """Kill processes while they write."""
    with TemporaryDirectory() as folder:
        told = _ran("tests.faults.kills", folder, str(KILLS), str(options.seed))
    killed = Counter[str](told["killed"])
    return Figures(f"{killed.total()} kills", _counts(killed), told["failures"])


def texts(options: Options) -> Figures:
    """Show texts on all surfaces, after the control."""
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        os.environ["CHATNB_STORE"] = f"{folder}/conversations.db"
        browser, lab = launch(playwright), JupyterLab(Path(folder))
        try:
            with trapped_page(lab, browser) as page:
                sprung = sum(page.springs(kind, (mime, text)) for mime, text, kind in RAW)
            with trapped_page(lab, browser) as page:
                surfaces = Surfaces(shell, Path(folder))
                attack = Attack().run(page, surfaces, hostile_texts(TEXTS, options.seed))
        finally:
            lab.close()
            browser.close()
    failures = attack.failures
    if sprung < len(RAW):
        failures = [f"only {sprung} of {len(RAW)} raw texts spring their trap", *failures]
    shown = sum(attack.renderings.values())
    return Figures(
        f"{attack.texts:,} texts on {len(attack.renderings)} surfaces",
        f"{shown:,} outputs rendered, {attack.printed:,} read; "
        f"the control set off {sprung} of {len(RAW)} traps",
        failures,
    )


def secrets(options: Options) -> Figures:
    """Look for secrets in every output, with a server that repeats all it is sent."""
    shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    made, failures, outputs = made_up_secrets(options.seed), list[str](), 0
    with TemporaryDirectory() as folder, closing(LoopbackServer()) as server:
        os.environ["CHATNB_STORE"] = f"{folder}/conversations.db"
        server.plays(echo("401 Unauthorized"))
        leaks = Leaks(shell, Path(folder), server.base_url)
        for kind, secret in made.items():
            failures += [f"{kind}: {output}" for output in leaks.found(secret)]
        outputs = len(dict(leaks.outputs("harmless")))
    tried = f"{len(made)} secrets in {outputs} outputs"
    return Figures(tried, f"{len(failures)} shown", failures)


def everything(options: Options) -> Figures:
    """Run everything at once."""
    try:
        told = _ran("tests.support.soak", str(options.seconds), str(options.seed))
    except subprocess.CalledProcessError as error:
        return Figures(f"{options.seconds} s", "an error", [error.stderr.strip()[-300:]])
    kept, interrupts = told.pop("replies kept"), told.pop("interrupts")
    begun, ended = told.pop("MB after a fifth of the time"), told.pop("MB at the end")
    grown = f"memory grew from {begun} MB to {ended} MB"
    return Figures(
        f"{sum(told.values()):,} calls in {options.seconds} s, {interrupts:,} interrupted",
        f"{kept:,} of {kept:,} replies kept; {begun} MB after a fifth of the time, {ended} MB "
        "at the end",
        [grown] if options.seconds >= _LONG_SECONDS and ended > _MOST_GROWTH * begun else [],
    )


PARTS: dict[str, Callable[[Options], Figures]] = {
    part.__name__: part for part in (wire, kills, texts, secrets, everything)
}


def _ran(module: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", module, *arguments]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(ran.stdout)


def _counts(counter: Mapping[str, int]) -> str:
    rows = sorted(counter.items(), key=lambda row: -row[1])
    return ", ".join(f"{count:,} {name}" for name, count in rows)


def _earlier_rows() -> dict[str, str]:
    """Return the rows of the page by part."""
    lines = PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else []
    return {line.split("|")[1].strip(): line for line in lines if line.startswith("| ")}


def _write_page(rows: Mapping[str, str]) -> None:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    versions = (
        f"\nLast with Python {platform.python_version()} on {platform.system()}, {packages}.\n"
    )
    table = "".join(f"{rows[part]}\n" for part in PARTS if part in rows)
    PAGE.write_text(_HEAD + table + versions + _PARTS, encoding="utf-8")


def main() -> int:
    """Run parts, write the page after each, and return how many have failed."""
    options = Options(*map(int, sys.argv[1:3]))
    failed = 0
    for name in sys.argv[3:] or PARTS:
        start = time.monotonic()
        figures = PARTS[name](options)
        run = f"{datetime.now(UTC):%Y-%m-%d}, seed {options.seed}, {time.monotonic() - start:.0f} s"
        cells = [name, figures.tried, figures.outcome, str(len(figures.failures)), run]
        _write_page({**_earlier_rows(), name: f"| {' | '.join(cells)} |"})
        print(f"{name}: {figures.tried}; {figures.outcome}; {len(figures.failures)} failed")
        for failure in figures.failures[:_SHOWN_FAILURES]:
            print(f"  {failure}")
        failed += bool(figures.failures)
    return failed


if __name__ == "__main__":
    sys.exit(main())
