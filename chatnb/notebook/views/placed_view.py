"""The base of the widgets that are shown in places of the page, as `places` has them."""

from __future__ import annotations

import anywidget
import traitlets


class PlacedView(anywidget.AnyWidget):
    """A widget that shows itself wherever the page has a place of its name."""

    place = traitlets.Unicode("").tag(sync=True)
    """The name of the places, which are the static forms in the outputs."""

    def retire(self) -> None:
        """Leave nothing of the widget behind, in the browser or in a saved notebook."""
        layout = self.layout
        self.close()
        layout.close()
