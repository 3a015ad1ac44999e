"""Code that Python processes run at their start, if a notebook under test has started them."""

import sys
from contextlib import suppress
from pathlib import Path


def _start() -> None:
    try:
        from chatnb.errors import MissingRuntimeError
        from chatnb.pytest_plugin.in_kernel import start_child
    except ImportError:  # It is another Python, without chatnb, or without what that needs.
        return
    with suppress(MissingRuntimeError):
        start_child()


def _run_hidden() -> None:
    """Run the module of this name that this one hides, if there is one."""
    folder = str(Path(__file__).parent)
    sys.path[:] = [path for path in sys.path if path != folder]
    own = sys.modules.pop(__name__)
    with suppress(ModuleNotFoundError):
        __import__(__name__)
    sys.modules.setdefault(__name__, own)


_start()
_run_hidden()
