"""One JupyterLab for all the tests in this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.jupyterlab import JupyterLab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    lab = JupyterLab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.close()
