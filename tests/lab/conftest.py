"""JupyterLab and Notebook 7, one of each for all the tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.lab.jupyterlab import JupyterLab, Notebook7


@pytest.fixture(scope="session")
def notebook7(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    notebook = Notebook7(tmp_path_factory.mktemp("notebook"))
    yield notebook
    notebook.close()


@pytest.fixture(params=["lab", pytest.param("notebook7", marks=pytest.mark.thorough)])
def jupyter(request: pytest.FixtureRequest) -> JupyterLab:
    """JupyterLab and Notebook 7 in turn."""
    return request.getfixturevalue(request.param)
