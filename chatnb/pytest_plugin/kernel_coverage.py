"""Coverage of code that notebooks call, measured in their kernels as pytest-cov does in its own."""

# pyright: standard
# pytest-cov and coverage need not be installed.

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest


def coverage_config(config: pytest.Config) -> Any:
    """Return the configuration by which nbval measures coverage in a kernel, or None for none.

    nbval hands paths on as they were given, but a kernel runs in the folder of its notebook; and
    it knows neither a plain `--cov` nor the sources in a configuration file.
    """
    controller = getattr(config.pluginmanager.getplugin("_cov"), "cov_controller", None)
    coverage = getattr(controller, "cov", None)
    if coverage is None:
        return None
    folder = config.invocation_params.dir
    source = coverage.config.source
    option = SimpleNamespace(
        cov_source=source and [_absolute(name, folder) for name in source],
        cov_config=getattr(coverage.config, "config_file", None) or False,
    )
    return SimpleNamespace(option=option, pluginmanager=config.pluginmanager)


def _absolute(name: str, folder: Path) -> str:
    """Return the path of a folder; a name of a package stays as it is."""
    path = folder / name
    return str(path) if path.is_dir() else name
