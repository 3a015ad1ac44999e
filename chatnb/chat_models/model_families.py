"""The default models, and the parameters that families of models refuse.

As of 2026-11-28. `tests/chat_models/test_model_families.py` compares both with the models that the
installed SDKs name, so that an update of an SDK with a new generation fails there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from chatnb.terminal import warn

DEFAULT_MODELS = {"openai": "gpt-6-luna", "anthropic": "claude-haiku-5-5"}
"""The smallest models of the newest generations, by provider."""


class Family(NamedTuple):
    """Models, by the beginning of their names, and the parameters for which they fail."""

    names: re.Pattern[str]
    refused: frozenset[str]
    # The models of the family that take the parameters once they do not reason.
    without_reasoning: re.Pattern[str] | None = None


OPENAI_FAMILIES = (
    # Source: https://platform.openai.com/docs/guides/reasoning, .../guides/latest-model
    Family(
        re.compile(r"(?:openai/)?(?:o[134]\b|gpt-(?:[5-9]|\d\d)(?!\d*-chat))"),
        frozenset(
            {
                *("temperature", "top_p", "presence_penalty", "frequency_penalty"),
                *("logprobs", "top_logprobs", "logit_bias"),
            }
        ),
        without_reasoning=re.compile(r"(?:openai/)?gpt-(?:5\.[1-9]|[6-9]|\d\d)"),
    ),
)
ANTHROPIC_FAMILIES = (
    # All but those that took them before version 4.7.
    # Source: https://platform.claude.com/docs/en/about-claude/models/migration-guide
    Family(
        re.compile(
            r"(?:anthropic/)?claude-"
            r"(?=.*\d|mythos)(?![123]|instant|(?:opus|sonnet|haiku)-4(?:-[0-6]\b|-\d{6}|-latest|@|$))"
        ),
        frozenset({"temperature", "top_p", "top_k"}),
    ),
)
# Values that ask for nothing, which are left out without a word.
_DEFAULTS = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}


def drop_refused(families: Sequence[Family], names: Iterable[str], params: dict[str, Any]) -> None:
    """Remove the parameters that a model's family refuses, with one warning for each model."""
    given = {name: value for name, value in params.items() if value is not None}
    for model in names:
        for family in families:
            refused = family.refused & given.keys()
            if not refused or not family.names.match(model) or _takes_all(family, model, given):
                continue
            for name in refused:
                del params[name]
            asked = (n for n in refused if given[n] is not False and given[n] != _DEFAULTS.get(n))
            told = sorted(asked)
            if told:
                _warn(model, ", ".join(told))
            return


def _takes_all(family: Family, model: str, params: Mapping[str, Any]) -> bool:
    if family.without_reasoning is None or not family.without_reasoning.match(model):
        return False
    reasoning: Mapping[str, Any] = params.get("reasoning") or {}
    return (reasoning.get("effort") or params.get("reasoning_effort")) == "none"


@cache
def _warn(model: str, names: str) -> None:
    warn(f"{model} takes no {names}, so that is left out.", stacklevel=2)
