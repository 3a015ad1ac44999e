"""The display of a cell's reply in a terminal: Markdown by rich where it is installed, or text."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from functools import cache
from threading import RLock, Timer
from typing import TYPE_CHECKING, Any

from chatnb.markdown.mimebundle import Mimebundle
from chatnb.notebook.reply_stream import Reply
from chatnb.notebook.widgets.footer import reply_footer
from chatnb.notebook.widgets.front_end import chosen_view, current_kernel
from chatnb.notebook.widgets.tool_calls import ItemToolCall, call_text, provider_calls
from chatnb.schema.content.outputs import rest_markdown
from chatnb.terminal import SafeText, write_text

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.markdown import Markdown

# Short enough to look continuous; each time, the block that grows is parsed again.
_FLUSH_SECONDS = 0.1
# A block that grows is redrawn in place, for which it must be in sight as a whole.
_SPARE_LINES = 2


class TerminalDisplay:
    """A terminal: plain text as it comes."""

    def __init__(self, model_name: str) -> None:
        self._model_name = model_name
        self._calls = _PrintedCalls()
        self._in_line = self._below_calls = False

    def append(self, text: str) -> None:
        """Print the next text."""
        text = text.lstrip("\n") if self._below_calls else text
        if text:
            write_text(text)
            self._below_calls, self._in_line = False, not text.endswith("\n")

    def append_reasoning(self, text: str) -> None:
        """Print nothing: the answer is what one asked for."""

    def show_note(self, text: str) -> None:
        """Print the note on a line."""
        if text:
            write_text(f"{self._model_name}: {text}\n")

    def show_calls(self, calls: Sequence[ItemToolCall]) -> None:
        """Print the calls that have come to their end since."""
        if self._in_line:
            write_text("\n")
            self._in_line = False
        for line in self._calls.new_lines(calls):
            write_text(f"{line}\n")
            self._below_calls = True

    def end(self) -> None:
        """Print nothing: no text was held back."""

    def reserve_footer(self) -> None:
        """Reserve nothing: what is printed next comes after the footer."""

    def finish(self, reply: Reply, notice: str, shown: Mimebundle | None = None) -> None:
        """Print the parts of the reply that are no text, and the footer."""
        rest = "" if shown is not None else rest_markdown(reply.parts, shows_media=False)
        lines = ["", *([rest, ""] if rest else []), *_calls_of_provider(reply)]
        write_text("\n".join([*lines, footer_of(reply, self._model_name), *_lines(notice), ""]))


class MarkdownTerminalDisplay:
    """A terminal with rich: finished blocks of Markdown stay, and the last one grows in place."""

    def __init__(self, model_name: str, console: Console) -> None:
        from rich.live import Live

        self._model_name, self._console = model_name, console
        self._calls = _PrintedCalls()
        self._open, self._drawn_at = "", 0.0
        self._lock = RLock()
        self._timer: Timer | None = None
        # rich's own thread would draw while text above it is printed, and repeat lines.
        self._live: Live | None = Live(
            console=console,
            get_renderable=lambda: _Block(self._open, is_growing=True),
            auto_refresh=False,
            transient=True,
        )

    def append(self, text: str) -> None:
        """Show the next text, soon."""
        with self._lock:
            if self._live is None:
                return
            self._live.start()
            self._open += text
            if time.monotonic() - self._drawn_at >= _FLUSH_SECONDS:
                self._draw()
            elif self._timer is None:
                self._timer = Timer(_FLUSH_SECONDS, self._draw_late)
                self._timer.daemon = True
                self._timer.start()

    def _draw(self) -> None:
        finished, self._open = _split_last_block(self._open)
        print_markdown(finished, self._console)
        if self._live is not None:
            self._live.refresh()
        self._drawn_at = time.monotonic()

    def _draw_late(self) -> None:
        with self._lock:
            self._timer = None
            if self._live is not None and self._live.is_started:
                self._draw()

    def append_reasoning(self, text: str) -> None:
        """Print nothing: the answer is what one asked for."""

    def show_note(self, text: str) -> None:
        """Print the note on a line."""
        if text:
            with self._lock:
                self._console.print(SafeText(f"{self._model_name}: {text}"))

    def show_calls(self, calls: Sequence[ItemToolCall]) -> None:
        """Print the text so far, and the calls that have come to their end since."""
        with self._lock:
            self._print_open()  # A question about a call may follow.
            for line in self._calls.new_lines(calls):
                self._console.print(SafeText(line), style="dim")

    def end(self) -> None:
        """Print the last block."""
        with self._lock:
            self._print_open()
            self._live = None
            if self._timer is not None:
                self._timer.cancel()

    def _print_open(self) -> None:
        if self._live is None:
            return
        self._live.stop()
        print_markdown(self._open, self._console)
        self._open = ""

    def reserve_footer(self) -> None:
        """Reserve nothing: what is printed next comes after the footer."""

    def finish(self, reply: Reply, notice: str, shown: Mimebundle | None = None) -> None:
        """Print the parts of the reply that are no text, and the footer."""
        self.end()
        if shown is None:
            print_markdown(rest_markdown(reply.parts, shows_media=False), self._console)
        for line in (
            *_calls_of_provider(reply),
            footer_of(reply, self._model_name),
            *_lines(notice),
        ):
            self._console.print(SafeText(line), style="dim")


class _PrintedCalls:
    """The tool calls of a reply, of which each is printed once, when it is over."""

    def __init__(self) -> None:
        self._printed = set[str]()

    def new_lines(self, calls: Sequence[ItemToolCall]) -> Iterator[str]:
        """Yield the lines of calls that have come to their end since."""
        for call in calls:
            if call["result"] and call["id"] not in self._printed:
                self._printed.add(call["id"])
                yield call_text(call)


def terminal_display(model_name: str) -> TerminalDisplay | MarkdownTerminalDisplay:
    """Return the display of a reply in this terminal."""
    console = markdown_console()
    return MarkdownTerminalDisplay(model_name, console) if console else TerminalDisplay(model_name)


def markdown_console() -> Console | None:
    """Return the console of a terminal that shows Markdown; None for pipes, or without rich."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()  # pyright: ignore[reportUnnecessaryComparison]
    if not is_terminal or current_kernel() is not None or chosen_view() == "text":
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    console = Console(highlight=False, markup=False, emoji=False)
    return None if console.is_dumb_terminal or console.legacy_windows else console


def print_markdown(text: str, console: Console) -> None:
    """Print blocks of Markdown, and an empty line after each."""
    for block in _blocks(text):
        console.print(_Block(block))


class _Block:
    """A block of Markdown as rich draws it, which cannot steer the terminal."""

    def __init__(self, text: str, *, is_growing: bool = False) -> None:
        self._text, self._is_growing = text, is_growing

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        if not self._text.strip():
            return
        lines = console.render_lines(_markdown(self._text), options, pad=False)
        if self._is_growing:
            lines = lines[-max(1, console.height - _SPARE_LINES) :]
        for line in lines:
            # Entities in the Markdown may have become such characters.
            for text, style, control in line:
                if not control:
                    yield Segment(SafeText(text), style)
            yield Segment.line()
        if not self._is_growing:
            yield Segment.line()


def _markdown(text: str) -> Markdown:
    """Return Markdown in which HTML, links and images are text."""
    from rich.markdown import Markdown

    markdown: Any = Markdown("", code_theme="ansi_dark", hyperlinks=False)
    # rich would leave out what it takes for HTML.
    markdown.parsed = [*_with_image_links(_parser().parse(SafeText(text)))]
    return markdown


def _with_image_links(tokens: Sequence[Token]) -> Iterator[Token]:
    from markdown_it.token import Token

    for token in tokens:
        if token.type == "image":
            source = token.attrs.get("src", "")
            yield Token("text", "", 0, content=f"{token.content or 'image'} ({source})")
            continue
        if token.children:
            token.children = [*_with_image_links(token.children)]
        yield token


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    # A link is often used in another block than the one with its address, which stays text.
    parser = MarkdownIt("commonmark", {"html": False})
    return parser.enable(["table", "strikethrough"]).disable("reference")


def _blocks(text: str) -> Iterator[str]:
    """Split Markdown before each block."""
    lines, starts = text.split("\n"), [0, *_block_starts(text)[1:]]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield "\n".join(lines[start:end])


def _split_last_block(text: str) -> tuple[str, str]:
    """Split Markdown before its last block, which more text may change."""
    # The beginning of a line may look like that of another block than it becomes.
    whole, _, _ = text.rpartition("\n")
    start = [0, *_block_starts(whole)][-1]
    lines = text.split("\n")
    return "\n".join(lines[:start]), "\n".join(lines[start:])


def _block_starts(text: str) -> list[int]:
    """Return the numbers of the lines with which blocks begin."""
    tokens = _parser().parse(SafeText(text))
    return [
        token.map[0] for token in tokens if not token.level and token.nesting >= 0 and token.map
    ]


def footer_of(reply: Reply, model_name: str) -> str:
    """Return the footer of a reply, as text."""
    return reply_footer(reply.whole, model_name, seconds=reply.seconds, outcome=reply.outcome)


def _calls_of_provider(reply: Reply) -> list[str]:
    return [call_text(call) for call in provider_calls(reply.parts.calls)]


def _lines(notice: str) -> list[str]:
    return [notice] if notice else []
