"""An extension of griffe, which reads docstrings for the reference."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object


class ExamplesAreCode(Extension):
    """Reads `Example:` as the section that griffe calls `Examples:`, which is shown as code."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = re.sub(r"(?m)^Example:$", "Examples:", obj.docstring.value)
