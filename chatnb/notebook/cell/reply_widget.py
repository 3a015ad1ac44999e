"""The widget of a reply while it streams, and its state in the browser."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

import traitlets

from chatnb.concurrency.portal import package_portal
from chatnb.notebook.widgets.base import (
    ComputedTrait,
    MountedWidget,
    ResendSchedule,
    read_static,
)
from chatnb.notebook.widgets.tool_calls import Decide, ItemToolCall, parse_decision

_FIRST_SNAPSHOT_CHARACTERS = 64


def snapshot_schedule(*, can_ask: bool) -> ResendSchedule:
    """Return when snapshots are sent: unasked only to a browser that cannot ask for them."""
    return ResendSchedule(math.inf if can_ask else _FIRST_SNAPSHOT_CHARACTERS)


class Snapshot(TypedDict):
    """The whole text up to and including the delta numbered `seq`, and the reasoning if any.

    `seconds` is the time since the reply was asked for.
    """

    seq: int
    text: str
    reasoning: NotRequired[str]
    seconds: NotRequired[float]


class Delta(TypedDict):
    """The next text and reasoning; numbers run 1, 2, 3 without a gap."""

    type: Literal["delta"]
    seq: int
    text: str
    reasoning: NotRequired[str]


class Stop(TypedDict):
    """Stop the reply."""

    type: Literal["stop"]


class Resync(TypedDict):
    """Ask for a snapshot: the browser has missed a delta."""

    type: Literal["resync"]


class GetCode(TypedDict):
    """Ask for the code of the view, which the page does not have."""

    type: Literal["get_code"]


class Code(TypedDict):
    """The code of the view: the source of a module, and a style sheet."""

    type: Literal["code"]
    esm: str
    css: str


Request: TypeAlias = Stop | Resync | GetCode | Decide


def view_code() -> Code:
    """Return the code of the view."""
    return Code(type="code", esm=read_static("cell.js"), css=read_static("cell.css"))


class ReplyState:
    """The text of a reply and the number of the last delta."""

    # A browser that missed a delta asks for a snapshot. Where the kernel receives no messages while
    # a cell runs (`can_ask` is False), one is due whenever the text has grown fourfold.

    def __init__(self, *, can_ask: bool = True) -> None:
        self._sent: list[str] = []
        self._waiting: list[str] = []
        self._reasoning: list[str] = []
        self._waiting_reasoning: list[str] = []
        self._ending = ""
        self._seq = 0
        self._length = 0
        self._schedule = snapshot_schedule(can_ask=can_ask)

    def push(self, text: str) -> None:
        """Add the next text."""
        if text:
            self._waiting.append(text)

    def push_reasoning(self, text: str) -> None:
        """Add the next text of the reasoning."""
        if text:
            self._waiting_reasoning.append(text)

    def take_delta(self) -> Delta | None:
        """Return the text since the last delta, or None if there is none."""
        if not (self._waiting or self._waiting_reasoning):
            return None
        text, reasoning = "".join(self._waiting), "".join(self._waiting_reasoning)
        self._waiting.clear()
        self._waiting_reasoning.clear()
        self._sent.append(text)
        self._seq += 1
        self._length += len(text) + len(reasoning)
        delta = Delta(type="delta", seq=self._seq, text=text)
        if reasoning:
            self._reasoning.append(reasoning)
            delta["reasoning"] = reasoning
        return delta

    def take_due_snapshot(self) -> Snapshot | None:
        """Return a snapshot if the text has grown enough since the last one, else None."""
        return self.snapshot() if self._schedule.is_due(self._length) else None

    def snapshot(self) -> Snapshot:
        """Return the text up to the last delta."""
        self._sent = ["".join(self._sent)]
        snapshot = Snapshot(seq=self._seq, text=self._sent[0] + self._ending)
        if self._reasoning:
            self._reasoning = ["".join(self._reasoning)]
            snapshot["reasoning"] = self._reasoning[0]
        return snapshot

    def end(self, below: str) -> None:
        """Add what stands below the text of a reply that has ended, in snapshots from now on."""
        if below:
            self._ending = f"\n\n{below}"
            self._seq += 1

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join([*self._sent, *self._waiting])

    @property
    def sent_length(self) -> int:
        """The number of characters in all deltas."""
        return self._length


class StreamedWidget(MountedWidget):
    """A widget of one reply or several that stream, with a Stop button.

    All methods but the constructor and `retire` run on the thread of the replies.
    """

    # Text goes to the browser as numbered deltas; a browser that comes late or has missed one
    # starts from the snapshot.

    # The code of the view is large: where a page has it in another model, `code_model`, the widget
    # brings a loader of it, which asks for the code if that model is not there.

    _esm = ComputedTrait[str](
        lambda view: read_static("reply_loader.js" if view.code_model else "cell.js")
    ).tag(sync=True)
    _css = ComputedTrait[str](lambda view: "" if view.code_model else read_static("cell.css")).tag(
        sync=True
    )

    code_model = traitlets.Unicode("").tag(sync=True)
    stop_with = traitlets.Unicode("message").tag(sync=True)

    _highlighter_sent = False

    def __init__(
        self,
        on_stop: Callable[[], None],
        *,
        on_delta: Callable[[], None] = lambda: None,
        mounts: bool = False,
        **traits: Any,
    ) -> None:
        # The output of a cell is the widget's own while it streams.
        super().__init__(**({} if mounts else {"mount_point": ""}), **traits)
        self._begun = time.monotonic()
        self._on_stop, self._on_delta = on_stop, on_delta

    def end(self) -> None:
        """Send the text that still waits."""
        self.flush()

    def send_highlighter(self) -> None:
        """Send the code highlighter."""
        StreamedWidget._highlighter_sent = True
        super().send_highlighter()

    def _send_delta(self, delta: Mapping[str, Any]) -> None:
        self.send(delta)
        self._on_delta()
        if not StreamedWidget._highlighter_sent and "```" in delta["text"]:
            self.send_highlighter()

    def _timed(self, snapshot: Snapshot) -> Snapshot:
        return {**snapshot, "seconds": round(time.monotonic() - self._begun, 3)}

    async def _send_snapshot(self) -> None:
        """Send the whole text to a browser that asks; on the loop that sends deltas."""
        raise NotImplementedError

    def _on_message(self, content: Any, buffers: Sequence[Any]) -> None:
        match content:
            case {"type": "stop"}:
                self._on_stop()
            case {"type": "resync"}:
                package_portal.submit(self._send_snapshot())
            case {"type": "get_code"}:
                self.send(view_code())
            case _:
                return


class ReplyView(StreamedWidget):
    """A reply as it streams: Markdown, a status line, a Stop button."""

    snapshot = traitlets.Dict({"seq": 0, "text": ""}).tag(sync=True)
    phase = traitlets.Unicode("waiting").tag(sync=True)
    model_name = traitlets.Unicode("").tag(sync=True)
    footer = traitlets.Unicode("").tag(sync=True)
    note = traitlets.Unicode("").tag(sync=True)
    calls = traitlets.List(traitlets.Dict()).tag(sync=True)
    media = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """The addresses of the pictures and sounds of a reply that has ended."""

    def __init__(
        self,
        on_stop: Callable[[], None],
        *,
        model_name: str,
        stop_with: str,
        on_delta: Callable[[], None] = lambda: None,
        mounts: bool = False,
        code_model: str = "",
        on_decide: Callable[[Decide], object] = lambda decision: None,
    ) -> None:
        super().__init__(
            on_stop,
            on_delta=on_delta,
            mounts=mounts,
            model_name=model_name,
            stop_with=stop_with,
            code_model=code_model,
        )
        self._state = ReplyState(can_ask=stop_with == "message")
        self._on_decide = on_decide

    def append(self, text: str) -> None:
        """Show the next text."""
        self._state.push(text)
        self.wake()

    def append_reasoning(self, text: str) -> None:
        """Show the next text of the reasoning."""
        self._state.push_reasoning(text)
        self.wake()

    def show_note(self, text: str) -> None:
        """Show a note while the reply is waited for."""
        self.note = text

    def show_calls(self, calls: Sequence[ItemToolCall]) -> None:
        """Show the tool calls of the reply, below the text."""
        self.flush()
        self.calls = list(calls)
        if self.phase == "waiting":
            self.phase = "streaming"

    def _send_new(self) -> bool:
        delta = self._state.take_delta()
        if delta is None:
            return False
        if self.phase == "waiting":
            self.phase = "streaming"
        self._send_delta(delta)
        snapshot = self._state.take_due_snapshot()
        if snapshot is not None:
            self.snapshot = self._timed(snapshot)
        return True

    @property
    def text(self) -> str:
        """The text so far."""
        return self._state.text

    async def _send_snapshot(self) -> None:
        # send_state sends the trait also if it is unchanged: the browser may have missed it.
        self.set_trait("snapshot", self._timed(self._state.snapshot()))
        self.send_state("snapshot")

    def _on_message(self, content: Any, buffers: Sequence[Any]) -> None:
        decision = parse_decision(content)
        if decision is None:
            super()._on_message(content, buffers)
        else:
            self._on_decide(decision)
