"""The widget with the buttons of a proposed change, in JupyterLab and Notebook 7."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypedDict, get_args

import traitlets

from chatnb.markdown.mimebundle import Mimebundle
from chatnb.notebook.cell.proposal import Decision, Proposal, proposal_mimebundle
from chatnb.notebook.widgets.base import MountedWidget, WidgetOutputs, static_file


class Decide(TypedDict):
    """Tell what has become of the proposal in the page."""

    type: Literal["decide"]
    decision: Decision


class ProposalView(MountedWidget):
    """Accept and Reject, which the page does by itself, as it has the cells."""

    _esm = static_file("proposal.js")
    _css = static_file("proposal.css")

    number = traitlets.Int().tag(sync=True)
    old_source = traitlets.Unicode().tag(sync=True)
    new_source = traitlets.Unicode().tag(sync=True)
    decided = traitlets.Dict().tag(sync=True)
    """The output after each decision, which the page shows itself once the kernel is gone."""

    def __init__(self, proposal: Proposal) -> None:
        self._proposal = proposal
        self.decision: Decision | None = None
        super().__init__(
            number=proposal.number,
            old_source=proposal.old,
            new_source=proposal.new,
            decided={name: proposal_mimebundle(proposal, name) for name in get_args(Decision)},
        )
        self._outputs = WidgetOutputs(self)

    def publish(self) -> None:
        """Show the proposal as an output of the running cell."""
        self._outputs.publish()

    def static_mimebundle(self, mount: str = "") -> Mimebundle:
        """Return the diff, and what was decided."""
        return proposal_mimebundle(self._proposal, self.decision, mount)

    def _on_message(self, content: Any, buffers: Sequence[Any]) -> None:
        match content:
            case {"type": "decide", "decision": "accepted" | "inserted" | "rejected" as decision}:
                self._decide(decision)
            case _:
                return

    def _decide(self, decision: Decision) -> None:
        if self.decision is None:
            self.decision = decision
            self._outputs.update("static")
            self.retire()
