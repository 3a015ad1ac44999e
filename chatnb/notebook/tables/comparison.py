"""A comparison of models in the notebook file: columns that need no widget."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from chatnb.errors import error_line
from chatnb.markdown.html import SafeHtml, element, rendered
from chatnb.markdown.media import media_html, media_url
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.markdown.rendering import static_renderer
from chatnb.markdown.safe_markdown import SafeMarkdown, join_blocks, plain_markdown, safe_markdown
from chatnb.notebook.chats import Chat, find_chat_model, get_chat_name
from chatnb.notebook.reply_stream import Outcome, Reply
from chatnb.notebook.widgets.footer import reasoning_fold, reply_footer
from chatnb.notebook.widgets.html import MUTED, NO_MATH
from chatnb.notebook.widgets.mounting import mount_point
from chatnb.schema.content.markdown import media_markdown
from chatnb.schema.content.outputs import rest_markdown, shown_media
from chatnb.schema.content.reply_parts import Media
from chatnb.terminal import SafeText

_MIN_WIDTH, _GAP = 220, 32
_ALT = "Picture of the answer"
_MEDIA = "display: block; max-width: 100%; margin: 8px 0"
_TITLE = "font-weight: 600; margin-bottom: 8px"


class Answer(NamedTuple):
    """A column of a comparison."""

    name: str
    text: str
    footer: str
    outcome: Outcome = "done"
    error: str = ""
    reasoning: str = ""
    media: Sequence[Media] = ()
    rest: str = ""
    reasoning_seconds: float | None = None

    @staticmethod
    def from_reply(name: str, chat: Chat, reply: Reply) -> Answer:
        """Return the column of a reply."""
        message, model = reply.whole, find_chat_model(chat)
        footer = reply_footer(
            message,
            get_chat_name(chat),
            seconds=reply.seconds,
            outcome=reply.outcome,
            cost=model and model.cost_of_run(message),
        )
        error = error_line(reply.error) if reply.error else ""
        rest = rest_markdown(reply.parts)
        text = "\n\n".join(filter(None, (message.text, rest)))
        media = shown_media(reply.parts)
        return Answer(
            name,
            text,
            footer,
            reply.outcome,
            error,
            message.reasoning,
            media,
            rest,
            reply.reasoning_seconds,
        )

    @property
    def media_urls(self) -> list[str]:
        """The addresses of the pictures and sounds, which hold their data."""
        return [media_url(one.mime_type, one.data) for one in self.media]

    @property
    def below(self) -> str:
        """The Markdown below the text in a widget: sources, and the error."""
        return "\n\n".join(filter(None, (self.rest, bold(self.error))))


def comparison_mimebundle(
    answers: Sequence[Answer], notice: str = "", mount: str = ""
) -> Mimebundle:
    """Write answers side by side as HTML, and below each other as Markdown and as text."""
    columns = grid_columns(len(answers))
    grid = f"display: grid; grid-template-columns: {columns}; gap: 16px {_GAP}px;"
    shown = element("div", *map(_html, answers), class_="chatnb-comparison", style=grid)
    if notice:
        # Across all of the grid, it would keep columns that have no reply from collapsing.
        style = f"{MUTED} margin-top: 16px"
        shown = element("div", shown, element("div", notice, class_=NO_MATH, style=style))
    return {
        "text/html": mount_point(shown, "chatnb-replies", mount) if mount else shown,
        "text/markdown": join_blocks(*map(_markdown, answers), plain_markdown(notice)),
        "text/plain": SafeText("\n\n".join(filter(None, (*map(_plain, answers), notice)))),
    }


def grid_columns(count: int) -> str:
    """Return the columns of a grid, which wraps into rows as even as they can be: four into two."""
    numbers = sorted({-(-count // rows) for rows in range(1, count + 1)}, reverse=True)
    steps = list[str]()
    for number, next_number in pairwise(numbers):
        needed = number * _MIN_WIDTH + (number - 1) * _GAP
        share = f"(100% - {(next_number - 1) * _GAP}px) / {next_number} - 1px"
        # Negative where there is room for this number of columns, else more than any share.
        steps.append(f"min({share}, ({needed}px - 100%) * 9999)")
    width = ", ".join([f"{_MIN_WIDTH}px", *steps])
    return f"repeat(auto-fit, minmax(min(100%, max({width})), 1fr))"


def bold(text: str) -> str:
    """Write a line of escaped Markdown in bold."""
    return f"**{plain_markdown(text)}**" if text else ""


def _html(answer: Answer) -> SafeHtml:
    reasoning = answer.reasoning.strip()
    is_alone = not answer.text and not answer.media
    fold = reasoning_fold(reasoning, answer.reasoning_seconds, is_alone=is_alone)
    error = element("p", element("strong", answer.error), class_=NO_MATH) if answer.error else ""
    thoughts = [element("div", fold, class_=NO_MATH, style=MUTED)]
    return element(
        "div",
        element("div", answer.name, class_=NO_MATH, style=_TITLE) if answer.name else "",
        *(thoughts if reasoning else []),
        # In an element of its own, as the live one, where the error ends the text too: its first
        # heading has no line above it, and its last block has the room below that JupyterLab gives
        # to it.
        element(
            "div", _text(answer), error, class_="jp-RenderedHTMLCommon", style="padding-right: 0"
        ),
        *(media_html(one.mime_type, one.data, _ALT, _MEDIA) for one in answer.media),
        element("div", answer.footer, class_=NO_MATH, style=MUTED),
        style="min-width: 0; overflow-wrap: anywhere",
    )


def _text(answer: Answer) -> SafeHtml:
    return rendered(safe_markdown(answer.text), static_renderer())


def _markdown(answer: Answer) -> SafeMarkdown:
    title = f"#### {plain_markdown(answer.name)}" if answer.name else ""
    ending = (bold(answer.error), plain_markdown(answer.footer))
    return join_blocks(title, answer.text, *map(media_markdown, answer.media), *ending)


def _plain(answer: Answer) -> str:
    media = map(media_markdown, answer.media)
    parts = [answer.name, answer.text, *media, answer.error, answer.footer]
    return "\n".join(filter(None, parts))
