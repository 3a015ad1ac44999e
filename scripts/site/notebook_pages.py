"""The notebooks as pages, with the outputs that are saved in them."""

from __future__ import annotations

import re
from pathlib import Path

from nbconvert import MarkdownExporter
from traitlets.config import Config

# The static forms of trees and tables are HTML; replies are Markdown.
PRIORITY = ["text/html", "text/markdown", "image/png", "text/plain"]


def write_notebooks(source: Path, folder: Path) -> None:
    """Write a page for each notebook of a folder."""
    folder.mkdir()
    exporter = MarkdownExporter(
        config=Config({"NbConvertBase": {"display_data_priority": PRIORITY}})
    )
    for path in sorted(source.glob("*.ipynb")):
        body, resources = exporter.from_filename(str(path))
        for name, data in resources["outputs"].items():
            (folder / name).write_bytes(data)
        text = re.sub(r"\((\w+)\.ipynb\)", r"(\1.md)", body)
        (folder / f"{path.stem}.md").write_text(text, "utf-8")
