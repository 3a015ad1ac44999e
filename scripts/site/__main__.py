"""Build the site into build/site/: `python scripts/site`, `--lite` to link the JupyterLite in it.

The pages of docs/ are copied to build/docs/ and joined by those that are made: the reference from
the docstrings, the notebooks with their saved outputs, and the changelog, the security policy and
the contributor's guide from the top. Zensical builds them, and fails on a page or an anchor that
does not exist.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

from notebook_pages import write_notebooks
from reference_pages import write_reference

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "docs"
# Files at the top of the repository that are pages of the site.
TOP = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")
LIGHT_PICTURE = re.compile(r"!\[([^\]]*)\]\((\S+)-light\.(png|svg)\)")


# In a page that links the JupyterLite, which `scripts/lite` writes into the site.
LITE_MARK = "<!-- lite -->"
LITE_LINK = (
    '<a class="md-button md-button--primary" '
    'href="lite/notebooks/index.html?path=10_in_the_browser.ipynb">Open the notebook</a>'
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lite", action="store_true", help="link the JupyterLite")
    link = LITE_LINK if parser.parse_args().lite else ""
    shutil.rmtree(BUILD, ignore_errors=True)
    shutil.copytree(ROOT / "docs", BUILD, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for page in sorted(BUILD.glob("**/*.md")):
        text = adapt(page.read_text("utf-8"), folder="docs")
        page.write_text(text.replace(LITE_MARK, link), "utf-8")
    for name, page in TOP.items():
        (BUILD / page).write_text(adapt((ROOT / name).read_text("utf-8"), folder=""), "utf-8")
    write_notebooks(ROOT / "notebooks", BUILD / "notebooks")
    write_reference(BUILD / "reference")
    zensical = Path(sys.executable).with_name("zensical")
    command = [zensical, "build", "--clean", "--strict"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def adapt(text: str, folder: str) -> str:
    """Return the text of a page, which lies in a folder, with the site's links and pictures."""
    parts = FENCE.split(text)
    for index in range(0, len(parts), 2):
        linked = LINK.sub(lambda link: site_link(link[1], link[2] or "", folder), parts[index])
        parts[index] = both_themes(linked)
    return "".join(parts)


def site_link(target: str, anchor: str, folder: str) -> str:
    """Return a link as one of the site, or into the repository where the site has no such page."""
    path = target.removeprefix("../") if target.startswith("../") else f"{folder}/{target}"
    path = path.removeprefix("/")
    if path.startswith("docs/"):
        return f"]({path.removeprefix('docs/')}{anchor})"
    if path in TOP:
        return f"]({TOP[path]}{anchor})"
    if path.startswith("notebooks/") and path.endswith(".ipynb"):
        return f"]({path.removesuffix('.ipynb')}.md{anchor})"
    return f"]({project_address()}/blob/main/{path}{anchor})"


def both_themes(text: str) -> str:
    """Return text in which each picture of the light theme has its dark one beside it."""
    pair = r"![\1](\2-light.\3#only-light)![\1](\2-dark.\3#only-dark)"
    return LIGHT_PICTURE.sub(pair, text)


@cache
def project_address() -> str:
    """Return the one address of the project."""
    manifest = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return manifest["project"]["urls"]["Repository"]


if __name__ == "__main__":
    sys.exit(main())
