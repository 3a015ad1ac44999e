"""README and docs: their length, their links, and the project's one address."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path
from traceback import format_exception

import pytest

import chatnb.errors
from chatnb.errors import ChatnbError, MissingKeyError
from chatnb.errors.documentation import SECTIONS
from chatnb.notebook.commands import all_commands
from tests.docs.test_code_blocks import PAGES, ROOT

LINK = re.compile(r'(?:\]\(|src="|srcset=")(?!https?:|mailto:)([^)#"\s]+)')
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
TOP = [
    ROOT / name for name in ("CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md")
]


def test_the_readme_is_short() -> None:
    """The README fits into 120 lines: what is longer has a page in docs/."""
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 120


def test_the_film_of_the_readme_is_small_and_can_be_still() -> None:
    """Its files load quickly, and readers who want little motion get a picture before them."""
    readme = (ROOT / "README.md").read_text("utf-8")
    films = re.findall(r'"(docs/\S+\.webp)"', readme)
    assert len(films) == 2
    assert all((ROOT / film).stat().st_size < 500_000 for film in films)
    still = readme.index("(prefers-reduced-motion: reduce)")
    assert readme.index("<picture>") < still < readme.index(films[0])


@pytest.mark.parametrize("page", [*PAGES, *TOP], ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    """Each relative link and picture of a page is a file of the repository."""
    targets = LINK.findall(FENCE.sub("", page.read_text("utf-8")))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def test_each_page_is_in_the_navigation() -> None:
    """Each page of docs/ can be reached from the site's navigation."""
    site = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]
    listed = {page for section in site["nav"] for pages in section.values() for page in pages}
    assert {page.name for page in PAGES if page.parent.name == "docs"} <= listed


def test_each_notebook_is_in_the_navigation() -> None:
    """Each notebook is a page of the site."""
    site = (ROOT / "zensical.toml").read_text("utf-8")
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        assert f'"notebooks/{notebook.stem}.md"' in site


@pytest.mark.parametrize("section", SECTIONS)
def test_messages_refer_to_sections_that_exist(section: str) -> None:
    """Each section that an error or a command names is a heading of a page."""
    page, _, anchor = SECTIONS[section].partition("#")
    text = FENCE.sub("", (ROOT / "docs" / page).read_text("utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert anchor in {"", *slugs}


def test_errors_and_commands_name_sections() -> None:
    """Errors and commands name all the sections, and a traceback has that of its error."""
    errors = [value for value in vars(chatnb.errors).values() if inspect.isclass(value)]
    sections = {error.section for error in errors if issubclass(error, ChatnbError)}
    commands = {command.section for command in all_commands().values()}
    assert {*sections, *commands} - {""} == set(SECTIONS)
    shown = "".join(format_exception(MissingKeyError("There is no key.")))
    address = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    assert shown.endswith(
        "MissingKeyError: There is no key.\n"
        f"See {address['Repository']}/blob/main/docs/{SECTIONS['providers']}\n"
    )


def test_the_address_of_the_project_is_one() -> None:
    """The citation and the recipe give the address that pyproject.toml gives."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    address = project["urls"]["Repository"]
    assert all(url.startswith(address) for url in project["urls"].values())
    for name in ("CITATION.cff", "conda/recipe.yaml"):
        assert address in (ROOT / name).read_text("utf-8")


def test_the_recipe_needs_what_the_wheel_needs() -> None:
    """The conda recipe lists the dependencies of pyproject.toml, in the same versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    recipe = (ROOT / "conda/recipe.yaml").read_text("utf-8")
    for dependency in project["dependencies"]:
        if dependency.endswith("sys_platform == 'emscripten'"):
            continue  # Conda's packages do not run in a browser.
        name, version = dependency.split(";")[0].strip().split(">=")
        assert f"- {name} >={version}\n" in recipe
