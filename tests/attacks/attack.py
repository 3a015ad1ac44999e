"""Hostile texts in every output of a notebook, in a JupyterLab that trusts them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tests.attacks.page import Sprung, TrappedPage
from tests.attacks.surfaces import STDERR, SURFACES, Surfaces
from tests.attacks.texts import Text

WIDGETS = ("live reply", "live panel", "live run tree", "live usage table")
_SHOWN = ("text/html", "text/markdown", "text/markdown; untrusted", STDERR)
_PLAIN = ("text/plain", STDERR)
# Escapes of a terminal and marks that turn the reading direction; colours are IPython's.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_AT_ONCE = 80
T = TypeVar("T")


@dataclass
class Attack:
    """The texts of a run, and what became of them.

    Attributes:
        texts: How many texts there were.
        renderings: How many outputs were shown in the browser, by surface.
        printed: How many outputs were looked through for control characters.
        failures: A line for each trap that went off.
    """

    texts: int = 0
    renderings: dict[str, int] = field(default_factory=dict[str, int])
    printed: int = 0
    failures: list[str] = field(default_factory=list[str])

    def run(self, page: TrappedPage, surfaces: Surfaces, texts: Sequence[Text]) -> Attack:
        """Show each text on each surface."""
        for part in _parts(texts):
            self.texts += len(part)
            self._show_outputs(page, surfaces, part)
            self._show_widgets(page, part)
        return self

    def _show_outputs(self, page: TrappedPage, surfaces: Surfaces, texts: Sequence[Text]) -> None:
        # What several surfaces show alike is rendered once.
        shown = dict[tuple[str, str], tuple[Text, str]]()
        for text in texts:
            for name, bundle in surfaces.outputs(text.text):
                for mime, data in bundle.items():
                    if mime in _PLAIN:
                        self._look_through(text, name, data)
                    if mime in _SHOWN:
                        self._count(name, 1)
                        shown.setdefault((mime, data), (text, name))
        for part in _parts([(*about, output) for output, about in shown.items()]):
            self._try(part, page.show)

    def _show_widgets(self, page: TrappedPage, texts: Sequence[Text]) -> None:
        # As the wire does, which no surrogate comes through.
        given = [(text, text.text.encode(errors="replace").decode()) for text in texts]
        ways: Sequence[Callable[[Sequence[str]], list[Sprung]]] = (
            *(page.show_replies, page.show_panel, page.show_run_trees, page.show_usage_table),
        )
        for name, show in zip(WIDGETS, ways, strict=True):
            self._count(name, len(given))
            self._try([(text, name, raw) for text, raw in given], show)

    def _count(self, surface: str, outputs: int) -> None:
        self.renderings[surface] = self.renderings.get(surface, 0) + outputs

    def _try(
        self,
        shown: Sequence[tuple[Text, str, Any]],
        show: Callable[[Sequence[Any]], list[Sprung]],
    ) -> None:
        """Show outputs at once, and where that springs a trap, one by one."""
        if not (sprung := show([output for *_, output in shown])):
            return
        before = len(self.failures)
        for text, surface, output in shown:
            self.failures += _lines(text, surface, show([output]))
        if len(self.failures) == before:  # None alone does.
            self.failures += _lines(*shown[0][:2], sprung)

    def _look_through(self, text: Text, surface: str, printed: str) -> None:
        self.printed += 1
        found = _CONTROL.search(_COLOUR.sub("", printed))
        if found:
            trap = Sprung("control character", repr(found[0]))
            self.failures += _lines(text, f"{surface}, as text", [trap])


def _lines(text: Text, surface: str, sprung: Sequence[Sprung]) -> Iterator[str]:
    for trap in sprung[:1]:
        cause = f"text {text.number} ({text.kind}) {text.text!r}"
        yield f"{surface}: {trap.kind} {trap.what:.80} by {cause}"


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


def all_surfaces() -> list[str]:
    """Return the names of all surfaces."""
    return [*SURFACES, *WIDGETS]
