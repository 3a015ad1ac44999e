"""One JupyterLab for all the tests in this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.jupyterlab import JupyterLab, Notebook7


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    lab = JupyterLab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.close()


@pytest.fixture(scope="session")
def notebook7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    notebook = Notebook7(tmp_path_factory.mktemp("notebook"))
    yield notebook
    notebook.close()


@pytest.fixture(params=["lab", "notebook7"])
def jupyter(request: pytest.FixtureRequest) -> JupyterLab:
    """JupyterLab and Notebook 7 in turn."""
    return request.getfixturevalue(request.param)
