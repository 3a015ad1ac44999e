"""Lines that a type checker refuses, one mistake a line; read by the checker, never run."""

from __future__ import annotations

from markdown_it import MarkdownIt

from chatnb.markdown.html import element, join, rendered
from chatnb.markdown.safe_markdown import SafeMarkdown, join_blocks
from chatnb.notebook.widgets.mounting import publish
from chatnb.output_parsers import StrOutputParser
from chatnb.prompts import ChatPromptTemplate
from chatnb.runnables import Runnable
from chatnb.terminal import SafeText


def mistakes(text: Runnable[int, str], number: Runnable[int, int]) -> None:
    text | number  # mistake: a string is no integer
    text | 3  # mistake: an integer does nothing
    text.invoke("a")  # mistake: the input is an integer
    ChatPromptTemplate.from_template("{x}") | StrOutputParser()  # mistake: a prompt is no reply
    text.batch(1)  # mistake: a batch takes a list
    upper: Runnable[int, int] = text  # mistake: the output is a string
    print(upper)


def displays(text: str, safe: SafeMarkdown) -> None:
    publish({"text/markdown": text})  # mistake: Markdown that is not safe
    publish({"text/markdown": f"**{safe}**"})  # mistake: what is written around it may act
    publish({"text/markdown": safe + "\n"})  # mistake: neither is a sum
    publish({"text/html": "<b>Hi</b>"})  # mistake: HTML that nobody escaped
    publish({"text/html": safe})  # mistake: Markdown is no HTML
    publish({"text/plain": text})  # mistake: plain text may steer a terminal
    element(text, "x")  # mistake: the name of a tag is written in the code
    rendered(text, MarkdownIt())  # mistake: only safe Markdown is rendered
    publish({"text/markdown": join_blocks(text, safe), "text/html": element("b", text)})
    publish({"text/html": join(text, element("b", text)), "text/plain": SafeText(text)})
