"""The marker `chatnb_evaluation`: a test that returns an evaluation whose scores reach a bound."""

from __future__ import annotations

from typing import Any

import pytest


def run_evaluation(function: pytest.Function, marker: pytest.Mark) -> None:
    """Call a marked test, and fail it if its evaluation is below the bound."""
    from chatnb.evaluation import Evaluation, EvaluationFailedError

    names = function._fixtureinfo.argnames  # pyright: ignore[reportPrivateUsage]
    returned: Any = function.obj(**{name: function.funcargs[name] for name in names})
    if not isinstance(returned, Evaluation):
        pytest.fail(
            f"{function.name} is marked chatnb_evaluation and returned {returned!r}: "
            "end it with `return chatnb.evaluate(...)`.",
            pytrace=False,
        )
    try:
        returned.require(*marker.args, **marker.kwargs)
    except EvaluationFailedError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
