"""Build a JupyterLite in which chatnb runs in the browser: `python scripts/lite BUILDER FOLDER`.

The page asks no other server for anything: Pyodide comes from npm, the wheels from PyPI, and both
lie beside it. BUILDER is an environment with what builder.txt lists: its extensions would be loaded
by JupyterLab as well.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pyodide_files import LOCK, ROOT, install_pyodide, write_pyodide
from wheels import write_wheels

NOTEBOOK = ROOT / "notebooks" / "10_in_the_browser.ipynb"
COMMAND = Path("Scripts/jupyter-lite.exe" if sys.platform == "win32" else "bin/jupyter-lite")
KERNEL = "@jupyterlite/pyodide-kernel-extension"
EXTENSIONS = ("@jupyter-widgets/jupyterlab-manager", "anywidget", KERNEL)
# The kernel brings a stand-in for this package in two versions, and one of them is too old.
OLD_WHEEL = "widgetsnbextension-3."


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("builder", type=Path, help="the environment with what builds the page")
    parser.add_argument("folder", type=Path, help="where the page is written")
    options = parser.parse_args()
    builder, folder = options.builder.absolute(), options.folder.absolute()
    installed = builder / "share" / "jupyter" / "labextensions"
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as name:
        source = Path(name)
        write_source(source, installed / KERNEL / "static")
        build(builder / COMMAND, [installed / name for name in EXTENSIONS], source, folder)
    return 0


def write_source(source: Path, kernel: Path) -> None:
    """Write what JupyterLite builds the page from; `kernel` has the files of its kernel."""
    package = install_pyodide(source / "npm")
    check_version(package, kernel)
    info = json.loads((package / LOCK).read_text("utf-8"))["info"]
    python = info["python"].rpartition(".")[0]
    write_wheels(source / "wheels", python, f"pyemscripten_{info['abi_version']}_wasm32")
    wheels = sorted([*source.glob("wheels/*.whl"), *kernel.glob("pypi/*.whl")])
    wheels = [wheel for wheel in wheels if not wheel.name.startswith(OLD_WHEEL)]
    packages = write_pyodide(package, wheels, source / "static" / "pyodide")
    settings = {f"{KERNEL}:kernel": {"loadPyodideOptions": {"packages": packages}}}
    data = {"appName": "chatnb", "litePluginSettings": settings}
    config = {"jupyter-lite-schema-version": 0, "jupyter-config-data": data}
    (source / "jupyter-lite.json").write_text(json.dumps(config), "utf-8")
    shutil.copy(Path(__file__).with_name("overrides.json"), source)
    (source / "files").mkdir()
    notebook = fresh_notebook(json.loads(NOTEBOOK.read_text("utf-8")))
    (source / "files" / NOTEBOOK.name).write_text(json.dumps(notebook), "utf-8")


def fresh_notebook(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook as it is before it is run."""
    for cell in notebook["cells"]:
        # JupyterLite does not join the lines of a file.
        cell["source"] = "".join(cell["source"])
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    return notebook


def check_version(package: Path, kernel: Path) -> None:
    """Exit unless the Pyodide of npm's package is the one that the kernel is made for."""
    version = json.loads((package / "package.json").read_text("utf-8"))["version"]
    schema = json.loads((kernel / "schema" / "kernel.v0.schema.json").read_text("utf-8"))
    wanted = schema["properties"]["pyodideUrl"]["default"]
    if f"/v{version}/" not in wanted:
        sys.exit(f"scripts/lite/package.json has Pyodide {version}, the kernel wants {wanted}.")


def build(command: Path, extensions: Sequence[Path], source: Path, folder: Path) -> None:
    """Build the page with these extensions."""
    options = ["--lite-dir", source, "--output-dir", folder, "--contents", "files"]
    options += ["--no-sourcemaps", "--no-unused-shared-packages", "--ignore-sys-prefix", "*"]
    options += [part for app in ("notebooks", "tree", "lab") for part in ("--apps", app)]
    options += [f"--LiteBuildConfig.federated_extensions={path}" for path in extensions]
    subprocess.run([command, "build", *options], cwd=source, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
