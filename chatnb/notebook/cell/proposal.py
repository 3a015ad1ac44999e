"""A proposed change of a cell: its diff, its static forms, and its secrets, which do not leave."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

from chatnb.markdown.html import SafeHtml, element
from chatnb.markdown.mimebundle import Mimebundle
from chatnb.markdown.safe_markdown import safe_markdown
from chatnb.notebook.attachments import fenced
from chatnb.notebook.widgets.html import MUTED, NO_MATH
from chatnb.notebook.widgets.mounting import mount_point
from chatnb.redaction import REDACTED, environment_secrets, redact
from chatnb.terminal import SafeText, with_visible_characters

NO_CHANGE = "The model would change nothing."

Decision: TypeAlias = Literal["accepted", "inserted", "rejected"]

_TITLES: dict[Decision | None, str] = {
    None: "Proposed change of {cell}",
    "accepted": "Accepted change of {cell}; the new code has not been run",
    "inserted": "Accepted change of {cell}, in a cell below as {cell} is not what it was; not run",
    "rejected": "Rejected change of {cell}",
}
# Seen on light and on dark pages alike.
_COLORS = {"+": "rgba(46, 160, 67, 0.2)", "-": "rgba(248, 81, 73, 0.2)"}
_BLOCK_STYLE = "margin: 4px 0; overflow-x: auto; white-space: pre;"
# Not a character of any text.
_STAR = "\ufdd0"


class MaskedSource:
    """The source of a cell, in which each secret is a placeholder."""

    def __init__(self, source: str) -> None:
        # The stars of a comment are no secrets, nor do they move those of a secret.
        plain = source.replace("*", _STAR)
        secrets = {secret.replace("*", _STAR) for secret in environment_secrets()}
        shown = redact(plain, secrets).split(REDACTED)
        # The text between secrets is as it was, and stands in the same order.
        hidden = re.fullmatch("(.+?)".join(map(re.escape, shown)), plain, re.DOTALL)
        assert hidden is not None
        self.secrets = [secret.replace(_STAR, "*") for secret in hidden.groups()]
        self._word = "secret"
        while f"<{self._word}" in source:
            self._word += "_"
        placeholders = [self._placeholder(index) for index in range(len(self.secrets))]
        pieces = zip(shown, [*placeholders, ""], strict=True)
        self.text = "".join(map("".join, pieces)).replace(_STAR, "*")

    def restore(self, code: str) -> str | None:
        """Put the secrets back into changed code; None if it has one that is not known."""
        if not self.secrets:
            return code
        if code.count(REDACTED) > self.text.count(REDACTED):
            return None
        # One pass: a secret may look like the placeholder of another.
        known = {self._placeholder(index): secret for index, secret in enumerate(self.secrets)}
        pieces = re.split("(" + "|".join(map(re.escape, known)) + ")", code)
        if any(f"<{self._word}" in piece for piece in pieces[::2]):
            return None
        return "".join(known.get(piece, piece) for piece in pieces)

    def _placeholder(self, index: int) -> str:
        return f"<{self._word} no. {index + 1}>"


class Proposal(NamedTuple):
    """New source for the cell that ran with a number, and the difference without secrets."""

    number: int
    old: str
    new: str
    diff: str


def redacted_diff(old: str, new: str) -> str:
    """Return what changes between two sources, without the secrets of the old one."""
    # Whatever else the new one has is shown: a model could write code that looks like a secret, and
    # nobody would see what is accepted.
    for secret in sorted(MaskedSource(old).secrets, key=len, reverse=True):
        old, new = old.replace(secret, REDACTED), new.replace(secret, REDACTED)
    return diff(old, new)


def diff(old: str, new: str) -> str:
    """Return what changes between two sources, with some lines around it.

    Example:
        >>> print(diff("a = 1\\nb", "a = 2\\nb"))
        @@ -1,2 +1,2 @@
        -a = 1
        +a = 2
         b
    """
    lines = difflib.unified_diff(old.split("\n"), new.split("\n"), lineterm="")
    return "\n".join(list(lines)[2:])


def unified_line_ends(source: str) -> str:
    """Return a source with one kind of line end, and none behind the last line."""
    return re.sub(r"\r\n?", "\n", source).rstrip("\n")


def proposal_mimebundle(
    proposal: Proposal, decision: Decision | None = None, mount: str = ""
) -> Mimebundle:
    """Return a proposal as a diff, folded once it is decided; with a name, its buttons mount."""
    title = _TITLES[decision].format(cell=f"In[{proposal.number}]")
    # With characters that turn the reading direction or are not seen, code could look like other.
    changes = with_visible_characters(proposal.diff)
    block = element("pre", *_lines(changes), style=_BLOCK_STYLE)
    if decision is None:
        buttons = mount_point(SafeHtml(), "chatnb-proposal-buttons", mount) if mount else ""
        html = element("div", element("div", title, style=MUTED), block, buttons, class_=NO_MATH)
    else:
        html = element("details", element("summary", title, style=MUTED), block, class_=NO_MATH)
    text = f"{title}\n\n{fenced(changes, 'diff')}"
    return {
        "text/html": html,
        "text/markdown": safe_markdown(text),
        "text/plain": SafeText(f"{title}\n\n{changes}"),
    }


def _lines(text: str) -> Iterator[SafeHtml]:
    for line in text.split("\n"):
        color = _COLORS.get(line[:1])
        style = f"display: block; background: {color};" if color else "display: block;"
        yield element("span", line or " ", style=style)
