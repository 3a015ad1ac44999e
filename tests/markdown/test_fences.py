"""A tag in code: it stays where every renderer reads the same fence, and is broken elsewhere."""

from __future__ import annotations

import pytest

from chatnb.markdown.safe_markdown import safe_markdown

# Markdown, and how it is written; None: as it is.
WRITTEN: dict[str, str | None] = {
    "$$x$$\n\n```\n<a b=c>\n```": None,
    "a\n\n```\n$$ <a b=c>\n```": None,
    "$$x\n\n```\n$$ <a b=c>\n```": "<span>\\$</span><span>\\$</span>x\n\n```\n$$ <a b=c>\n```",
    "[a\n\n```\n]: <a b=c>\n```": "[a\n\n```\n]: <\u2060a b=c>\n```",
    "a\n\n```\n]: <a b=c>\n```": None,
    "[a\n\n```\n<a b=c>\n```": None,
    "[a]: b\n\n```\n<a b=c>\n```": "[a]: b\n\n```\n<\u2060a b=c>\n```",
    "```\n<a b=c>\n": "```\n<a b=c>\n\n```",
    "x\n```\n<a b=c>\n```\ny": "x\n\n```\n<a b=c>\n```\n\ny",
    " ```\n<a b=c>\n```": " ```\n<\u2060a b=c>\n```",
    "```\n<a b=c>\n``` x\n```": "```\n<\u2060a b=c>\n``` x\n```",
    "```a`b\n<a b=c>\n```": "```a`b\n&lt;a b=c>\n```",
    "\\[x\n\n```\n\\] <a b=c>\n```": "\\[x\n\n```\n\\] <\u2060a b=c>\n```",
    "```\n<a b=c>\n```  \n": "```\n<a b=c>\n```\n",
    "\n```\n<a b=c>\n```": None,
    "a\n\n```\n<a b=c>\n```\n\nc\n\n```\n<a b=c>\n```": None,
    "~~~\n<a b=c>\n~~~": "~~~\n<\u2060a b=c>\n~~~",
    "````\n```\n<a b=c>\n````": "````\n```\n<\u2060a b=c>\n````",
    "\\begin{CD}\n\n```\n\\end{CD}<a b=c>\n```": "\\begin{CD}\n\n```\n\\end{CD}<\u2060a b=c>\n```",
    "    <a b=c>\n": "    <\u2060a b=c>\n",
    "`<a b=c>`": "<code>&#60;a b&#61;c&#62;</code>",
    "<a b=c>": "&lt;a b=c>",
    "```\n<a b=c>\n```\n\n\nb": None,
    "```\n<a b=c>\n```\n\nb": None,
}


@pytest.mark.parametrize(("text", "written"), WRITTEN.items(), ids=WRITTEN)
def test_a_tag_is_kept_in_a_fence_that_is_certain(text: str, written: str | None) -> None:
    """No formula, label or other mark of a fence may end within it, and blank lines part it."""
    assert safe_markdown(text) == (text if written is None else written)
    assert safe_markdown(str(safe_markdown(text))) == safe_markdown(text)
