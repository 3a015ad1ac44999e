"""The code in README and docs runs as it stands, section by section."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests.support.example_model import answer_example
from tests.support.loopback import LoopbackServer

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = ("python", "ipython")
# Shown, not run: shell commands, files, and what is printed.
SHOWN = (
    "bash",
    "text",
    "toml",
    "yaml",
    "json",
    "diff",
    "markdown",
    "mermaid",
    "typescript",
    "html",
)


class Section(NamedTuple):
    """The blocks of code below one heading, which build on each other."""

    page: Path
    heading: str
    blocks: list[tuple[str, str]]

    def __str__(self) -> str:
        return f"{self.page.name}: {self.heading}"


def sections(page: Path) -> Iterator[Section]:
    """The sections of a page, by headings of the first and second level, that have code to run."""
    text = page.read_text("utf-8")
    hidden = FENCE.sub(lambda found: re.sub(r"^#", " ", found[0], flags=re.MULTILINE), text)
    starts = [0, *(found.start() for found in re.finditer(r"^#{1,2} ", hidden, re.MULTILINE))]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        blocks = [(found[1].split(" ")[0], found[2]) for found in FENCE.finditer(text[start:end])]
        if any(language in RUN for language, _ in blocks):
            yield Section(page, text[start:end].split("\n")[0].strip("# "), blocks)


@pytest.fixture
def shell(
    bare_shell: InteractiveShell,
    loopback: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> InteractiveShell:
    """A shell whose models are answered from loopback, in an empty folder."""
    loopback.plays(answer_example)
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    monkeypatch.setenv("OPENAI_BASE_URL", loopback.base_url)
    monkeypatch.setenv("CHATNB_STORE", ":memory:")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    bare_shell.run_line_magic("load_ext", "chatnb")
    return bare_shell


@pytest.mark.parametrize("section", [s for page in PAGES for s in sections(page)], ids=str)
def test_it_runs(section: Section, shell: InteractiveShell) -> None:
    """Each section runs from its first block to its last, in a namespace of its own."""
    for language, code in section.blocks:
        if language not in RUN:
            continue
        result = shell.run_cell(code)
        assert result.success, f"{code}\n{result.error_in_exec or result.error_before_exec!r}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_block_names_its_language(page: Path) -> None:
    """A block of code says its language, which decides whether it runs here."""
    languages = {found[1].split(" ")[0] for found in FENCE.finditer(page.read_text("utf-8"))}
    assert languages <= {*RUN, *SHOWN}
