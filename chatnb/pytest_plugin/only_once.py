"""Scripts that are notebooks, kept from being modules of tests as well."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from chatnb.pytest_plugin.notebook import NotebookFile
from chatnb.pytest_plugin.notebook_files.text_notebooks import is_text_notebook


class OnlyOnce:
    """A pytest plugin that leaves such files to the collector of notebooks."""

    @pytest.hookimpl(wrapper=True)
    def pytest_collect_file(self, file_path: Path) -> Generator[None, Any, Any]:
        """Leave out the other collectors of such a file: they import it."""
        collectors: Any = yield
        if not is_text_notebook(file_path):
            return collectors
        return [each for each in collectors if isinstance(each, NotebookFile)]
