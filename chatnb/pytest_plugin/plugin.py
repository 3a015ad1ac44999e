"""The pytest plugin: `pytest --chatnb notebooks` runs notebooks against their recorded replies.

pytest loads this file in every project, so it imports nothing until it has work to do.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import pytest

DEFAULT_SECONDS = 120.0
_SUFFIXES = (".ipynb", ".py", ".md")
_NEED_CHATNB = (
    "chatnb_review",
    "chatnb_html",
    "chatnb_executed",
    "chatnb_one_test",
    "chatnb_parameter",
)
MARKER = (
    "chatnb_evaluation(at_least=1.0, **checks): the test returns what chatnb.evaluate returned, "
    "and fails if a mean score is below at_least, or below the bound given for its check"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    group = parser.getgroup("chatnb", "notebooks that call chat models")
    group.addoption(
        "--chatnb",
        action="store_true",
        help="run notebooks against notebooks/cassettes/NAME.yaml, and compare their outputs with "
        "the saved ones",
    )
    group.addoption(
        "--chatnb-record",
        action="store_true",
        help="record missing calls, drop unused ones, and save the new outputs in the notebooks",
    )
    group.addoption(
        "--chatnb-refresh",
        action="store_true",
        help="like --chatnb-record, but record all calls again",
    )
    group.addoption(
        "--chatnb-live",
        action="store_true",
        help="call the real models, and compare the types of outputs, not their text",
    )
    group.addoption(
        "--chatnb-allow-hosts",
        metavar="HOSTS",
        action="append",
        default=[],
        help="hosts, with commas between them, that notebooks may call in replays, and whose "
        "replies are not recorded, each with a :PORT if you like; `localhost` is this machine",
    )
    group.addoption(
        "--chatnb-clock",
        choices=("recorded", "real"),
        default="recorded",
        help="the date and time of notebooks, which start at the moment of the recording; and the "
        "seeds of random and numpy",
    )
    group.addoption(
        "--chatnb-html",
        metavar="DIR",
        help="write DIR/index.html with the saved and the new outputs side by side",
    )
    group.addoption(
        "--chatnb-executed",
        metavar="DIR",
        help="write each notebook into DIR as this run has executed it",
    )
    group.addoption(
        "--chatnb-one-test",
        action="store_true",
        help="report each notebook as one test, instead of each cell",
    )
    group.addoption(
        "--chatnb-parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="set a name of the cell that is tagged `parameters`; each set of values has a "
        "cassette of its own, which also keeps the outputs",
    )
    group.addoption(
        "--chatnb-prune",
        action="store_true",
        help="drop recorded replies that no notebook requests",
    )
    group.addoption(
        "--chatnb-review",
        nargs="?",
        const="page",
        choices=("page", "terminal"),
        help="at the end, show saved and new outputs of cells side by side, to accept or reject "
        "each: on a page (the default), or in the terminal",
    )
    group.addoption(
        "--chatnb-timeout",
        metavar="SECONDS",
        type=float,
        default=DEFAULT_SECONDS,
        help=f"time limit of a cell; default {DEFAULT_SECONDS:g}",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, check the combination of options, and prepare the report."""
    config.addinivalue_line("markers", MARKER)
    modes = _modes(config)
    if not config.getoption("chatnb"):
        if modes or any(config.getoption(name) for name in _NEED_CHATNB):
            raise _usage_error("--chatnb-... options need --chatnb")
        return
    if len(modes) > 1:
        raise _usage_error(f"{' and '.join(modes)} exclude each other")
    if not config.pluginmanager.hasplugin("nbval"):
        raise _usage_error('--chatnb needs nbval: pip install "chatnb[testing]"')
    if config.option.nbval or config.option.nbval_lax:
        raise _usage_error("--chatnb runs the notebooks itself; leave --nbval out")
    if getattr(config.option, "dist", "no") == "load":  # As -n alone has it.
        config.option.dist = "loadscope"
    if getattr(config.option, "dist", "no") not in ("no", "loadscope", "loadfile"):
        raise _usage_error("the cells of a notebook belong together: add --dist loadscope")
    from chatnb.pytest_plugin.notebook_files.parameters import parse_parameters
    from chatnb.pytest_plugin.only_once import OnlyOnce
    from chatnb.pytest_plugin.settings import read_settings

    try:
        config.option.chatnb_parameters = parse_parameters(config.option.chatnb_parameter)
    except ValueError as error:
        raise _usage_error(f"--chatnb-parameter: {error}") from None
    config.pluginmanager.register(OnlyOnce(), "chatnb-text-notebooks")
    config.option.chatnb_settings = read_settings(config.rootpath)
    if hasattr(config, "workerinput"):
        return
    from chatnb.pytest_plugin.reports.notes import Notes

    config.pluginmanager.register(Notes(), "chatnb-notes")
    if form := config.getoption("chatnb_review"):
        _register_review(config, form)
    if folder := config.getoption("chatnb_html"):
        from chatnb.pytest_plugin.reports.html_report import HtmlReport

        config.pluginmanager.register(HtmlReport(folder), "chatnb-html")


def _register_review(config: pytest.Config, form: str) -> None:
    from chatnb.pytest_plugin.reports.review import Review
    from chatnb.pytest_plugin.reports.review_page import review_on_page
    from chatnb.pytest_plugin.reports.review_terminal import review_in_terminal

    reviewer = review_on_page if form == "page" else review_in_terminal
    config.pluginmanager.register(Review(reviewer), "chatnb-review")


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """Run a test that is marked as an evaluation, instead of pytest."""
    marker = pyfuncitem.get_closest_marker("chatnb_evaluation")
    if marker is None:
        return None
    from chatnb.pytest_plugin.evaluations import run_evaluation

    run_evaluation(pyfuncitem, marker)
    return True


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Any:
    """Collect notebooks."""
    if file_path.suffix not in _SUFFIXES or not parent.config.getoption("chatnb"):
        return None
    if ".ipynb_checkpoints" in file_path.parts or _is_artefact(file_path, parent.config):
        return None
    from chatnb.pytest_plugin.notebook_files.text_notebooks import is_text_notebook

    if file_path.suffix != ".ipynb" and not is_text_notebook(file_path):
        return None
    from chatnb.pytest_plugin.notebook import NotebookFile

    collector: Any = NotebookFile
    return collector.from_parent(parent, path=file_path)


def _is_artefact(path: Path, config: pytest.Config) -> bool:
    """Return whether a file is in the folder of --chatnb-executed, where earlier runs wrote."""
    folder = config.getoption("chatnb_executed")
    return bool(folder) and path.is_relative_to(config.invocation_params.dir / folder)


def _modes(config: pytest.Config) -> list[str]:
    names = ("--chatnb-record", "--chatnb-refresh", "--chatnb-live", "--chatnb-prune")
    return [name for name in names if config.getoption(name)]


def _usage_error(message: str) -> Exception:
    import pytest

    return pytest.UsageError(message)
