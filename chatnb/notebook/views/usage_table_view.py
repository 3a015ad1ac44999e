"""The widget of a usage table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import traitlets

from chatnb.notebook.views.placed_view import PlacedView
from chatnb.notebook.views.usage_table_wire import usage_wire
from chatnb.schema.model_call import ModelCall

_STATIC = Path(__file__).parent.parent.parent / "static"


class UsageTableView(PlacedView):
    """A usage table in the browser, which has all rows and asks for nothing.

    Args:
        calls: The rows.
        place: The name of the places in a page where the browser shows the table, which are the
            static tables in the outputs.
    """

    _esm = _STATIC / "usage_table.js"
    _css = _STATIC / "usage_table.css"

    table = traitlets.Dict().tag(sync=True)

    def __init__(self, calls: Sequence[ModelCall], place: str) -> None:
        super().__init__(place=place, table=usage_wire(calls))
