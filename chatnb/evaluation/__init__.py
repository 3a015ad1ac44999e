"""Evaluations: models and chains over rows of examples, scored by checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatnb.evaluation.checks import Check, Score, contains, equals, judge
from chatnb.evaluation.evaluate import Evaluation, EvaluationFailedError, Result, evaluate
from chatnb.lazy_names import lazy_names

__all__ = [
    "Check",
    "Evaluation",
    "EvaluationFailedError",
    "Result",
    "Score",
    "contains",
    "equals",
    "evaluate",
    "judge",
]

if not TYPE_CHECKING:  # LangChain's other names: chatnb/upstream_names.toml.
    __getattr__, _ = lazy_names(__name__, {})
