"""Evaluations: models and chains over rows of examples, scored by checks."""

from __future__ import annotations

from chatnb.evaluation.checks import Check, Score, contains, equals, judge
from chatnb.evaluation.evaluate import Evaluation, EvaluationFailedError, Result, evaluate

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
