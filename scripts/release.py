"""Check that a release could go out: `python scripts/release.py [--tag v0.2.0]`.

Builds the wheel and the sdist into dist/, checks their metadata and contents, and replays the
notebooks against the installed wheel, in a clean environment for each Python that is found.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from uv import find_uv_bin

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
IN_VENV = Path("Scripts/python.exe" if os.name == "nt" else "bin/python")
IMPORT = re.compile(r"^(?:import|from) (\w+)", re.MULTILINE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", help="the tag of the release, such as v0.2.0")
    tag = parser.parse_args().tag
    wheel, sdist = build()
    problems = [*version_problems(wheel, tag), *content_problems(wheel, sdist)]
    for problem in problems:
        print(f"- {problem}")
    if problems:
        return 1
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    for version in PYTHONS:
        replay_notebooks(wheel, version)
    print("Ready. Push the tag, and the release workflow publishes it.")
    return 0


def build() -> tuple[Path, Path]:
    """Build into an empty dist/, and return the wheel and the sdist."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--installer", "uv", ROOT)
    (wheel,), (sdist,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    return wheel, sdist


def version_problems(wheel: Path, tag: str | None) -> list[str]:
    """Compare the version of the wheel with the tag, CITATION.cff, the recipe and the changelog."""
    version = wheel.name.split("-")[1]
    found = list[str]()
    if tag is not None and tag != f"v{version}":
        found.append(f"The tag is {tag}, and chatnb/__init__.py says {version}.")
    for name in ("CITATION.cff", "conda/recipe.yaml"):
        if not re.search(rf'version: "?{re.escape(version)}"?\n', (ROOT / name).read_text("utf-8")):
            found.append(f"{name} has another version than {version}.")
    if tag is not None and f"## {version}" not in (ROOT / "CHANGELOG.md").read_text("utf-8"):
        found.append(f'CHANGELOG.md has no "## {version}": rename "## Unreleased".')
    return found


def content_problems(wheel: Path, sdist: Path) -> list[str]:
    """Look for what is missing in the distributions, and for the licences of bundled JavaScript."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        licences = archive.read("chatnb/static/LICENSES.txt").decode()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        readme = archive.read(metadata).decode().split("\n\n", 1)[1]
    with tarfile.open(sdist) as archive:
        sources = {name.split("/", 1)[-1] for name in archive.getnames()}
    wanted = ["chatnb/py.typed", "chatnb/static/cell.js", "chatnb/notebooks/01_welcome.ipynb"]
    found = [f"The wheel lacks {name}." for name in wanted if name not in names]
    wanted = ["pyproject.toml", "hatch_build.py", "js/package-lock.json", "tests/conftest.py"]
    found += [f"The sdist lacks {name}." for name in wanted if name not in sources]
    package = json.loads((ROOT / "js/package.json").read_text("utf-8"))
    for name in package.get("dependencies", {}):
        if name not in licences:
            found.append(f"chatnb/static/LICENSES.txt lacks the licence of {name}.")
    found += [
        f"The README of the metadata links to {link}, which exists only in the repository."
        for link in re.findall(r'(?:\]\(|src="|srcset=")(?!https?:|#)([^)"]+)', readme)
    ]
    return found


def replay_notebooks(wheel: Path, version: str) -> None:
    """Install the wheel for a Python, and replay the notebooks outside the repository."""
    uv = find_uv_bin()
    interpreter = find_python(uv, version)
    if interpreter is None:
        print(f"No Python {version} here, so nothing was tried with it.")
        return
    print(f"Python {version}: {interpreter}")
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder, "venv", IN_VENV)
        run(uv, "venv", "--quiet", "--python", interpreter, Path(folder, "venv"))
        package = f"chatnb[ipyparallel,jinja2,lab,local,mcp,testing] @ {wheel.as_uri()}"
        constraints = ("-c", ROOT / "constraints.txt", *imported_packages())
        run(uv, "pip", "install", "--quiet", "--python", python, package, *constraints)
        shutil.copytree(ROOT / "notebooks", Path(folder, "notebooks"))
        run(python, "-m", "pytest", "-q", "--chatnb", "notebooks", cwd=folder)


def find_python(uv: str, version: str) -> str | None:
    """Return the path of a Python that uv finds, or that pyenv has; None if there is none."""
    # uv does not look into pyenv's folder, and pyenv's commands on PATH may only print an error.
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    folders = [*(str(folder) for folder in pyenv.glob("*/bin")), os.environ["PATH"]]
    search = {**os.environ, "PATH": os.pathsep.join(folders)}
    command = [uv, "python", "find", version]
    found = subprocess.run(command, env=search, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


def imported_packages() -> set[str]:
    """Return the packages that cells of the notebooks import, besides chatnb and Python's own."""
    names = set[str]()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                names |= set(IMPORT.findall("".join(cell["source"])))
    return names - sys.stdlib_module_names - {"chatnb"}


def run(*command: str | Path, cwd: str | Path = ROOT) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(command, cwd=cwd, env=environment, check=True)


if __name__ == "__main__":
    sys.exit(main())
