"""The base classes of all widgets."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NoReturn, TypedDict, TypeVar
from uuid import uuid4

import anywidget
import traitlets
from ipywidgets import Layout
from traitlets import Bunch

from chatnb.concurrency.locks import Lock
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.notebook.widgets import front_end
from chatnb.notebook.widgets.mounting import WIDGET_VIEW, publish
from chatnb.terminal import SafeText

T = TypeVar("T")

STATIC = Path(__file__).parents[2] / "static"
"""The built JavaScript and CSS."""
_GROWTH = 4


class ComputedTrait(traitlets.TraitType[T, T]):
    """A trait that is computed, and that `choose` changes; `notify` of its widget tells of it."""

    def __init__(
        self, compute: Callable[[Any], T], choose: Callable[[Any, T], None] | None = None
    ) -> None:
        super().__init__(read_only=choose is None)
        self._compute, self._choose = compute, choose

    def get(self, obj: traitlets.HasTraits, cls: object = None) -> T:
        """Return the value as it is now."""
        return self._compute(obj)

    def set(self, obj: traitlets.HasTraits, value: T) -> None:
        """Change what the value is computed from."""
        assert self._choose is not None
        self._choose(obj, value)


@cache
def read_static(name: str) -> str:
    """Return the text of a built file."""
    return (STATIC / name).read_text(encoding="utf-8")


def static_file(name: str) -> ComputedTrait[str]:
    """Return the trait of a built file."""
    # Of a path, anywidget would make a watched file, which keeps every widget alive.
    return ComputedTrait[str](lambda _: read_static(name)).tag(sync=True)


class GetHighlighter(TypedDict):
    """Ask for the code highlighter."""

    type: Literal["get_highlighter"]


class Highlighter(TypedDict):
    """The code highlighter, as the source of a module."""

    type: Literal["highlighter"]
    source: str


class ResendSchedule:
    """Decides when to send everything again to a browser that the kernel does not hear."""

    # A browser that is not ready yet has missed what was sent, and cannot ask for it while a cell
    # runs. One resend each time the length has grown fourfold costs at most 4/3 of the length.

    def __init__(self, first: float = 1) -> None:
        self._next = first

    def is_due(self, length: int) -> bool:
        """Return whether to resend now; if so, the next time is later."""
        if length < self._next:
            return False
        self._next = _GROWTH * length
        return True

    def stop(self) -> None:
        """Resend no more: the browser asks for what it misses."""
        self._next = math.inf


class Widget(anywidget.AnyWidget):
    """A widget that sends what is new at most every 50 ms."""

    # Subclasses set `_esm` and `_css` to built files, override `_send_new` and `_on_message`.

    # Short enough to look continuous, long enough to send few messages.
    flush_seconds = 0.05

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._flushed_at = 0.0
        self._flush_timer: asyncio.TimerHandle | None = None
        self.on_msg(self._receive)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} is shown by this kernel and cannot be pickled. Pickle what it "
            "shows: its conversation, log or calls."
        )

    def wake(self) -> None:
        """Send what is new, soon; on the event loop's thread."""
        if self._flush_timer is None:
            waiting = max(0.0, self._flushed_at + self.flush_seconds - time.monotonic())
            self._flush_timer = asyncio.get_running_loop().call_later(waiting, self.flush)

    def flush(self) -> bool:
        """Send what is new, now; return whether there was anything."""
        self.cancel_flush()
        self._flushed_at = time.monotonic()
        return self._send_new()

    def cancel_flush(self) -> None:
        """Forget a flush that is due."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None

    def send_highlighter(self) -> None:
        """Send the code highlighter, which browsers load only once there is code."""
        self.send(Highlighter(type="highlighter", source=read_static("highlighter.js")))

    def retire(self) -> None:
        """Leave nothing of the widget behind, in the browser or in a saved notebook."""
        layout = self.layout
        self.close()
        layout.close()

    def _send_new(self) -> bool:
        return False

    def _on_message(self, content: Any, buffers: Sequence[Any]) -> None:
        """Handle a message from the browser, which is untrusted input; on any thread."""

    def _receive(self, _widget: object, content: Any, buffers: Sequence[Any]) -> None:
        if isinstance(content, dict) and content.get("type") == "get_highlighter":
            self.send_highlighter()
        else:
            self._on_message(content, buffers or ())


class MountedWidget(Widget):
    """A widget that a notebook file keeps as its static form, in which a page shows it.

    It goes into the containers of ipywidgets and the outputs of other front ends as any widget.
    """

    mount_point = traitlets.Unicode("").tag(sync=True)
    _is_made = False

    def setup_instance(self, /, *args: Any, **kwargs: Any) -> None:
        """Make what `observe` needs."""
        # Handlers of the class are added here, and only observed traits are kept and compared.
        self._told = dict[str, object]()
        super().setup_instance(*args, **kwargs)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**{"mount_point": uuid4().hex, **traits})
        self._is_made = True

    def __del__(self) -> None:
        """Do nothing: ipywidgets keeps a widget that is open, and others have nothing to close."""

    def open(self) -> None:
        """Open the comm, with which the state is sent to the browser."""
        # The constructor of ipywidgets opens it at once. Many a table is never shown, and a program
        # that runs a notebook would save the source of the widget in the file.
        if not self._is_made or self.comm is not None:
            return
        self._prepare()
        if self.layout.comm is None:
            self.layout = Layout()
        super().open()

    def _prepare(self) -> None:
        """Set the traits that are sent when the comm is opened."""

    @property
    def model_id(self) -> str:
        """The id of the comm, which is opened for whoever asks: a container or a front end."""
        if self.comm is None:
            self.open()
        return super().model_id

    def close(self) -> None:
        """Close the comm, which removes the widget from pages; it can be shown again."""
        if self.comm is None:
            return
        layout = self.layout
        super().close()
        layout.close()
        self._model_id = None  # A browser may still be removing the model of that id.
        # ipywidgets has put None in front of the method.
        vars(self).pop("_repr_mimebundle_", None)

    def retire(self) -> None:
        """Leave nothing of the widget behind, in the browser or in a saved notebook."""
        self.close()

    @property
    def is_observed(self) -> bool:
        """True if `notify` has observers of computed traits to tell."""
        return bool(self._told)

    def observe(self, handler: Any, names: Any = traitlets.All, type: Any = "change") -> None:
        """Call a function when a trait changes, as with every widget."""
        observed = {*traitlets.parse_notifier_name(names)}
        super().observe(handler, [*observed], type)
        for name, trait in self.traits(sync=None).items():
            is_computed = isinstance(trait, ComputedTrait) and name not in self._told
            if is_computed and observed & {name, traitlets.All}:
                self._told[name] = getattr(self, name) if self._is_made else traitlets.Undefined

    def notify(self) -> None:
        """Tell the observers of computed traits of their values, if these have changed."""
        # All of one moment: an observer may block until much has changed.
        values = {name: getattr(self, name) for name in list(self._told)}
        for name, new in values.items():
            old = self._told[name]
            if old != new:
                self._told[name] = new
                change = Bunch(name=name, old=old, new=new, owner=self, type="change")
                self.notify_change(change)

    def static_mimebundle(self, mount: str = "") -> Mimebundle:
        """Return the static form; with a name, a page shows the widget in it."""
        raise NotImplementedError

    def mimebundle(self, form: front_end.Form) -> tuple[Mimebundle, dict[str, Any]]:
        """Return an output that shows the widget, and its metadata."""
        if form == "mounted":
            self.open()
            return self.static_mimebundle(self.mount_point), {}
        static = self.static_mimebundle()
        if form == "widget":
            # Its metadata names the widget manager of Colab.
            data, metadata = super()._repr_mimebundle_() or ({}, {})
            return {**static, WIDGET_VIEW: data[WIDGET_VIEW]}, metadata
        if form == "text":
            return {"text/plain": static.get("text/plain", SafeText(""))}, {}
        return static, {}

    def _repr_mimebundle_(self, **_: object) -> Any:
        data, metadata = self.mimebundle(front_end.widget_form())
        return (data, metadata) if metadata else data


class WidgetOutputs:
    """The outputs that show a widget, whose static form they follow."""

    def __init__(self, widget: MountedWidget) -> None:
        self._widget = widget
        self._forms: dict[str, front_end.Form] = {}
        self._updating = Lock()

    def publish(self) -> None:
        """Show the widget as an output of the running cell."""
        form, display_id = front_end.widget_form(), ""
        # An update meanwhile, as of a run that ends, would be lost: its output is not there yet.
        with self._updating:
            if form in ("mounted", "widget"):
                display_id = uuid4().hex
                self._forms[display_id] = form
            data, metadata = self._widget.mimebundle(form)
            publish(data, display_id, metadata=metadata)

    def update(self, form: front_end.Form | None = None) -> None:
        """Show the widget as it is now in all outputs, or in another form; from any thread."""
        # A run may end while its tree is closed: outputs of a closed widget stay static.
        with self._updating:
            for display_id, published in self._forms.items():
                self._forms[display_id] = shown = form or published
                data, metadata = self._widget.mimebundle(shown)
                publish(data, display_id, metadata=metadata, update=True)
