"""Dates in outputs that are not of the recording's clock, so that they are others tomorrow."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from chatnb.pytest_plugin.masks.other_conditions import with_texts

_DAY = timedelta(days=1)
# As databases, shells and people write them; longer forms come first.
_FORMS = (
    *("%a %b {day} %Y", "%a, %d %b %Y", "%B {day}, %Y", "{day} %B %Y", "%b {day}, %Y"),
    *("%a %b %d", "%a %b {wide}", "%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y"),
    *("%m/%d/%Y", "%B {day}", "{day} %B", "%b %d", "%b {wide}", "{day} %b"),
)


def written_forms(day: date) -> list[str]:
    """Return the forms in which a date is written.

    Example:
        >>> written_forms(date(2026, 1, 2))[7:9]
        ['2026-01-02', '2026/01/02']
    """
    filled = (form.format(day=day.day, wide=f"{day.day:2}") for form in _FORMS)
    return [day.strftime(form) for form in filled]


def a_day_later(value: Any, today: date, kept: Sequence[str]) -> Any:
    """Return a copy of outputs in which today's date is that of tomorrow.

    Args:
        value: The outputs, or a part of them.
        today: The date of today.
        kept: Texts that have a date which stays as it is.

    Example:
        >>> a_day_later(["On 2026-01-31 at 9"], date(2026, 1, 31), [])
        ['On 2026-02-01 at 9']
    """
    return with_texts(copy.deepcopy(value), lambda text: _a_day_later(text, today, kept))


def _a_day_later(text: str, today: date, kept: Sequence[str]) -> str:
    for old, new in zip(written_forms(today), written_forms(today + _DAY), strict=True):
        if not any(old in each for each in kept):
            text = re.sub(rf"(?<!\w){re.escape(old)}(?!\d)", new, text)
    return text
